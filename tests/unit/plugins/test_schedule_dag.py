"""The DAG of a schedule: one task and a timetable, the same bytes every time, found by the bundle."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID
from airflow.serialization.serialized_objects import DagSerialization

from airloom.errors import IntegrityError, InvalidName, NotFound
from airloom.graph.recurrence import Recurrence
from airloom.plugins.dag_bundle import AirloomDagBundle, load_schedules
from airloom.plugins.loader_files import schedule_file
from airloom.plugins.schedule_dag import TASK, build_schedule_dag
from airloom.storage.object_store import open_store
from airloom.storage.schedules import (
    SHARDS,
    ClockTrigger,
    ScheduleDocument,
    ScheduledPipeline,
    ScheduleStore,
    schedule_dag_id,
    shard_of,
    short_id,
)

MADE = datetime(2026, 7, 1, 12, tzinfo=UTC)


def a_document(number: int = 0, **changes: Any) -> ScheduleDocument:
    identifier = f"{number:08x}-1111-4222-8333-444444444444"
    fields = {
        "id": identifier,
        "dag_id": schedule_dag_id("each night", identifier),
        "workspace": "default",
        "name": "each night",
        "created_by": "ann",
        "status": "Active",
        "pipeline": ScheduledPipeline(id="p", dag_id="cars.0123456789abcdef", endpoint_id="e"),
        "experiment": "cars",
        "clock": ClockTrigger(recurrence=Recurrence(frequency="Day"), anchor=MADE, at_once=True, since=MADE),
        **changes,
    }
    return ScheduleDocument.model_validate(fields)


def serialised(document: ScheduleDocument) -> str:
    return json.dumps(DagSerialization.to_dict(build_schedule_dag(document)))


def test_the_dag() -> None:
    dag = build_schedule_dag(a_document(description="All prices"))
    assert dag.dag_id == "each-night.0000000011114222"
    assert (dag.dag_display_name, dag.description, dag.catchup) == ("each night", "All prices", False)
    assert dag.is_paused_upon_creation is False
    assert dag.task_ids == [TASK]
    assert dag.get_task(TASK).owner == "ann"


def test_the_same_bytes_while_nothing_shown_of_it_changes() -> None:
    """Neither another process, nor another default of its endpoint, makes a new version of the DAG in Airflow."""
    document = a_document()
    again = ScheduleDocument.model_validate_json(document.model_dump_json())
    switched = a_document(pipeline=ScheduledPipeline(id="q", dag_id="cars.fedcba9876543210", endpoint_id="e"))
    assert serialised(document) == serialised(again) == serialised(switched)
    assert serialised(document) != serialised(a_document(status="Disabled"))
    assert serialised(document) != serialised(a_document(name="each day"))


def test_ids() -> None:
    assert short_id("89abcdef-0123-4567-89ab-cdef01234567") == "89abcdef01234567"
    assert schedule_dag_id("Nacht & Tag", "89abcdef-0123-4567-89ab-cdef01234567") == "Nacht-Tag.89abcdef01234567"
    assert {shard_of(f"{number:02x}") for number in range(256)} == set(range(SHARDS))


@pytest.fixture
def stored(store: str) -> ScheduleStore:
    return ScheduleStore(open_store(store))


def test_a_document_is_replaced_as_a_whole(stored: ScheduleStore) -> None:
    one, other = a_document(1), a_document(2)
    stored.put(one)
    stored.put(other)
    changed = a_document(1, status="Disabled")
    stored.put(changed)
    assert stored.get(one.short_id) == changed
    assert stored.of_dag(other.dag_id) == other
    assert list(stored.stored()) == [one.short_id, other.short_id]
    stored.delete(one.short_id)
    stored.delete(one.short_id)
    with pytest.raises(NotFound, match="There is no schedule"):
        stored.get(one.short_id)
    with pytest.raises(NotFound, match="There is no schedule"):
        stored.written_at(one.short_id)
    with pytest.raises(InvalidName):
        stored.get("../definitions/a")


def test_a_damaged_document_is_left_out_and_named(
    stored: ScheduleStore, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 4):
        stored.put(a_document(number << 24))
    damaged, whole = (a_document(number << 24) for number in (0, 4))
    file = Path(store.removeprefix("file://")) / "schedules" / f"{damaged.short_id}.json"
    file.write_bytes(file.read_bytes().replace(b"each night", b"each nighT"))
    with pytest.raises(IntegrityError, match="was altered"):
        stored.get(damaged.short_id)
    with caplog.at_level(logging.ERROR):
        assert set(load_schedules(shard_of(whole.short_id))) == {whole.dag_id}
    assert damaged.short_id in caplog.text


def test_a_worker_builds_only_the_schedule_that_it_runs(stored: ScheduleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    document, other = a_document(4 << 24), a_document(0)
    stored.put(document)
    stored.put(other)
    assert set(load_schedules(0)) == {document.dag_id, other.dag_id}
    assert load_schedules(1) == {}
    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, document.dag_id)
    assert set(load_schedules(0)) == {document.dag_id}


def test_the_bundle_has_loaders_for_schedules(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))
    bundle = AirloomDagBundle(name="airloom")
    bundle.initialize()
    for shard in range(SHARDS):
        text = (bundle.path / schedule_file(shard)).read_text()
        assert "airflow" in text and "DAG" in text
        compile(text, "loader", "exec")
