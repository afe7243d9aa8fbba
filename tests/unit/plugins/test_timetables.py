"""The timetable of a recurrence, as Airflow's scheduler asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from airloom.graph.check_recurrence import check_recurrence
from airloom.plugins.timetables import RecurrenceTimetable, latest_due
from airloom.storage.schedules import ClockTrigger

NEVER_CATCH_UP = TimeRestriction(earliest=None, latest=None, catchup=False)
BACKFILL = TimeRestriction(pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 1, 4), catchup=True)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
KINDS: list[dict[str, Any]] = [
    {"frequency": "Minute", "interval": 3},
    {"frequency": "Hour", "interval": 2},
    {"frequency": "Day", "time_of_day": "12:00", "time_zone": "W. Europe Standard Time"},
    {"frequency": "Week", "week_days": ["Monday", "Friday"], "hours": [1, 2], "minutes": [0, 30]},
    {"frequency": "Month"},
]


def clock(given: dict[str, Any], made: datetime = NOON, **changes: Any) -> ClockTrigger:
    fields = {"recurrence": check_recurrence(given), "anchor": made, "at_once": True, "since": made, **changes}
    return ClockTrigger.model_validate(fields)


def ask(
    timetable: RecurrenceTimetable, last: datetime | None = None, restriction: TimeRestriction = NEVER_CATCH_UP
) -> datetime | None:
    """The next instant, asked for and given in pendulum's times as Airflow does."""
    interval = DataInterval.exact(pendulum.instance(last)) if last is not None else None
    found = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
    if found is None:
        return None
    assert found == DagRunInfo.exact(found.run_after)
    assert isinstance(found.run_after, pendulum.DateTime)
    return found.run_after


@pytest.mark.parametrize("given", KINDS, ids=lambda given: given["frequency"])
def test_a_new_schedule_fires_at_once_and_then_by_its_rule(given: dict[str, Any]) -> None:
    made = datetime.now(UTC).replace(microsecond=0)
    timetable = RecurrenceTimetable(clock(given, made))
    assert ask(timetable) == made
    following = ask(timetable, made)
    assert following == clock(given, made).rule.after(made)
    assert following is not None
    assert following > made


def test_after_an_outage_only_the_latest_instant_fires() -> None:
    hourly = clock({"frequency": "Hour"}).rule
    hour = timedelta(hours=1)
    half = timedelta(minutes=30)
    assert latest_due(hourly, NOON, NOON, NOON + half) == NOON + hour
    assert latest_due(hourly, NOON, NOON, NOON + hour) == NOON + hour
    assert latest_due(hourly, NOON, NOON, NOON + 5 * hour + half) == NOON + 5 * hour
    assert latest_due(hourly, None, NOON, NOON + 5 * hour) == NOON + 5 * hour
    assert latest_due(hourly, NOON + 5 * hour, NOON, NOON + 5 * hour + half) == NOON + 6 * hour


def test_what_was_due_before_it_was_enabled_does_not_fire() -> None:
    enabled = datetime.now(UTC).replace(microsecond=0)
    given = {"frequency": "Day", "time_of_day": (enabled - timedelta(minutes=5)).strftime("%H:%M")}
    timetable = RecurrenceTimetable(clock(given, NOON - timedelta(days=9), since=enabled))
    found = ask(timetable)
    assert found is not None
    assert found > enabled


def test_a_disabled_one_never_fires_not_even_in_a_backfill() -> None:
    timetable = RecurrenceTimetable(clock(KINDS[0]), active=False)
    assert ask(timetable) is None
    assert ask(timetable, NOON) is None
    assert ask(timetable, restriction=BACKFILL) is None
    assert not timetable.can_be_scheduled
    assert RecurrenceTimetable(clock(KINDS[0])).can_be_scheduled


def test_a_backfill_goes_back_as_far_as_it_is_asked_to() -> None:
    given = {"frequency": "Day", "start_time": "2025-12-24T06:00:00", "hours": [6]}
    timetable = RecurrenceTimetable(clock(given))
    found, last = [], None
    while (last := ask(timetable, last, BACKFILL)) is not None:
        found.append(last.isoformat())
    assert found == [f"2026-01-0{day}T06:00:00+00:00" for day in (1, 2, 3)]


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("given", KINDS, ids=lambda given: given["frequency"])
def test_airflow_reads_what_it_has_written(given: dict[str, Any], active: bool) -> None:
    """The plugin has to register the class, or Airflow would not write it."""
    written = encode_timetable(RecurrenceTimetable(clock(given), active=active))
    read = decode_timetable(written)
    assert encode_timetable(read) == written
    assert isinstance(read, RecurrenceTimetable)
    assert (read.clock, read.active) == (clock(given), active)


def test_words() -> None:
    def words(given: dict[str, Any], **options: Any) -> tuple[str, str]:
        timetable = RecurrenceTimetable(clock(given), **options)
        return timetable.summary, timetable.description

    assert words({"frequency": "Minute"}) == ("Every minute", "Every minute, UTC, counted from 2026-07-01 12:00")
    assert words({"frequency": "Week", "interval": 2, "week_days": ["Friday", "Monday"], "time_of_day": "7:05"})[0] == (
        "Every 2 weeks on Monday and Friday at 07:05"
    )
    assert words({"frequency": "Day", "hours": range(24), "minutes": [0, 30]})[0] == (
        "Every day at 00:00, 00:30 ... 23:30 (48 times)"
    )
    monthly = {"frequency": "Month", "start_time": "2026-01-31T09:00:00", "time_zone": "Tokyo Standard Time"}
    assert words(monthly) == (
        "Every month on day 31 at 09:00, Tokyo Standard Time",
        "Every month on day 31 at 09:00, or on the last day of a shorter month, Tokyo Standard Time, "
        "counted from 2026-01-31 09:00",
    )
    assert words({"frequency": "Hour"}, active=False) == (
        "Disabled (every hour)",
        "Disabled. When enabled: every hour, UTC, counted from 2026-07-01 12:00",
    )


def test_a_timetable_for_a_file_counts_from_a_monday_long_ago() -> None:
    timetable = RecurrenceTimetable.of(check_recurrence({"frequency": "Week", "time_of_day": "10:00"}))
    found = ask(timetable, NOON)
    assert found is not None
    assert (found.isoweekday(), found.hour) == (1, 10)
    assert timetable.infer_manual_data_interval(run_after=pendulum.instance(NOON)).end == NOON
