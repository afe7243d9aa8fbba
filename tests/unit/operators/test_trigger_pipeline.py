"""What the task of a schedule makes of Airflow's context: which instant it stands for, and whether it was missed."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airloom.graph.recurrence import Recurrence
from airloom.operators.trigger_pipeline import (
    TriggerPipelineOperator,
    _check_not_missed,
    fire_instant,
    moment_of,
    run_id_of,
)
from airloom.storage.object_store import open_store
from airloom.storage.schedules import ClockTrigger, ScheduleDocument, ScheduledPipeline, ScheduleStore, schedule_dag_id

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ID = "89abcdef-0123-4567-89ab-cdef01234567"


def a_document(**changes: Any) -> ScheduleDocument:
    clock = ClockTrigger(recurrence=Recurrence(frequency="Hour"), anchor=NOON, at_once=True, since=NOON)
    fields = {
        "id": ID,
        "dag_id": schedule_dag_id("hourly", ID),
        "workspace": "default",
        "name": "hourly",
        "created_by": "ann",
        "status": "Active",
        "pipeline": ScheduledPipeline(id="p", dag_id="cars.0123456789abcdef"),
        "experiment": "cars",
        "clock": clock,
        **changes,
    }
    return ScheduleDocument.model_validate(fields)


def a_context(**changes: Any) -> dict[str, Any]:
    """As far as the task reads it."""
    run = {
        "logical_date": NOON,
        "run_after": NOON,
        "start_date": NOON + timedelta(seconds=2),
        "run_type": "scheduled",
        "clear_number": 0,
        **changes,
    }
    return {"dag_run": SimpleNamespace(**run)}


def test_a_firing_stands_for_its_instant_or_for_when_somebody_started_it() -> None:
    assert fire_instant(a_context()) == NOON
    by_hand = a_context(logical_date=None, run_after=NOON + HOUR, run_type="manual")
    assert fire_instant(by_hand) == NOON + HOUR


def test_all_tries_see_the_same_moment() -> None:
    moment = moment_of(a_document(), a_context(), "r")
    assert (moment.scheduled_time, moment.start_time) == (NOON, NOON + timedelta(seconds=2))
    assert (moment.run_id, moment.created_by) == ("r", "ann")
    assert moment_of(a_document(), a_context(start_date=None), "r").start_time == NOON


def test_run_ids_follow_from_schedule_and_instant() -> None:
    one = run_id_of(a_document(), NOON.isoformat())
    assert one == run_id_of(a_document(name="renamed"), NOON.isoformat())
    assert str(uuid.UUID(one)) == one
    other = a_document(id=str(uuid.uuid4()))
    assert len({one, run_id_of(a_document(), (NOON + HOUR).isoformat()), run_id_of(other, NOON.isoformat())}) == 3


LATE = {"start_date": NOON + HOUR}


def test_what_was_missed_is_skipped_if_a_later_instant_was_too() -> None:
    with pytest.raises(AirflowSkipException, match="Airflow was away at 2026-07-01T12:00:00"):
        _check_not_missed(a_document(), a_context(**LATE))


@pytest.mark.parametrize(
    "wanted",
    [
        {"start_date": NOON + HOUR - timedelta(seconds=1)},
        {"start_date": None},
        {**LATE, "run_type": "backfill"},
        {**LATE, "run_type": "manual"},
        {**LATE, "clear_number": 1},
    ],
    ids=str,
)
def test_what_is_in_time_or_asked_for_is_not_skipped(wanted: dict[str, Any]) -> None:
    _check_not_missed(a_document(), a_context(**wanted))


def test_a_schedule_without_a_clock_misses_nothing() -> None:
    _check_not_missed(a_document(clock=None), a_context(**LATE))


@pytest.fixture
def stored(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> ScheduleStore:
    monkeypatch.setenv("AIRFLOW__AIRLOOM__STORE", tmp_path.as_uri())
    return ScheduleStore(open_store(tmp_path.as_uri()))


def run(context: dict[str, Any]) -> None:
    TriggerPipelineOperator(task_id="trigger", schedule=a_document().short_id).execute(context)  # type: ignore[arg-type]


def test_a_disabled_schedule_starts_nothing(stored: ScheduleStore) -> None:
    stored.put(a_document(status="Disabled"))
    with pytest.raises(AirflowSkipException, match="'hourly' is disabled"):
        run(a_context())


@pytest.mark.parametrize("broken", ["no document", "obstacle", "no pipeline"])
def test_what_another_try_would_not_mend_fails_for_good(stored: ScheduleStore, broken: str) -> None:
    if broken != "no document":
        stored.put(a_document(obstacle="The pipeline is disabled." if broken == "obstacle" else ""))
    with pytest.raises(AirflowFailException, match=r"There is no|is disabled"):
        run(a_context())
