"""A run of which nothing has changed, from submit to finished, against a bare one-task DAG run on the same server."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, medians, ratio_at_most
from benchmarks.servers import Bench, Chain, bench

REPEATS = 7
GOALS = {1: None, 20: ratio_at_most(1.5), 100: ratio_at_most(2.0)}
_ONE_TASK = "one_task"


def measure() -> Iterator[Figure]:
    """Chains of growing length, each in turn with the one-task DAG."""
    with bench() as server:
        server.add_one_task(_ONE_TASK)
        server.timed_dag(_ONE_TASK)
        for length in GOALS:
            yield _unchanged(server, length)


def _unchanged(server: Bench, length: int) -> Figure:
    chain = Chain(server, length)
    for _ in range(3):  # executes; plans step by step and keeps the record of the whole; reads that
        chain.timed()
    ours, bare = medians(REPEATS, chain.timed, lambda: server.timed_dag(_ONE_TASK))
    name = f"unchanged run of {length} step{'s' if length > 1 else ''}, submit to finished"
    return Figure(name, ours, "s", "run of a DAG with one PythonOperator", bare, GOALS[length])
