"""Endpoints: versions, the default, names that are freed, and several who change one at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api.bench import EXPERIMENT, WORKSPACE, Bench
from tests.integration.api.publisher import Publisher
from tests.integration.api.server import ApiServer


@pytest.fixture(scope="session")
def publisher(bench: Bench) -> Publisher:
    return Publisher(bench)


@pytest.fixture(scope="session")
def pipelines(publisher: Publisher) -> list[str]:
    """The ids of two pipelines."""
    return [publisher.publish(name=name)["id"] for name in ("first", "second")]


@pytest.fixture
def endpoint(publisher: Publisher, pipelines: list[str]) -> dict[str, Any]:
    """A new endpoint with one version."""
    return create(publisher, pipelines[0])


def create(publisher: Publisher, pipeline_id: str, **fields: Any) -> dict[str, Any]:
    body = {"name": f"prices {uuid4().hex}", "pipeline_id": pipeline_id, **fields}
    return publisher.done(publisher.ask("POST", "endpoints", body))


def change(publisher: Publisher, endpoint: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return publisher.done(publisher.ask("PATCH", f"endpoints/{endpoint['id']}", fields), 200)


def submit(publisher: Publisher, endpoint: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"experiment": EXPERIMENT, **fields}
    return publisher.done(publisher.ask("POST", f"endpoints/{endpoint['id']}/runs", body))


def test_create(publisher: Publisher, pipelines: list[str], server: ApiServer) -> None:
    endpoint = create(publisher, pipelines[0], description="Of cars", tags={"a": "b"}, properties={"c": "d"})
    assert endpoint == publisher.read(f"endpoints/{endpoint['id']}")
    assert (endpoint["status"], endpoint["default_version"]) == ("Active", "0")
    assert endpoint["versions"] == [{"version": "0", "pipeline_id": pipelines[0]}]
    assert (endpoint["description"], endpoint["tags"], endpoint["properties"]) == ("Of cars", {"a": "b"}, {"c": "d"})
    assert endpoint["endpoint"].startswith(f"{server.url}/pipelines/v1.0/subscriptions/")
    assert endpoint["endpoint"].endswith(f"{WORKSPACE}/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint['id']}")
    assert publisher.read(f"endpoints?name={endpoint['name']}")["endpoints"] == [endpoint]


def test_versions(publisher: Publisher, pipelines: list[str], endpoint: dict[str, Any]) -> None:
    """They count from 0; the default is the first one until another is made so; any may be run."""
    address = f"endpoints/{endpoint['id']}/versions"
    added = publisher.done(publisher.ask("POST", address, {"pipeline_id": pipelines[1]}))
    assert [each["version"] for each in added["versions"]] == ["0", "1"]
    assert added["default_version"] == "0"
    assert submit(publisher, endpoint)["pipeline_id"] == pipelines[0]
    assert submit(publisher, endpoint, version="1")["pipeline_id"] == pipelines[1]
    assert change(publisher, endpoint, default_version="1")["default_version"] == "1"
    run = submit(publisher, endpoint, parameters={"rate": "7"})
    assert (run["pipeline_id"], run["endpoint_id"], run["parameters"]) == (pipelines[1], endpoint["id"], {"rate": 7})
    again = publisher.done(publisher.ask("POST", address, {"pipeline_id": pipelines[0], "default": True}))
    assert (again["default_version"], len(again["versions"])) == ("2", 3)


def test_a_repeated_submit_gives_the_first_run_though_the_default_has_changed(
    publisher: Publisher, pipelines: list[str], endpoint: dict[str, Any]
) -> None:
    address, headers = f"endpoints/{endpoint['id']}/runs", {"Idempotency-Key": uuid4().hex}
    first = publisher.done(publisher.ask("POST", address, {"experiment": EXPERIMENT}, headers))
    publisher.ask("POST", f"endpoints/{endpoint['id']}/versions", {"pipeline_id": pipelines[1], "default": True})
    again = publisher.done(publisher.ask("POST", address, {"experiment": EXPERIMENT}, headers))
    assert again["id"] == first["id"]
    refused = publisher.ask("POST", address, {"experiment": EXPERIMENT, "version": "1"}, headers)
    assert refused.status_code == 409


def test_disabled(publisher: Publisher, endpoint: dict[str, Any]) -> None:
    assert change(publisher, endpoint, status="Disabled")["status"] == "Disabled"
    refuse(publisher, "POST", f"endpoints/{endpoint['id']}/runs", {"experiment": EXPERIMENT}, 409, "disabled")
    assert publisher.read(f"endpoints?name={endpoint['name']}")["endpoints"] == []
    assert len(publisher.read(f"endpoints?active_only=false&name={endpoint['name']}")["endpoints"]) == 1
    change(publisher, endpoint, status="Active", description="again")
    assert submit(publisher, endpoint)["status"] == "NotStarted"


def test_default_whose_pipeline_is_disabled(publisher: Publisher) -> None:
    pipeline = publisher.publish(name="off")
    endpoint = create(publisher, pipeline["id"])
    publisher.done(publisher.ask("PATCH", f"pipelines/{pipeline['id']}", {"status": "Disabled"}), 200)
    refuse(publisher, "POST", f"endpoints/{endpoint['id']}/runs", {"experiment": EXPERIMENT}, 409, "'off'")


def test_archive_frees_the_name(publisher: Publisher, pipelines: list[str], endpoint: dict[str, Any]) -> None:
    """Another may have it then; the archived one comes back under a name that is free."""
    name, address = endpoint["name"], f"endpoints/{endpoint['id']}"
    archived = publisher.done(publisher.ask("POST", f"{address}/archive"), 200)
    assert (archived["status"], archived["name"] == name) == ("Disabled", False)
    assert publisher.done(publisher.ask("POST", f"{address}/archive"), 200)["name"] == archived["name"]
    refuse(publisher, "POST", f"{address}/runs", {"experiment": EXPERIMENT}, 409, "disabled or archived")
    other = create(publisher, pipelines[0], name=name)
    assert other["id"] != endpoint["id"]
    refuse(publisher, "POST", f"{address}/reactivate", {"name": name}, 409, "already")
    back = publisher.done(publisher.ask("POST", f"{address}/reactivate", {"name": f"{name} 2"}), 200)
    assert (back["name"], back["status"]) == (f"{name} 2", "Active")
    refuse(publisher, "POST", f"{address}/reactivate", {"name": "x"}, 409, "not archived")
    assert submit(publisher, endpoint)["endpoint_id"] == endpoint["id"]


def refuse(publisher: Publisher, method: str, path: str, body: object, status: int, message: str) -> None:
    answer = publisher.ask(method, path, body)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["Error"]["Message"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"name": ""}, 400, "cannot be the name of an endpoint"),
        ({"name": "a/b"}, 400, "cannot be the name of an endpoint"),
        ({"name": str(uuid4())}, 409, "archived ones are named so"),
        ({"pipeline_id": "nope"}, 404, "no published pipeline 'nope'"),
        ({"surplus": 1}, 400, "surplus"),
    ],
)
def test_wrong_endpoints(
    publisher: Publisher, pipelines: list[str], body: dict[str, Any], status: int, message: str
) -> None:
    before = publisher.read("endpoints?limit=1000")
    refuse(publisher, "POST", "endpoints", {"name": "wrong", "pipeline_id": pipelines[0], **body}, status, message)
    assert publisher.read("endpoints?limit=1000") == before


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"default_version": "7", "description": "x"}, 404, "has no version '7'. It has: 0."),
        ({"default_version": "00"}, 404, "has no version '00'"),
        ({"default_version": "-1"}, 404, "has no version '-1'"),
        ({"default_version": 0}, 400, "default_version"),
        ({"status": "Archived"}, 400, "status"),
        ({"name": "a/b", "status": "Disabled"}, 400, "cannot be the name"),
    ],
)
def test_wrong_changes(
    publisher: Publisher, endpoint: dict[str, Any], body: dict[str, Any], status: int, message: str
) -> None:
    """Of a change that is wrong in one thing nothing is done."""
    refuse(publisher, "PATCH", f"endpoints/{endpoint['id']}", body, status, message)
    assert publisher.read(f"endpoints/{endpoint['id']}") == endpoint


def test_name_that_is_taken(publisher: Publisher, pipelines: list[str], endpoint: dict[str, Any]) -> None:
    other = create(publisher, pipelines[0])
    wanted = {"name": endpoint["name"], "pipeline_id": pipelines[0]}
    refuse(publisher, "POST", "endpoints", wanted, 409, "already")
    refuse(publisher, "PATCH", f"endpoints/{other['id']}", {"name": endpoint["name"]}, 409, "already")


def test_endpoint_that_there_is_not(publisher: Publisher) -> None:
    address = f"endpoints/{uuid4()}"
    for method, path, body in (
        ("GET", address, None),
        ("PATCH", address, {"status": "Active"}),
        ("POST", f"{address}/archive", None),
        ("POST", f"{address}/reactivate", {"name": "x"}),
        ("POST", f"{address}/versions", {"pipeline_id": "x"}),
        ("POST", f"{address}/runs", {"experiment": "x"}),
    ):
        refuse(publisher, method, path, body, 404, "no endpoint")


# --- several at once --------------------------------------------------------------------------------------------


def test_versions_added_at_once(publisher: Publisher, pipelines: list[str], endpoint: dict[str, Any]) -> None:
    """Each has a number of its own, none is left out, and the default is one of those that asked to be it."""
    address = f"endpoints/{endpoint['id']}/versions"

    def add(number: int) -> str:
        body = {"pipeline_id": pipelines[number % 2], "default": number % 2 == 1}
        answer = publisher.ask("POST", address, body)
        return str(publisher.done(answer)["versions"][-1]["version"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    now = publisher.read(f"endpoints/{endpoint['id']}")
    assert [each["version"] for each in now["versions"]] == [str(number) for number in range(9)]
    assert sorted(each["pipeline_id"] for each in now["versions"][1:]) == sorted(pipelines * 4)
    default = {each["version"]: each["pipeline_id"] for each in now["versions"]}[now["default_version"]]
    assert default == pipelines[1]


def test_name_wanted_by_many_at_once(publisher: Publisher, pipelines: list[str]) -> None:
    """One of them gets it; the others are told."""
    body = {"name": f"one {uuid4().hex}", "pipeline_id": pipelines[0]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: publisher.ask("POST", "endpoints", body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {answer.json()["Error"]["Code"] for answer in answers if answer.status_code == 409} == {"AlreadyExists"}


def test_archived_and_changed_at_once(publisher: Publisher, pipelines: list[str]) -> None:
    """Whatever comes first, an endpoint that is archived has freed its name, and can have it again."""
    for _ in range(4):
        endpoint = create(publisher, pipelines[0])
        address = f"endpoints/{endpoint['id']}"
        with ThreadPoolExecutor(3) as pool:
            archived = pool.submit(publisher.ask, "POST", f"{address}/archive")
            renamed = pool.submit(publisher.ask, "PATCH", address, {"description": "x", "default_version": "0"})
            added = pool.submit(publisher.ask, "POST", f"{address}/versions", {"pipeline_id": pipelines[1]})
        assert {renamed.result().status_code, archived.result().status_code} == {200}
        assert added.result().status_code == 201
        now = publisher.read(address)
        assert (now["status"], now["name"] == endpoint["name"], len(now["versions"])) == ("Disabled", False, 2)
        publisher.done(publisher.ask("POST", f"{address}/reactivate", {"name": endpoint["name"]}), 200)
