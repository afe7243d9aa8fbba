"""A thousand pipelines of ten tasks, stored or published: what they cost the DAG processor, a worker, and the next."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from airloom.embedded.home import Home
from airloom.embedded.processes import belonging_to
from airloom.graph.model import Definition, PipelineGraph, PythonScriptSettings
from airloom.storage.definitions import DefinitionStore, dag_id
from airloom.storage.object_store import open_store
from benchmarks.dag_builders.by_hand import COMMAND, full_dag, full_task
from benchmarks.figures import Figure, at_most, medians, ratio_at_most
from benchmarks.peers import peer
from benchmarks.servers import Bench, Chain, bench
from benchmarks.submit import first_start, submit
from tests.support.airflow_api import eventually
from tests.support.builders import a_graph, a_step

COUNT = 1000
STEPS = 10
"""Tasks of a DAG. One of Airloom's is the root task, so its pipelines have nine steps."""
FEW = 10
REPEATS = 3
IDLE_SECONDS = 30.0

_BUILDERS = Path(__file__).parent / "dag_builders"


def measure() -> Iterator[Figure]:
    """CPU time, as parsing is nothing else; the last two on a server."""
    with tempfile.TemporaryDirectory(prefix="airloom-benchmark-") as folder:
        yield from _building(Path(folder))
        yield from _one_of_many(Path(folder))
    yield from _on_a_server()
    yield from _published()


def _building(folder: Path) -> Iterator[Figure]:
    store = folder / "many"
    fill(store, COUNT)
    (folder / "yaml").mkdir()
    for number in range(COUNT):
        (folder / "yaml" / f"{number}.yml").write_text(yaml.safe_dump(_for_dag_factory(number)))
    hand = [sys.executable, str(_BUILDERS / "by_hand.py"), str(COUNT), str(STEPS)]
    ours = [sys.executable, "-m", "benchmarks.dag_builders.stored", str(COUNT)]
    theirs = [
        str(peer("dag-factory") / "python"),
        str(_BUILDERS / "by_dag_factory.py"),
        str(folder / "yaml"),
        str(COUNT),
    ]
    stored, loop, bare, factory = medians(
        REPEATS,
        lambda: _cpu(ours, folder, store),
        lambda: _cpu(hand, folder),
        lambda: _cpu([*hand, "bare"], folder),
        lambda: _cpu(theirs, folder),
    )
    what = f"building {COUNT} stored pipelines of {STEPS} tasks, as the DAG processor does"
    yield Figure(what, stored, "s", "a loop that makes DAGs with the same fields by hand", loop, ratio_at_most(1.3))
    yield Figure(what, stored, "s", "dag-factory", factory, ratio_at_most(1 / 3))
    yield Figure(what, stored, "s", "a loop that gives DAGs nothing but ids and dependencies", bare)


def _one_of_many(folder: Path) -> Iterator[Figure]:
    """What a worker does to get the DAG of its task."""
    few, many = folder / "few", folder / "many"
    wanted = fill(few, FEW)
    one = [sys.executable, "-m", "benchmarks.dag_builders.stored", wanted]
    among_many, among_few = medians(REPEATS, lambda: _cpu(one, folder, many), lambda: _cpu(one, folder, few))
    what = f"building one DAG on a worker, {COUNT} pipelines stored"
    yield Figure(what, 1000 * among_many, "ms", f"{FEW} stored", 1000 * among_few, ratio_at_most(1.25))


def _on_a_server() -> Iterator[Figure]:
    with bench(prepare=lambda store: fill(store, COUNT)) as server:
        eventually(lambda: server.airflow.get("/dags?limit=1&tags=airloom")["total_entries"] > COUNT, 600)
        idle = _idle_cpu(server)
        _, first = submit(server)
    what = f"one more pipeline at {COUNT} stored, submit until its first step runs"
    yield Figure(what, first, "s", goal=at_most(5))
    yield Figure(f"DAG processor with nothing to do, {COUNT} pipelines stored", idle, "% of a core")


