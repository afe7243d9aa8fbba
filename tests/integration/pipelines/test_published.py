"""Published pipelines on a whole server: run by our API, by an endpoint, and by Airflow's own form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airloom.core import Workspace
from airloom.operators.run_context import run_name
from airloom.pipeline.core import Pipeline, PipelineParameter
from airloom.pipeline.steps import PythonScriptStep
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer

API = "/airloom/api/v1/workspaces/default"


@pytest.fixture
def airflow(airloom_server: RunningServer) -> Iterator[AirflowApi]:
    with AirflowApi(airloom_server) as api:
        yield api


def ask(airflow: AirflowApi, method: str, path: str, body: object = None) -> Any:
    content = json.dumps(body).encode() if body is not None else b""
    return airflow.send(method, f"{API}/{path}", content).raise_for_status().json()


def ended(airflow: AirflowApi, run_id: str) -> dict[str, Any]:
    """The run, once it has ended."""
    path = f"runs/{quote(run_id)}"
    eventually(lambda: ask(airflow, "GET", path)["status"] in ("Finished", "Failed", "Canceled"), 120)
    return dict(ask(airflow, "GET", path))


def printed(airflow: AirflowApi, run_id: str) -> str:
    (step,) = ask(airflow, "GET", f"runs/{quote(run_id)}/steps")["steps"]
    answer = airflow.send("GET", f"{API}/runs/{quote(run_id)}/steps/{step['step_id']}/logs/stdout", b"")
    return answer.raise_for_status().text


@pytest.fixture
def pipeline(ws: Workspace, tmp_path: Path, airflow: AirflowApi) -> dict[str, Any]:
    """A published pipeline of one step that prints its parameter; its source was uploaded by a submit."""
    (tmp_path / "main.py").write_text("import sys; print('rate', sys.argv[1])")
    rate = PipelineParameter("rate", 1)
    step = PythonScriptStep("main.py", name="show", arguments=[rate], source_directory=str(tmp_path))
    made = Pipeline(ws, [step])
    made.submit("published").wait_for_completion(show_output=False)
    body = {"name": "Shown", "graph": made.graph.definition.model_dump(mode="json"), "experiment": "by itself"}
    return dict(ask(airflow, "POST", "pipelines", body))


def test_runs_of_a_published_pipeline(airflow: AirflowApi, pipeline: dict[str, Any]) -> None:
    """Each way of running it gives the script its parameter, and a run that can be looked into."""
    started = ask(airflow, "POST", f"pipelines/{pipeline['id']}/runs", {"experiment": "e", "parameters": {"rate": "2"}})
    assert (ended(airflow, started["id"])["status"], printed(airflow, started["id"])) == ("Finished", "rate 2\n")

    endpoint = ask(airflow, "POST", "endpoints", {"name": f"of {pipeline['id']}", "pipeline_id": pipeline["id"]})
    unchanged = {"experiment": "other", "parameters": {"rate": 2}}
    again = ended(airflow, ask(airflow, "POST", f"endpoints/{endpoint['id']}/runs", unchanged)["id"])
    assert (again["status"], again["experiment"], again["endpoint_id"]) == ("Finished", "other", endpoint["id"])
    (step,) = ask(airflow, "GET", f"runs/{again['id']}/steps")["steps"]
    assert (step["reused"], step["reused_from"]["run_id"]) == (True, started["id"])

    dag_id = pipeline["dag_id"]
    by_airflow = airflow.trigger(dag_id, rate=3)
    name = run_name(dag_id, by_airflow)
    assert name != by_airflow, "Airflow's ids are none of ours"
    adopted = ended(airflow, name)
    assert (adopted["status"], adopted["experiment"], adopted["parameters"]) == ("Finished", "by itself", {"rate": 3})
    assert printed(airflow, name) == "rate 3\n"
    listed = {run["id"] for run in ask(airflow, "GET", "runs")["runs"] if run["pipeline_id"] == pipeline["id"]}
    assert listed == {started["id"], again["id"], name}
