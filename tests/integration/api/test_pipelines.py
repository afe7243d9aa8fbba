"""Published pipelines: published, found, run again and again, disabled; and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from airloom.graph.model import ParameterDef
from tests.integration.api.bench import EXPERIMENT, WORKSPACE, Bench, as_body, graph
from tests.integration.api.publisher import Publisher
from tests.integration.api.server import ApiServer
from tests.support.builders import a_path


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.fixture
def publisher(bench: Bench) -> Publisher:
    return Publisher(bench)


def test_publish(publisher: Publisher, server: ApiServer) -> None:
    """All that was given is told again, and Airflow has a DAG with it."""
    pipeline = publisher.publish(description="Of *cars*", version="v 1", tags={"team": "a"}, properties={"p": "q"})
    assert pipeline == publisher.read(f"pipelines/{pipeline['id']}")
    assert (pipeline["name"], pipeline["version"], pipeline["description"]) == ("Prices", "v 1", "Of *cars*")
    assert (pipeline["status"], pipeline["created_by"]) == ("Active", "user")
    assert (pipeline["tags"], pipeline["properties"]) == ({"team": "a"}, {"p": "q"})
    assert (pipeline["total_steps"], pipeline["steps"]) == (2, ["Prepare data", "train"])
    assert pipeline["parameters"] == [{"name": "rate", "type": "int", "default": 10}]
    assert pipeline["url"] == f"{server.url}/dags/{pipeline['dag_id']}"
    assert pipeline["endpoint"].startswith(f"{server.url}/pipelines/v1.0/subscriptions/")
    assert pipeline["endpoint"].endswith(f"/workspaces/{WORKSPACE}/PipelineRuns/PipelineSubmit/{pipeline['id']}")
    assert publisher.read(f"pipelines/{pipeline['id']}/graph")["graph"] == graph().model_dump(mode="json")
    dag = publisher.http.get(f"{server.url}/api/v2/dags/{pipeline['dag_id']}/details").json()
    assert dag["dag_display_name"] == "Prices · v 1"
    assert dag["owners"] == ["user"]
    assert {tag["name"] for tag in dag["tags"]} >= {"airloom", "published", "pipeline:Prices", "team:a"}


def test_same_pipeline_published_twice(publisher: Publisher) -> None:
    """They are two pipelines, each with a DAG of its own, of one graph."""
    first, second = publisher.publish(), publisher.publish()
    assert first["id"] != second["id"] and first["dag_id"] != second["dag_id"]
    assert first["graph_digest"] == second["graph_digest"]
    listed = [each["id"] for each in publisher.read("pipelines")["pipelines"]]
    assert listed.index(second["id"]) < listed.index(first["id"])


def test_start(publisher: Publisher, server: ApiServer) -> None:
    """The run has what was given; Airflow's run has the parameters and what else its tasks must know."""
    pipeline = publisher.publish()
    run = publisher.start(
        pipeline, parameters={"rate": "45"}, tags={"a": "b"}, source="HTTP", continue_on_step_failure=True
    )
    assert (run["parameters"], run["tags"], run["experiment"]) == ({"rate": 45}, {"a": "b"}, EXPERIMENT)
    assert (run["pipeline_id"], run["source"], run["dag_id"]) == (pipeline["id"], "HTTP", pipeline["dag_id"])
    airflow_run = publisher.http.get(f"{server.url}/api/v2/dags/{run['dag_id']}/dagRuns/{run['id']}").json()
    own = {"experiment": EXPERIMENT, "continue_on_step_failure": True}
    assert airflow_run["conf"] == {"rate": 45, "airloom.reuse": "auto", "airloom.run": own}
    assert publisher.start(pipeline)["parameters"] == {"rate": 10}


def test_publish_the_pipeline_of_a_run(bench: Bench, publisher: Publisher) -> None:
    pipeline = publisher.done(
        publisher.ask("POST", "pipelines", {"name": "of a run", "run_id": bench.submit(parameters={"rate": 3})})
    )
    assert publisher.read(f"pipelines/{pipeline['id']}/graph")["graph"] == graph().model_dump(mode="json")


