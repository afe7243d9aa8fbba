"""A server that is killed between any two of its writes leaves a whole published pipeline, or none; also with runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from airloom.storage.definitions import DefinitionStore, digest16_of_dag_id
from airloom.storage.object_store import open_store
from tests.integration.api.bench import EXPERIMENT, WORKSPACE, Bench, graph
from tests.integration.api.publisher import Publisher
from tests.integration.api.server import ApiServer

pytestmark = pytest.mark.timeout(900)

KILLED = -signal.SIGKILL
Do = Callable[..., int]


@pytest.fixture(scope="module")
def do(server: ApiServer) -> Iterator[Do]:
    """Does one of the functions of dying_processes in a process of its own; its exit code."""
    helper = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.integration.api.dying_processes"],
        env=server.environment | {"AIRFLOW__AIRLOOM__DAG_TIMEOUT_SECONDS": "1"},  # many deaths come while it waits
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert helper.stdin is not None and helper.stdout is not None
    into, out = helper.stdin, helper.stdout

    def run(name: str, dies_at: int | None = None, /, **arguments: Any) -> int:
        into.write(json.dumps([name, arguments, dies_at]) + "\n")
        into.flush()
        line = next(line for line in out if line.startswith("answer "))
        return int(json.loads(line.removeprefix("answer ")))

    yield run
    helper.communicate()


@pytest.fixture(scope="module")
def publisher(bench: Bench) -> Publisher:
    return Publisher(bench)


def until_it_lives(do: Do, name: str, arguments: Callable[[int], dict[str, Any]]) -> int:
    """Do it again and again, killed one write later each time; how often it was killed."""
    for number in count(1):
        code = do(name, number, **arguments(number))
        if code != KILLED:
            return number - 1 if code == 0 else -number
    raise AssertionError


def listed(server: ApiServer) -> set[str]:
    """The definitions that the DAG processor is offered."""
    definitions = DefinitionStore(open_store(server.store.as_uri()))
    return {digest for shard in range(16) for digest in definitions.listed(shard) or ()}


def names_stored(server: ApiServer, mark: str) -> set[str]:
    """The published pipelines of a test whose definitions count as stored."""
    definitions = DefinitionStore(open_store(server.store.as_uri()))
    publications = [definitions.get(digest).publication for digest in definitions.stored()]
    return {each.name for each in publications if each is not None and each.name.startswith(mark)}


def rows(publisher: Publisher, mark: str) -> dict[str, dict[str, Any]]:
    """The published pipelines of a test by name."""
    found = publisher.read("pipelines?limit=1000")["pipelines"]
    return {each["name"]: each for each in found if each["name"].startswith(mark)}


def dags(publisher: Publisher, mark: str) -> set[str]:
    """The DAGs of published pipelines of a test that Airflow has."""
    path = f"{publisher.server.url}/api/v2/dags"
    answer = publisher.http.get(path, params={"dag_id_pattern": mark, "limit": 1000, "exclude_stale": "true"})
    return {each["dag_id"] for each in answer.raise_for_status().json()["dags"]}


def test_publishing(do: Do, publisher: Publisher, server: ApiServer) -> None:
    """Row and DAG are there together or not at all; what is there can be run; what is not can be published again."""
    mark = f"k{uuid4().hex[:8]}"
    body = {"workspace": WORKSPACE, "graph": graph().model_dump(mode="json")}
    deaths = until_it_lives(do, "publish", lambda number: {**body, "name": f"{mark}-{number}"})
    assert deaths > 10

    there = rows(publisher, mark)
    assert {each["dag_id"] for each in there.values()} == dags(publisher, mark)
    assert names_stored(server, mark) <= set(there), "what is stored would be listed when an index is made anew"
    digests = {digest16_of_dag_id(each["dag_id"]) for each in there.values()}
    unlisted = digests - listed(server)
    assert unlisted, "no process died between the transaction and the index, so that is not tried"

    # The DAG processor drops what is not listed. A server that starts lists it, and a run is made all the same.
    for each in there.values():
        if digest16_of_dag_id(each["dag_id"]) in unlisted:
            server.act("make_stale", dag_id=each["dag_id"])
    first, *others = there.values()
    assert publisher.start(first)["pipeline_id"] == first["id"]
    assert do("begin_serving") == 0
    assert digests <= listed(server)
    assert names_stored(server, mark) == set(there)
    for each in others:
        assert publisher.start(each)["status"] == "NotStarted"
    assert dags(publisher, mark) == {each["dag_id"] for each in there.values()}

    for number in range(1, deaths + 1):
        name = f"{mark}-{number}"
        if name not in there:
            assert publisher.publish(name=name)["name"] == name
    again = rows(publisher, mark)
    assert len(again) == deaths + 1
    assert {each["dag_id"] for each in again.values()} == dags(publisher, mark)


@pytest.fixture
def no_processor(bench: Bench) -> Iterator[None]:
    """A server that cannot write DAGs itself, as no DAG processor has run since Airloom's bundle was configured."""
    bench.server.act("use_bundle", name="airloom", active=False)
    yield
    bench.server.act("use_bundle", name="airloom", active=True)


@pytest.mark.usefixtures("no_processor")
def test_publishing_where_the_dag_is_left_to_the_processor(do: Do, publisher: Publisher, server: ApiServer) -> None:
    """A row may be there before its DAG: then it is listed, or will be when a server starts, and can be run."""
    mark = f"w{uuid4().hex[:8]}"
    body = {"workspace": WORKSPACE, "graph": graph().model_dump(mode="json")}
    deaths = -until_it_lives(do, "publish", lambda number: {**body, "name": f"{mark}-{number}"})
    assert deaths > 5, "it should have failed at last, as there is no processor"

    there = rows(publisher, mark)
    assert there and f"{mark}-{deaths}" not in there, "what has failed is gone"
    assert dags(publisher, mark) == set()
    assert do("begin_serving") == 0
    digests = {digest16_of_dag_id(each["dag_id"]) for each in there.values()}
    assert digests <= listed(server)

    server.act("use_bundle", name="airloom", active=True)
    some = next(iter(there.values()))
    publisher.bench.parse(some["dag_id"], times=1)
    assert some["dag_id"] in dags(publisher, mark)
    for each in there.values():
        assert publisher.start(each)["pipeline_id"] == each["id"]


def test_starting(do: Do, publisher: Publisher) -> None:
    """The same request, sent again after each death, makes one run."""
    pipeline = publisher.publish(name=f"s{uuid4().hex[:8]}")
    mark = uuid4().hex

    def asked(number: int) -> dict[str, Any]:
        return {
            "workspace": WORKSPACE,
            "pipeline_id": pipeline["id"],
            "experiment": f"{EXPERIMENT} {mark} {number}",
            "idempotency_key": f"{mark} {number}",
        }

    deaths = until_it_lives(do, "start", asked)
    assert deaths > 2
    for number in range(1, deaths + 2):
        assert do("start", **asked(number)) == 0
    runs = [run for run in publisher.read("runs?limit=1000")["runs"] if run["pipeline_id"] == pipeline["id"]]
    assert len(runs) == deaths + 1
    assert len({run["experiment"] for run in runs}) == deaths + 1
    assert {run["status"] for run in runs} == {"NotStarted"}