def _published() -> Iterator[Figure]:
    """Published one by one through the API, as users do; then one more, which is run by Airflow's own API."""
    with bench() as server:
        chain = Chain(server, STEPS - 1)
        chain.timed()
        graph = chain.pipeline().graph.definition.model_dump(mode="json")
        for number in range(COUNT):
            _publish(server, graph, f"published {number}")
        idle = _idle_cpu(server)
        runs = [_publish_and_run(server, graph, number) for number in range(REPEATS)]
    what = f"one more published at {COUNT} published pipelines"
    yield Figure(f"{what}, until it can be run", _median(runs, 0), "s", goal=at_most(5))
    yield Figure(f"{what}, until the first step of its first run starts", _median(runs, 1), "s", goal=at_most(5))
    what = f"DAG processor with nothing to do, {COUNT} published pipelines"
    yield Figure(what, idle, "% of a core", goal=at_most(10))


def _publish(server: Bench, graph: dict[str, object], name: str) -> str:
    """The id of the new pipeline's DAG."""
    body = json.dumps({"name": name, "graph": graph}).encode()
    answer = server.airflow.send("POST", "/airloom/api/v1/workspaces/default/pipelines", body)
    return str(answer.raise_for_status().json()["dag_id"])


def _publish_and_run(server: Bench, graph: dict[str, object], number: int) -> tuple[float, float]:
    """Seconds until Airflow takes a run of a new pipeline, and until a step of it starts."""
    asked = time.time()
    dag_id = _publish(server, graph, f"one more {number}")
    run_id = server.start_dag(dag_id, {"airloom.reuse": "off"})
    taken = time.time()
    server.airflow.wait_for_run(dag_id, run_id)
    return taken - asked, first_start(server, dag_id, run_id) - asked


def _median(runs: list[tuple[float, float]], place: int) -> float:
    return statistics.median(run[place] for run in runs)


def fill(store: Path, count: int) -> str:
    """Store so many pipelines; returns the id of the first one's DAG, which is the same in any store."""
    definitions = DefinitionStore(open_store(store.as_uri()))
    made = [_definition(number) for number in range(count)]
    for definition in made:
        definitions.put(definition)
    return dag_id(made[0])


def _definition(number: int) -> Definition:
    return Definition(
        workspace="default",
        experiment="many",
        store="file:///nowhere",
        default_datastore="workspaceblobstore",
        graph=_graph(number),
    )


def _graph(number: int) -> PipelineGraph:
    settings = PythonScriptSettings(script_name="main.py", snapshot="0" * 64)
    steps = [
        a_step(f"step{step}", reads=(f"step{step - 1}.out",) if step else (), settings=settings)
        for step in range(STEPS - 1)
    ]
    return a_graph(*steps, description=f"pipeline {number}")


def _for_dag_factory(number: int) -> dict[str, object]:
    """The DAG of the loop in dag-factory's words, but for a delay and the schema of a parameter."""
    kept = ("dag_display_name", "description", "tags", "doc_md")
    tasks = [
        {
            "task_id": f"step{step}",
            "operator": "airflow.providers.standard.operators.bash.BashOperator",
            "bash_command": COMMAND,
            "dependencies": [f"step{step - 1}"] if step else [],
            **{name: value for name, value in full_task(step).items() if name != "retry_delay"},
        }
        for step in range(STEPS)
    ]
    fields = {name: value for name, value in full_dag(number).items() if name in kept}
    return {
        f"many_{number}": {"schedule": None, "catchup": False, "params": {"reuse": "auto"}, **fields, "tasks": tasks}
    }


def _cpu(command: list[str], home: Path, store: Path | None = None) -> float:
    """The seconds that a builder prints as its last line."""
    environment: Mapping[str, str] = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **({"AIRFLOW__AIRLOOM__STORE": store.as_uri()} if store else {}),
    }
    printed = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(printed.splitlines()[-1])


def _idle_cpu(server: Bench) -> float:
    """Percent of a core that the DAG processor uses while there is nothing to parse."""
    time.sleep(5)
    before = _processor_seconds(server)
    time.sleep(IDLE_SECONDS)
    return 100 * (_processor_seconds(server) - before) / IDLE_SECONDS


def _processor_seconds(server: Bench) -> float:
    times = [process.cpu_times() for process in belonging_to(Home(server.home), "dag-processor")]
    return sum(each.user + each.system for each in times)