def test_disabled(publisher: Publisher) -> None:
    """It is not listed among the active ones and cannot be run, until it is enabled again."""
    pipeline = publisher.publish()
    address = f"pipelines/{pipeline['id']}"
    assert publisher.done(publisher.ask("PATCH", address, {"status": "Disabled"}), 200)["status"] == "Disabled"
    before = publisher.count_runs()
    refused = publisher.ask("POST", f"{address}/runs", {"experiment": "x"})
    assert (refused.status_code, refused.json()["Error"]["Code"]) == (409, "Conflict")
    assert publisher.count_runs() == before
    assert pipeline["id"] not in {each["id"] for each in publisher.read("pipelines")["pipelines"]}
    everything = publisher.read("pipelines?active_only=false&limit=1000")["pipelines"]
    assert pipeline["id"] in {each["id"] for each in everything}
    publisher.done(publisher.ask("PATCH", address, {"status": "Active"}), 200)
    publisher.start(pipeline)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"parameters": {"rat": 1}}, 400, "There is no pipeline parameter 'rat'. Did you mean 'rate'"),
        ({"parameters": {"rate": "fast"}}, 400, "Parameter 'rate' expects int"),
        ({"parameters": {"rate": None}}, 400, "Parameter 'rate' expects int"),
        ({"parameters": {"rate": 1.5}}, 400, "Parameter 'rate' expects int"),
        ({"experiment": "a/b"}, 400, "cannot be the name of an experiment"),
        ({"experiment": None}, 400, "experiment"),
        ({"surplus": 1}, 400, "surplus"),
        ({"tags": {"a": "\0"}}, 400, "NUL"),
        ({"description": "\ud800"}, 400, "surrogate"),
        ({"source": "Nobody"}, 400, "source"),
        ({"parameters": {"rate": deep(70)}}, 400, "nested more than 64 levels deep"),
        ({"parameters": {"rate": deep(900)}}, 400, "nested more than 64 levels deep"),
    ],
)
def test_wrong_runs(publisher: Publisher, body: dict[str, Any], status: int, message: str) -> None:
    """What is wrong with a call is said, in the one shape of errors, and nothing is made."""
    pipeline = publisher.publish()
    before = publisher.count_runs()
    answer = publisher.ask("POST", f"pipelines/{pipeline['id']}/runs", {"experiment": "x", **body})
    assert answer.status_code == status
    assert message in answer.json()["Error"]["Message"]
    assert publisher.count_runs() == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": ""}, "cannot be the name of a pipeline"),
        ({"name": "a/b"}, "cannot be the name of a pipeline"),
        ({"name": "x" * 256}, "cannot be the name of a pipeline"),
        ({"name": "x", "version": "v" * 256}, "version"),
        ({"name": "x", "experiment": "a/b"}, "cannot be the name of an experiment"),
        ({"name": "x", "graph": None}, "either a graph or the id of a run"),
        ({"name": "x", "run_id": "y"}, "either a graph or the id of a run"),
        ({"name": "x", "graph": {"format": 7}}, "format"),
        ({"name": "x", "graph": {"steps": []}}, "step"),
    ],
)
def test_wrong_publishing(publisher: Publisher, body: dict[str, Any], message: str) -> None:
    before = publisher.read("pipelines?limit=1000")["pipelines"]
    answer = publisher.ask("POST", "pipelines", {"graph": graph().model_dump(mode="json"), **body})
    assert answer.status_code == 400
    assert message in answer.json()["Error"]["Message"]
    assert publisher.read("pipelines?limit=1000")["pipelines"] == before


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/graph"), ("PATCH", ""), ("POST", "/runs")])
def test_pipeline_that_there_is_not(publisher: Publisher, method: str, path: str) -> None:
    body = {"PATCH": {"status": "Active"}, "POST": {"experiment": "x"}}.get(method)
    answer = publisher.ask(method, f"pipelines/{uuid4()}{path}", body)
    assert (answer.status_code, answer.json()["Error"]["Code"]) == (404, "NotFound")


