"""Lineage of real runs: Airflow's assets and who uses them, and the events that the OpenLineage provider emits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer
from tests.support.small_pipeline import SmallPipeline

pytestmark = pytest.mark.integration


def assets(airflow: AirflowApi) -> dict[str, dict[str, Any]]:
    """Airflow's assets by name."""
    return {asset["name"]: asset for asset in airflow.get("/assets?limit=100")["assets"]}


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_who_reads_and_writes_what_is_seen_in_airflow_and_told_to_openlineage(
    server: RunningServer, airflow: AirflowApi, events_file: Path, tmp_path: Path
) -> None:
    pipeline = SmallPipeline(server.workspace(), tmp_path)
    pipeline.prepare()
    run = pipeline.run()
    dag_id = server.workspace()._client.get_run("default", run.id)["dag_id"]

    found = assets(airflow)
    outputs = {name.rpartition("/")[0].rpartition("/")[2]: name for name in found if "/outputs/" in name}
    assert sorted(outputs) == ["clean", "score", "train"]
    (raw,) = (name for name in found if "/datastores/" in name)
    model = found[outputs["train"]]
    assert [(task["dag_id"], task["task_id"]) for task in model["producing_tasks"]] == [(dag_id, "train")]
    assert [(task["dag_id"], task["task_id"]) for task in model["consuming_tasks"]] == [(dag_id, "score")]
    assert [task["task_id"] for task in found[raw]["consuming_tasks"]] == ["clean"]
    written = airflow.get(f"/assets/events?asset_id={model['id']}")["asset_events"]
    assert [(event["source_dag_id"], event["source_task_id"]) for event in written] == [(dag_id, "train")]

    def complete() -> dict[str, dict[str, Any]]:
        done = [event for event in events(events_file) if event["eventType"] == "COMPLETE"]
        return {event["job"]["name"].rpartition(".")[2]: event for event in done}

    eventually(lambda: {"clean", "train", "score"} <= complete().keys())
    train = complete()["train"]
    assert [dataset["name"] for dataset in train["inputs"]] == [outputs["clean"]]
    (dataset,) = train["outputs"]
    assert (dataset["namespace"], dataset["name"]) == ("airloom", outputs["train"])
    digest = dataset["facets"]["version"]["datasetVersion"]
    assert len(digest) == 64
    assert dataset["outputFacets"]["outputStatistics"]["size"] > 0


def test_submitting_a_changed_pipeline_makes_no_new_assets(
    server: RunningServer, airflow: AirflowApi, tmp_path: Path
) -> None:
    pipeline = SmallPipeline(server.workspace(), tmp_path)
    pipeline.prepare()
    first = pipeline.run()
    before = {name: asset["id"] for name, asset in assets(airflow).items()}
    changed = SmallPipeline(server.workspace(), tmp_path, name=pipeline.name, train={"version": "2"})
    second = changed.run()
    client = server.workspace()._client
    dags = [client.get_run("default", run.id)["dag_id"] for run in (first, second)]
    assert dags[0] != dags[1]
    assert {name: asset["id"] for name, asset in assets(airflow).items()} == before
