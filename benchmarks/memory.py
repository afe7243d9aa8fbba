"""Memory of the server's processes and of a step, against Airflow alone with the same settings.

What is measured is the proportional set size: of pages that processes share, each has its part, so that the sum is
what the machine must have.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from airloom.core import Experiment
from airloom.embedded.components import COMPONENTS
from airloom.pipeline.core import Pipeline
from airloom.pipeline.steps import PythonScriptStep
from benchmarks.bare_airflow import bare_airflow
from benchmarks.figures import Figure
from benchmarks.servers import Bench, bench
from tests.support.airflow_api import AirflowApi
from tests.support.server import RunningServer

SETTLE_SECONDS = 15
"""From the start of the components until their memory no longer grows."""

TASK_SECONDS = 8
_SLEEP = f"import time; time.sleep({TASK_SECONDS})"
_TASK = f"""\
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("sleeper", schedule=None):
    BashOperator(task_id="sleep", bash_command={f"{sys.executable} -c '{_SLEEP}'"!r})
"""

Memory = dict[str, float]


def measure() -> Iterator[Figure]:
    """Every component when nothing runs, and what one running step adds."""
    ours, theirs = _airloom(), _airflow_alone()
    for name, megabytes in ours.items():
        against = "BashOperator running the same command" if name == "a running step" else "Airflow alone"
        yield Figure(f"memory of {name}", megabytes, "MB", against, theirs[name])


def _airloom() -> Memory:
    with bench() as server:
        state = json.loads((server.home / "state.json").read_text())
        pids = {component.name: state["components"][component.name]["pid"] for component in COMPONENTS}
        return _memory(pids, lambda: _start_step(server))


def _start_step(server: Bench) -> None:
    source = server.folder / "sleeper"
    source.mkdir()
    (source / "sleep.py").write_text(_SLEEP)
    step = PythonScriptStep("sleep.py", source_directory=str(source), allow_reuse=False)
    Experiment(server.ws, "memory").submit(Pipeline(server.ws, [step]))


def _airflow_alone() -> Memory:
    with (
        tempfile.TemporaryDirectory() as folder,
        bare_airflow(Path(folder) / "home") as airflow,
        AirflowApi(RunningServer(airflow.home, airflow.url)) as api,
    ):
        dags = airflow.home / "airflow" / "dags"
        dags.mkdir(exist_ok=True)
        (dags / "sleeper.py").write_text(_TASK)
        api.wait_for_dag("sleeper")
        api.trigger("sleeper")  # a first task, as the other server has had one
        run = {"logical_date": None}
        return _memory(airflow.pids, lambda: api.post("/dags/sleeper/dagRuns", run).raise_for_status())


def _memory(pids: Mapping[str, int], start: Callable[[], object]) -> Memory:
    """Megabytes of each component with its children, and what a task that has just been started adds to all."""
    time.sleep(SETTLE_SECONDS)
    idle = {f"the {name}": _of_tree(pid) for name, pid in pids.items()}
    workers = _of_tree(pids["scheduler"])
    start()
    time.sleep(TASK_SECONDS / 2)
    return {**idle, "a running step": _of_tree(pids["scheduler"]) - workers}


def _of_tree(pid: int) -> float:
    root = psutil.Process(pid)
    return sum(_of_process(process) for process in (root, *root.children(recursive=True)))


def _of_process(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0