def test_data_for_a_run(publisher: Publisher) -> None:
    """A path on a datastore that the workspace has not is refused."""
    path = ParameterDef(name="data", type="datapath", default=a_path("workspaceblobstore/x"))
    made = graph(parameters=(*graph().parameters, path))
    pipeline = publisher.publish(graph=made.model_dump(mode="json"))
    given = a_path("workspaceblobstore/y").model_dump(mode="json")
    assert publisher.start(pipeline, parameters={"data": given})["parameters"]["data"] == given
    elsewhere = {"experiment": "x", "parameters": {"data": a_path("elsewhere/x").model_dump(mode="json")}}
    answer = publisher.ask("POST", f"pipelines/{pipeline['id']}/runs", elsewhere)
    assert answer.status_code == 400 and "'elsewhere'" in answer.json()["Error"]["Message"]


# --- the same request again -------------------------------------------------------------------------------------


def test_repeated_request_makes_no_second_run(publisher: Publisher) -> None:
    """The same key and request give the first run, as a new one is answered; another request is refused."""
    pipeline, other = publisher.publish(), publisher.publish()
    headers = {"Idempotency-Key": uuid4().hex}
    address = f"pipelines/{pipeline['id']}/runs"
    body = {"experiment": EXPERIMENT, "parameters": {"rate": 2}}
    first, again = (publisher.ask("POST", address, body, headers=headers) for _ in range(2))
    assert publisher.done(first)["id"] == publisher.done(again)["id"]
    for path, changed in (
        (address, {**body, "parameters": {"rate": 3}}),
        (address, {**body, "experiment": "other"}),
        (f"pipelines/{other['id']}/runs", body),
    ):
        refused = publisher.ask("POST", path, changed, headers=headers)
        assert (refused.status_code, refused.json()["Error"]["Target"]) == (409, "Idempotency-Key")


def test_same_request_from_many_at_once(publisher: Publisher) -> None:
    """The database lets one of them make the run; all are given it, and Airflow has no other."""
    pipeline = publisher.publish(name="wanted by many")
    headers = {"Idempotency-Key": uuid4().hex}
    address = f"pipelines/{pipeline['id']}/runs"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: publisher.ask("POST", address, {"experiment": "new"}, headers), range(8)))
    (run_id,) = {publisher.done(answer)["id"] for answer in answers}
    runs = f"{publisher.server.url}/api/v2/dags/{pipeline['dag_id']}/dagRuns"
    assert [each["dag_run_id"] for each in publisher.http.get(runs).json()["dag_runs"]] == [run_id]


def test_disabled_while_many_submit(publisher: Publisher) -> None:
    """Each submit is done or refused, and once it is disabled no run comes to be."""
    pipeline = publisher.publish(name="soon disabled")
    address = f"pipelines/{pipeline['id']}"
    with ThreadPoolExecutor(6) as pool:
        submits = [pool.submit(publisher.ask, "POST", f"{address}/runs", {"experiment": "x"}) for _ in range(12)]
        disabled = pool.submit(publisher.ask, "PATCH", address, {"status": "Disabled"})
    assert disabled.result().status_code == 200
    statuses = [submit.result().status_code for submit in submits]
    assert set(statuses) <= {201, 409}
    made = [run for run in publisher.read("runs?limit=1000")["runs"] if run["pipeline_id"] == pipeline["id"]]
    assert len(made) == statuses.count(201)
    assert publisher.ask("POST", f"{address}/runs", {"experiment": "x"}).status_code == 409


def test_repeated_submit_of_a_graph(publisher: Publisher) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    path = f"experiments/{EXPERIMENT}/runs"
    first, again = (publisher.done(publisher.ask("POST", path, as_body(graph()), headers=headers)) for _ in range(2))
    assert first["id"] == again["id"]
    refused = publisher.ask("POST", path, as_body(graph(description="other")), headers=headers)
    assert refused.status_code == 409


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_what_is_no_key(publisher: Publisher, key: str) -> None:
    pipeline = publisher.publish()
    body = {"experiment": EXPERIMENT}
    answer = publisher.ask("POST", f"pipelines/{pipeline['id']}/runs", body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["Error"]["Code"]) == (400, "BadRequest")
