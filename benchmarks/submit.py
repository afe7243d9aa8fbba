"""How long a submit takes, until it answers and until the first step runs, each time with a new pipeline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.embedded import BARE_DAG, Server, embedded
from benchmarks.figures import Figure, at_most

REPEATS = 10
_ROOT = "reuse"


def measure() -> Iterator[Figure]:
    """Medians of ten, on a warm server that does nothing else."""
    with embedded() as server:
        ours = [_submit(server) for _ in range(REPEATS)]
        bare = [_trigger(server) for _ in range(REPEATS)]
    yield Figure(
        "submit of a new one-step pipeline until its first step runs",
        statistics.median(first for _, first in ours),
        "s",
        "Airflow's POST dagRuns of a DAG that it knows, until the first task runs",
        statistics.median(first for _, first in bare),
        at_most(2),
    )
    yield Figure(
        "the submit call: source folder, graph, DAG and run",
        1000 * statistics.median(call for call, _ in ours),
        "ms",
        "Airflow's POST dagRuns of a DAG that it knows",
        1000 * statistics.median(call for call, _ in bare),
    )


def _submit(server: Server) -> tuple[float, float]:
    """Seconds until the call returns, and until the first step runs."""
    pipeline = server.new_chain(1)
    asked = time.time()
    run = server.submit(pipeline)
    answered = time.time()
    times = server.times(run)
    return answered - asked, min(at for task, at in times.started.items() if task != _ROOT) - asked


def _trigger(server: Server) -> tuple[float, float]:
    asked = time.time()
    run = server.trigger(BARE_DAG)
    answered = time.time()
    return answered - asked, min(server.airflow_times(BARE_DAG, run).started.values()) - asked
