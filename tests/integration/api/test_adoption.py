"""Runs of published pipelines that Airflow made by itself: its form checks what is given, and we have them too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from airloom.graph.model import ParameterDef
from airloom.operators.run_context import run_name
from tests.integration.api.bench import WORKSPACE, Bench, graph
from tests.integration.api.publisher import Publisher
from tests.integration.api.test_pages import get
from tests.integration.pages.html import Page
from tests.support.builders import a_path

PARAMETERS = (
    ParameterDef(name="rate", type="int", default=10),
    ParameterDef(name="share", type="float", default=0.5),
    ParameterDef(name="fast", type="bool", default=True),
    ParameterDef(name="title", type="string", default="cars"),
    ParameterDef(name="data", type="datapath", default=a_path("workspaceblobstore/x")),
)


@pytest.fixture(scope="session")
def publisher(bench: Bench) -> Publisher:
    return Publisher(bench)


@pytest.fixture(scope="session")
def pipeline(publisher: Publisher) -> dict[str, Any]:
    """A published pipeline with a parameter of each kind."""
    return publisher.publish(name="By Airflow", graph=graph(parameters=PARAMETERS).model_dump(mode="json"))


def trigger(publisher: Publisher, dag_id: str, run_id: str | None = None, **conf: object) -> httpx.Response:
    """Do what Airflow's own form does."""
    url = f"{publisher.server.url}/api/v2/dags/{dag_id}/dagRuns"
    referer = {"referer": f"{publisher.server.url}/dags/{dag_id}"}
    body = {"logical_date": None, "conf": conf, **({"dag_run_id": run_id} if run_id else {})}
    return publisher.http.post(url, json=body, headers=referer)


def triggered(publisher: Publisher, dag_id: str, run_id: str | None = None, **conf: object) -> str:
    """The name that we give to a run that Airflow's form has made."""
    answer = trigger(publisher, dag_id, run_id, **conf).raise_for_status()
    return run_name(dag_id, answer.json()["dag_run_id"])


def test_airflows_form_has_the_parameters(publisher: Publisher, pipeline: dict[str, Any]) -> None:
    details = f"{publisher.server.url}/api/v2/dags/{pipeline['dag_id']}/details"
    params = publisher.http.get(details).raise_for_status().json()["params"]
    assert {name: param["schema"]["type"] for name, param in params.items() if name != "airloom.reuse"} == {
        "rate": "integer",
        "share": "number",
        "fast": "boolean",
        "title": "string",
        "data": "object",
    }
    assert params["airloom.reuse"]["schema"]["enum"] == ["auto", "off", "refresh"]
    assert params["data"]["value"] == a_path("workspaceblobstore/x").model_dump(mode="json")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "fast"),
        ("rate", 1.5),
        ("rate", None),
        ("share", "much"),
        ("fast", "yes"),
        ("title", 7),
        ("data", "a/path"),
        ("data", {"kind": "files"}),
        ("data", {"location": {"datastore": ""}}),
        ("airloom.reuse", "sometimes"),
    ],
)
def test_airflows_form_refuses_wrong_values(
    publisher: Publisher, pipeline: dict[str, Any], name: str, value: object
) -> None:
    answer = trigger(publisher, pipeline["dag_id"], **{name: value})
    assert (answer.status_code, name in answer.text) == (400, True)


def test_a_run_from_airflows_form(publisher: Publisher, pipeline: dict[str, Any]) -> None:
    """It is found by its name, though nobody has listed runs; with what was given and who it was."""
    name = triggered(publisher, pipeline["dag_id"], rate=3.0, **{"airloom.reuse": "off"})
    run = publisher.read(f"runs/{quote(name)}")
    assert (run["pipeline_id"], run["experiment"], run["source"]) == (pipeline["id"], "By Airflow", "Portal")
    assert (run["status"], run["reuse"], run["created_by"]) == ("NotStarted", "off", "user")
    assert (run["parameters"]["rate"], run["parameters"]["title"]) == (3, "cars")
    assert len(publisher.read(f"runs/{quote(name)}/steps")["steps"]) == 2
    assert publisher.http.get(run["url"]).status_code == 200
    canceled = publisher.done(publisher.ask("POST", f"runs/{quote(name)}/cancel"), 200)
    assert canceled["status"] == "Canceled"


