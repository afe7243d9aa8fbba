"""The DAG of a schedule that watches a folder: an asset with a trigger, and one hand-over at a time."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airloom.operators.triggers.folder_changes import FolderChangesTrigger
from airloom.plugins.schedule_dag import SHORTEST_INTERVAL, build_schedule_dag
from airloom.storage.schedules import DataTrigger, ScheduleDocument
from tests.unit.plugins.test_schedule_dag import MADE, a_document, serialised

DATA = {"datastore": "data", "path": "in/**/*.csv", "polling_interval": 2.5, "since": MADE}


def watching(**changes: Any) -> ScheduleDocument:
    return a_document(clock=None, data=DataTrigger.model_validate({**DATA, **changes.pop("data", {})}), **changes)


def watchers(document: ScheduleDocument) -> list[dict[str, Any]]:
    """The watchers of all assets in the DAG as Airflow stores it."""
    when = DagSerialization.to_dict(build_schedule_dag(document))["dag"]["timetable"]["__var"]
    return [watcher for asset in when["asset_condition"]["objects"] for watcher in asset["watchers"]]


def test_airflow_is_told_what_to_watch() -> None:
    document = watching()
    (watcher,) = watchers(document)
    assert watcher["trigger"]["classpath"] == (f"{FolderChangesTrigger.__module__}.{FolderChangesTrigger.__qualname__}")
    trigger = FolderChangesTrigger(**watcher["trigger"]["kwargs"])
    assert trigger.schedule_id == document.id
    assert trigger.shared_stream_key() == ("default", "data", "in")
    assert trigger.polling_interval == 2.5
    assert trigger.place.path == "in/**/*.csv"


def test_hand_overs_do_not_run_beside_each_other() -> None:
    assert build_schedule_dag(watching()).max_active_runs == 1


def test_nothing_is_watched_for_a_disabled_schedule() -> None:
    assert "FolderChangesTrigger" in serialised(watching())
    assert "FolderChangesTrigger" not in serialised(watching(status="Disabled"))


def test_nobody_is_looked_at_more_often_than_once_a_second() -> None:
    (watcher,) = watchers(watching(data={"polling_interval": 1e-6}))
    assert watcher["trigger"]["kwargs"]["polling_interval"] == SHORTEST_INTERVAL


@pytest.mark.parametrize("change", [{"path": "out"}, {"polling_interval": 3}, {"datastore": "other"}])
def test_another_place_or_pace_makes_another_trigger(change: dict[str, Any]) -> None:
    assert watchers(watching()) != watchers(watching(data=change))
    assert serialised(watching()) == serialised(watching())
