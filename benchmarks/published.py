"""Submits of a published pipeline by many callers at once, beside Airflow's own POST dagRuns of the same DAG.

On PostgreSQL: on SQLite Airflow's own route does not take so many at once, but waits for the database until it fails.
"""

from __future__ import annotations

import json
import statistics
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.figures import Figure, ratio_at_most
from benchmarks.servers import Bench, Chain, bench
from tests.support.burst import Answer, Post, burst
from tests.support.postgres import mortal_postgres

CALLERS = 20
SUBMITS = 200
ROUNDS = 3
REPEATS = 4
Request = Callable[[int], Post]


def measure() -> Iterator[Figure]:
    """The 95th of a hundred latencies: the median of three rounds each, in turn, with the DAG paused."""
    with mortal_postgres() as database, bench("--database", database.address(database.new_database())) as server:
        target = _Target(server)
        for request in (target.as_ours, target.as_airflows):
            target.burst(request, CALLERS)  # what is done once per process is done
        before = target.runs()
        ours, airflows = [], []
        for _ in range(ROUNDS):
            ours.append(target.burst(target.as_ours, SUBMITS))
            airflows.append(target.burst(target.as_airflows, SUBMITS))
        repeated = target.burst(target.repeated(SUBMITS // REPEATS), SUBMITS)
        refused = [answer for each in airflows for answer in each if answer.status != 200]
        if len(refused) > ROUNDS * SUBMITS / 100:
            raise RuntimeError(f"POST dagRuns failed {len(refused)} times, first with {refused[0]}")
        made = target.runs() - before - (ROUNDS * SUBMITS - len(refused))
    _check(ours, repeated, made)
    yield _figure(95, ours, airflows)
    yield _figure(50, ours, airflows)
    yield Figure(
        f"{SUBMITS} submits, each Idempotency-Key {REPEATS} times, by {CALLERS} callers at once: p95",
        1000 * _percentile(repeated, 95),
        "ms",
    )


class _Target:
    """A published pipeline of one step, and the requests that run it."""

    def __init__(self, server: Bench) -> None:
        self._server = server
        run = Chain(server, 1).submit()
        run.wait_for_completion(show_output=False)
        made = self._send(
            "POST", f"/airloom/api/v1/workspaces/{server.ws.name}/pipelines", {"name": "benchmark", "run_id": run.id}
        )
        self._address, dag = made["endpoint"], f"/api/v2/dags/{made['dag_id']}"
        self._airflows = f"{server.airflow.url}{dag}/dagRuns"
        # Runs that begin would take the processor from those that are measured.
        self._send("PATCH", dag, {"is_paused": True})

    def as_ours(self, number: int) -> Post:
        """A submit in the shape of Azure ML."""
        return Post(self._address, {"ExperimentName": "benchmark", "tags": {"number": str(number)}}, {})

    def as_airflows(self, number: int) -> Post:
        """A run of the same DAG by Airflow's own route."""
        return Post(self._airflows, {"logical_date": None, "conf": {}, "note": str(number)}, {})

    def repeated(self, keys: int) -> Request:
        """Submits with so many Idempotency-Keys, again and again."""
        mark = uuid.uuid4()
        body = {"ExperimentName": "benchmark"}
        return lambda number: Post(self._address, body, {"Idempotency-Key": f"{mark}-{number % keys}"})

    def burst(self, request: Request, count: int) -> list[Answer]:
        """So many requests by all callers at once."""
        return burst(self._server.airflow.token, [request(number) for number in range(count)], CALLERS)

    def runs(self) -> int:
        """How many runs of the pipeline there are, by the word of Airflow."""
        return int(
            self._send("GET", f"{self._airflows.removeprefix(self._server.airflow.url)}?limit=1")["total_entries"]
        )

    def _send(self, method: str, path: str, body: object = None) -> Any:
        answer = self._server.airflow.send(method, path, json.dumps(body).encode() if body is not None else b"")
        return answer.raise_for_status().json()


def _check(ours: Sequence[list[Answer]], repeated: list[Answer], made: int) -> None:
    """Fast but wrong is no figure."""
    answers = [answer for each in ours for answer in each]
    failed = [answer for answer in [*answers, *repeated] if answer.status != 200]
    if failed:
        raise RuntimeError(f"{len(failed)} submits failed, the first with {failed[0]}")
    ids = {answer.body["Id"] for answer in answers}
    again = {answer.body["Id"] for answer in repeated}
    expected = (len(answers), SUBMITS // REPEATS, len(answers) + SUBMITS // REPEATS)
    if (len(ids), len(again), made) != expected:
        raise RuntimeError(f"{len(ids)} and {len(again)} ids of {made} runs, not {expected}")


def _figure(percent: int, ours: Sequence[list[Answer]], airflows: Sequence[list[Answer]]) -> Figure:
    value, baseline = (
        1000 * statistics.median(_percentile(each, percent) for each in side) for side in (ours, airflows)
    )
    return Figure(
        f"{SUBMITS} submits of a published pipeline by {CALLERS} callers at once: p{percent}",
        value,
        "ms",
        f"POST dagRuns of the same DAG: p{percent}",
        baseline,
        ratio_at_most(1.5) if percent == 95 else None,
    )


def _percentile(answers: Sequence[Answer], percent: int) -> float:
    return statistics.quantiles((answer.seconds for answer in answers), n=100)[percent - 1]
