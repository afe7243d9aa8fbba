"""Many callers who submit one published pipeline at once: each submit makes one run, and none makes two."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.integration.api.bench import Bench
from tests.integration.api.wire_caller import Json, WireCaller
from tests.support.burst import Answer, Post, burst

EACH_KEY = 4


@pytest.fixture
def caller(bench: Bench) -> WireCaller:
    return WireCaller(bench.server)


@pytest.fixture
def pipeline(caller: WireCaller) -> Json:
    return caller.publish()


@pytest.fixture
def crowd(caller: WireCaller, rounds: Callable[[int, int], int]) -> Callable[[list[Post]], list[Answer]]:
    """Sends requests by all callers at once; none of them may fail."""
    token = caller.server.token("user")

    def send(posts: list[Post]) -> list[Answer]:
        answers = burst(token, posts, rounds(8, 20))
        assert [answer for answer in answers if answer.status != 200] == []
        return answers

    return send


@pytest.mark.thorough
def test_each_submit_makes_a_run(
    caller: WireCaller, pipeline: Json, crowd: Callable[..., list[Answer]], rounds: Callable[[int, int], int]
) -> None:
    """All in an experiment that none of them finds; Airflow has as many runs, each with its own parameter."""
    body = {"ExperimentName": f"new {uuid4().hex[:8]}"}
    count = rounds(32, 200)
    posts = [Post(pipeline["endpoint"], {**body, "ParameterAssignments": {"rate": n}}, {}) for n in range(count)]
    answers = crowd(posts)
    assert len({answer.body["Id"] for answer in answers}) == count
    listed = {run["Id"]: run for run in caller.get(f"PipelineRuns/Pipeline/{pipeline['id']}")}
    for number, answer in enumerate(answers):
        assert listed[answer.body["Id"]]["ParameterAssignments"]["rate"] == str(number)
    assert airflows(caller, pipeline) == {answer.body["Id"] for answer in answers}


@pytest.mark.thorough
def test_repeated_submits_make_one_run_for_each_key(
    caller: WireCaller, pipeline: Json, crowd: Callable[..., list[Answer]], rounds: Callable[[int, int], int]
) -> None:
    """The same key from many callers at the same moment: all of them get the one run."""
    keys = [uuid4().hex for _ in range(rounds(8, 50))]
    by_key = [[Post(pipeline["endpoint"], {}, {"Idempotency-Key": key})] * EACH_KEY for key in keys]
    answers = crowd([post for same in by_key for post in same])
    runs = [{answer.body["Id"] for answer in answers[n : n + EACH_KEY]} for n in range(0, len(answers), EACH_KEY)]
    assert [len(ids) for ids in runs] == [1] * len(keys)
    assert airflows(caller, pipeline) == set.union(*runs)
    assert len(set.union(*runs)) == len(keys)


def test_many_who_look_at_once(caller: WireCaller, pipeline: Json) -> None:
    """More callers than the server has connections to its database: none has to wait for another's to the end."""
    run_id = caller.submit(pipeline["id"])["Id"]
    paths = (f"PipelineRuns/Pipeline/{pipeline['id']}", f"PipelineRuns/{run_id}", f"PipelineRuns/{uuid4()}")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda path: caller.ask("GET", path), paths * 10))
    assert [answer.status_code for answer in answers] == [200, 200, 404] * 10


def airflows(caller: WireCaller, pipeline: Json) -> set[str]:
    """The ids of the pipeline's runs, by the word of Airflow."""
    path = f"/api/v2/dags/{pipeline['dag_id']}/dagRuns"
    found: set[str] = set()
    while True:
        page = caller.http.get(path, params={"limit": 100, "offset": len(found)}).raise_for_status().json()
        found |= {run["dag_run_id"] for run in page["dag_runs"]}
        if len(found) >= page["total_entries"]:
            return found