def test_what_the_conf_says_of_the_run(publisher: Publisher, pipeline: dict[str, Any]) -> None:
    own = {
        "experiment": "from elsewhere",
        "source": "HTTP",
        "tags": {"a": "b"},
        "properties": {"c": "d"},
        "description": "text",
        "continue_on_step_failure": True,
    }
    run = publisher.read(f"runs/{quote(triggered(publisher, pipeline['dag_id'], **{'airloom.run': own}))}")
    assert {name: run[name] for name in own} == own


@pytest.mark.parametrize(
    "own",
    [
        {"experiment": "a/b", "tags": ["x"], "description": 7, "continue_on_step_failure": "yes"},
        {"experiment": "", "schedule_id": str(uuid4()), "endpoint_id": str(uuid4()), "source": "Schedule"},
        {"experiment": {"a": 1}, "schedule_id": 7, "endpoint_id": [], "source": 3, "tags": {"a": 1}},
        "text",
        7,
    ],
)
def test_what_does_not_fit_in_the_conf_is_passed_over(
    publisher: Publisher, pipeline: dict[str, Any], own: object
) -> None:
    """Whoever may trigger the DAG may write anything there."""
    run = publisher.read(f"runs/{quote(triggered(publisher, pipeline['dag_id'], **{'airloom.run': own}))}")
    assert (run["experiment"], run["source"], run["tags"]) == ("By Airflow", "Portal", {})
    assert (run["schedule_id"], run["endpoint_id"], run["description"]) == (None, None, "")
    assert run["continue_on_step_failure"] is None


def test_a_run_of_an_endpoint(publisher: Publisher, pipeline: dict[str, Any]) -> None:
    """It counts as one of the endpoint if the pipeline is a version of it."""
    body = {"name": f"e {uuid4().hex}", "pipeline_id": pipeline["id"]}
    endpoint = publisher.done(publisher.ask("POST", "endpoints", body))
    own = {"airloom.run": {"endpoint_id": endpoint["id"]}}
    assert publisher.read(f"runs/{quote(triggered(publisher, pipeline['dag_id'], **own))}")["endpoint_id"]
    other = publisher.publish(name="Not of it")
    assert publisher.read(f"runs/{quote(triggered(publisher, other['dag_id'], **own))}")["endpoint_id"] is None


def test_many_who_look_at_once(publisher: Publisher) -> None:
    """Each run gets one row."""
    pipeline = publisher.publish(name="Looked for")
    names = {triggered(publisher, pipeline["dag_id"], f"manual__{number}") for number in range(6)}
    with ThreadPoolExecutor(6) as pool:
        lists = list(pool.map(lambda _: publisher.read("runs?limit=1000")["runs"], range(6)))
    for runs in lists:
        assert sorted(run["id"] for run in runs if run["pipeline_id"] == pipeline["id"]) == sorted(names)


def test_a_run_with_the_id_of_another(publisher: Publisher, pipeline: dict[str, Any]) -> None:
    """A user of Airflow may choose ids as he likes; he hides no run by that, and takes none over."""
    run = publisher.start(pipeline)
    other = publisher.publish(name="A thief")
    assert trigger(publisher, other["dag_id"], run["id"]).status_code == 200
    assert publisher.read(f"runs/{run['id']}")["pipeline_id"] == pipeline["id"]
    fine = triggered(publisher, other["dag_id"])
    assert fine in {each["id"] for each in publisher.read("runs?limit=1000")["runs"]}


def test_the_page_of_a_run_from_airflows_form(bench: Bench, publisher: Publisher, pipeline: dict[str, Any]) -> None:
    """It is found by Airflow's id, as in the tab of Airflow's UI, and by ours."""
    run_id = "manual__2030-02-02T00:00:00+00:00"
    trigger(publisher, pipeline["dag_id"], run_id, rate=4).raise_for_status()
    name = run_name(pipeline["dag_id"], run_id)
    by_airflow = f"/airloom/runs/{quote(run_id)}?dag_id={pipeline['dag_id']}"
    for address in (by_airflow, f"/airloom/runs/{name}", f"/airloom/runs/{name}?dag_id={pipeline['dag_id']}"):
        answer = get(bench, address, "viewer")
        assert answer.status_code == 200, answer.text
        page = Page(answer.text)
        assert "Pipeline By Airflow" in page.text and "rate 4" in page.text
        assert quote(run_id, safe="") in answer.text, "links to Airflow's pages bear Airflow's id"
    assert get(bench, f"/airloom/runs/{name}?dag_id=another", "viewer").status_code == 404
    assert WORKSPACE in page.text
