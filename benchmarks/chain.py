"""A chain of 20 steps that do next to nothing, against a chain of 20 BashOperators on the same server."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Figure, medians, ratio_at_most
from benchmarks.servers import Chain, bench

LENGTH = 20
REPEATS = 5


def measure() -> Iterator[Figure]:
    """Both chains in turn, every step executed."""
    with bench() as server:
        server.add_bash_chain("bash_chain", LENGTH)
        server.timed_dag("bash_chain")
        steps, tasks = medians(REPEATS, lambda: Chain(server, LENGTH).timed(), lambda: server.timed_dag("bash_chain"))
    yield Figure(
        f"chain of {LENGTH} no-op PythonScriptSteps with data, all executed",
        steps,
        "s",
        f"chain of {LENGTH} BashOperators `python -c pass`",
        tasks,
        ratio_at_most(1.25),
    )
