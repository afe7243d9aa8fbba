"""How long a submit takes, until it answers and until the first step runs, each time with a new pipeline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from airloom.execution.names import ROOT_TASK
from benchmarks.figures import Figure, at_most
from benchmarks.servers import Bench, Chain, bench, instant

REPEATS = 10
_ONE_TASK = "one_task"


def measure() -> Iterator[Figure]:
    """Medians of ten, on a warm server that does nothing else."""
    with bench() as server:
        server.add_one_task(_ONE_TASK)
        server.timed_dag(_ONE_TASK)
        ours = [submit(server) for _ in range(REPEATS)]
        bare = [_trigger(server) for _ in range(REPEATS)]
    yield Figure(
        "submit of a new one-step pipeline, until its first step runs",
        statistics.median(first for _, first in ours),
        "s",
        "POST dagRuns of a DAG that Airflow knows, until its task runs",
        statistics.median(first for _, first in bare),
        at_most(2),
    )
    yield Figure(
        "the submit call for a new pipeline: source folder, graph, DAG, run",
        1000 * statistics.median(call for call, _ in ours),
        "ms",
        "POST dagRuns of a DAG that Airflow knows",
        1000 * statistics.median(call for call, _ in bare),
    )


def submit(server: Bench) -> tuple[float, float]:
    """Seconds until the submit of a new pipeline returns, and until its first step runs."""
    chain = Chain(server, 1)
    asked = time.time()
    run = chain.submit()
    answered = time.time()
    run.wait_for_completion(show_output=False)
    dag = str(server.ws._client.get_run(server.ws.name, run.id)["dag_id"])
    return answered - asked, first_start(server, dag, run.id) - asked


def _trigger(server: Bench) -> tuple[float, float]:
    asked = time.time()
    run = server.start_dag(_ONE_TASK)
    answered = time.time()
    server.airflow.wait_for_run(_ONE_TASK, run)
    return answered - asked, first_start(server, _ONE_TASK, run) - asked


def first_start(server: Bench, dag: str, run: str) -> float:
    """When the first task of a run started, but for the one that only plans."""
    tasks = server.airflow.get(f"/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
    return min(instant(task["start_date"]) for task in tasks if task["task_id"] != ROOT_TASK)
