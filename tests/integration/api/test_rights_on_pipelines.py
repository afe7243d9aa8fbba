"""Who may do what with one published pipeline: that is decided on its DAG, by Airflow's auth manager.

The auth manager of these tests keeps DAGs whose names begin with `secret` from everybody but administrators.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api.bench import EXPERIMENT, Bench, as_body, graph
from tests.integration.api.publisher import Publisher

GRAPH = graph().model_dump(mode="json")


@pytest.fixture(scope="session")
def boss(bench: Bench) -> Publisher:
    return Publisher(bench, "admin")


@pytest.fixture(scope="session")
def user(bench: Bench) -> Publisher:
    return Publisher(bench, "user")


@pytest.fixture(scope="session")
def secret(boss: Publisher) -> dict[str, Any]:
    """A pipeline that the user must not know of."""
    return boss.publish(name="secret")


@pytest.fixture(scope="session")
def secret_endpoint(boss: Publisher, secret: dict[str, Any]) -> dict[str, Any]:
    """An endpoint whose default the user must not know of; he may run its other version."""
    open_one = boss.publish(name="open")
    body = {"name": f"hidden {uuid4().hex}", "pipeline_id": secret["id"]}
    made = boss.done(boss.ask("POST", "endpoints", body))
    return boss.done(boss.ask("POST", f"endpoints/{made['id']}/versions", {"pipeline_id": open_one["id"]}))


@pytest.fixture
def own_endpoint(user: Publisher) -> dict[str, Any]:
    body = {"name": f"own {uuid4().hex}", "pipeline_id": user.publish(name="own")["id"]}
    return user.done(user.ask("POST", "endpoints", body))


def refused(publisher: Publisher, method: str, path: str, body: object = None) -> None:
    answer = publisher.ask(method, path, body)
    assert (answer.status_code, answer.json()["Error"]["Code"]) == (403, "Forbidden")


def test_who_may_not_read_the_dag_learns_nothing(user: Publisher, boss: Publisher, secret: dict[str, Any]) -> None:
    assert secret["id"] in {each["id"] for each in boss.read("pipelines?limit=1000")["pipelines"]}
    assert secret["id"] not in {each["id"] for each in user.read("pipelines?limit=1000")["pipelines"]}
    for path in (f"pipelines/{secret['id']}", f"pipelines/{secret['id']}/graph"):
        refused(user, "GET", path)


def test_who_may_not_run_the_dag_cannot_submit(user: Publisher, boss: Publisher, secret: dict[str, Any]) -> None:
    before = len(boss.read("runs?limit=1000")["runs"])
    refused(user, "POST", f"pipelines/{secret['id']}/runs", {"experiment": "x"})
    refused(user, "PATCH", f"pipelines/{secret['id']}", {"status": "Disabled"})
    assert len(boss.read("runs?limit=1000")["runs"]) == before
    assert boss.read(f"pipelines/{secret['id']}")["status"] == "Active"
    assert boss.start(secret)["pipeline_id"] == secret["id"]


def test_who_may_not_run_the_new_dag_cannot_publish(user: Publisher, boss: Publisher) -> None:
    before = len(boss.read("pipelines?limit=1000")["pipelines"])
    refused(user, "POST", "pipelines", {"name": "secret", "graph": GRAPH})
    assert len(boss.read("pipelines?limit=1000")["pipelines"]) == before


def test_the_pipeline_of_a_run_that_one_may_not_read(user: Publisher, boss: Publisher) -> None:
    run = boss.done(boss.ask("POST", "experiments/secret/runs", as_body(graph())))
    refused(user, "POST", "pipelines", {"name": "stolen", "run_id": run["id"]})


def test_viewers_see_and_do_nothing(bench: Bench, user: Publisher) -> None:
    viewer = Publisher(bench, "viewer")
    pipeline = user.publish(name="to be seen")
    assert viewer.read(f"pipelines/{pipeline['id']}") == pipeline
    for method, path, body in (
        ("POST", "pipelines", {"name": "x", "graph": GRAPH}),
        ("PATCH", f"pipelines/{pipeline['id']}", {"status": "Disabled"}),
        ("POST", f"pipelines/{pipeline['id']}/runs", {"experiment": "x"}),
        ("POST", "endpoints", {"name": "x", "pipeline_id": pipeline["id"]}),
    ):
        refused(viewer, method, path, body)


def test_endpoints_of_what_one_may_not_read(user: Publisher, secret_endpoint: dict[str, Any]) -> None:
    """What counts is the version that is asked for, and for the endpoint itself its default."""
    address = f"endpoints/{secret_endpoint['id']}"
    assert user.read(f"endpoints?name={secret_endpoint['name']}")["endpoints"] == []
    refused(user, "GET", address)
    refused(user, "PATCH", address, {"default_version": "1"})
    refused(user, "POST", f"{address}/archive")
    refused(user, "POST", f"{address}/runs", {"experiment": EXPERIMENT})
    allowed = user.ask("POST", f"{address}/runs", {"experiment": EXPERIMENT, "version": "1"})
    assert allowed.status_code == 201


def test_endpoints_cannot_be_made_of_what_one_may_not_run(
    user: Publisher, boss: Publisher, secret: dict[str, Any], own_endpoint: dict[str, Any]
) -> None:
    """Nor can a version be added or made the default; else submitting it would say what is in it."""
    refused(user, "POST", "endpoints", {"name": "mine", "pipeline_id": secret["id"]})
    address = f"endpoints/{own_endpoint['id']}"
    refused(user, "POST", f"{address}/versions", {"pipeline_id": secret["id"]})
    boss.done(boss.ask("POST", f"{address}/versions", {"pipeline_id": secret["id"]}))
    refused(user, "PATCH", address, {"default_version": "1"})
    refused(user, "POST", f"{address}/runs", {"experiment": EXPERIMENT, "version": "1"})
    assert user.read(address)["default_version"] == "0"


def test_runs_of_what_one_may_not_read(user: Publisher, boss: Publisher, secret: dict[str, Any]) -> None:
    run = boss.start(secret)
    refused(user, "GET", f"runs/{run['id']}")
    assert run["id"] not in {each["id"] for each in user.read("runs?limit=1000")["runs"]}


def test_key_of_somebody_elses_run(user: Publisher, boss: Publisher, secret: dict[str, Any]) -> None:
    """A key is no way to a run that one may not make."""
    headers, body = {"Idempotency-Key": uuid4().hex}, {"experiment": "x"}
    address = f"pipelines/{secret['id']}/runs"
    boss.done(boss.ask("POST", address, body, headers))
    assert user.ask("POST", address, body, headers).status_code == 403
