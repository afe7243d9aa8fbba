"""The timetable of a recurrence, by which Airflow's scheduler fires schedules and YAML pipelines.

It never fills the past: after an outage of Airflow the latest of the instants that were missed fires, once, and those
before it do not. Only Airflow's own backfill, which somebody asks for, goes back further.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime, instance

from airloom.graph.recurrence import Recurrence, Rule
from airloom.graph.recurrence_words import in_full, in_short
from airloom.storage.schedules import ClockTrigger

_LONG_AGO = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday


class RecurrenceTimetable(Timetable):
    """Fires at the instants of a recurrence. One that is not `active` never fires, and says so in Airflow's pages."""

    def __init__(self, clock: ClockTrigger, *, active: bool = True) -> None:
        self.clock = clock
        self.active = active
        self.can_be_scheduled = active
        words = in_full(clock.rule)
        self.description = words if active else f"Disabled. When enabled: {words[0].lower()}{words[1:]}"

    @classmethod
    def of(cls, recurrence: Recurrence) -> RecurrenceTimetable:
        """The timetable of a DAG that is always there; without a start_time it counts from a Monday long ago."""
        return cls(ClockTrigger(recurrence=recurrence, anchor=_LONG_AGO, at_once=False, since=_LONG_AGO))

    @property
    def summary(self) -> str:
        """What Airflow's lists show."""
        words = in_short(self.clock.rule)
        zone = self.clock.recurrence.time_zone
        words = f"{words}, {zone}" if zone and zone != "UTC" else words
        return f"{words[0].upper()}{words[1:]}" if self.active else f"Disabled ({words})"

    def serialize(self) -> dict[str, Any]:
        """All that makes the timetable, as JSON."""
        return {"clock": self.clock.model_dump(mode="json"), "active": self.active}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RecurrenceTimetable:
        """The timetable that `serialize` wrote."""
        return cls(ClockTrigger.model_validate(data["clock"]), active=bool(data["active"]))

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """A run that somebody starts by hand stands for the instant at which he does."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run after the last one."""
        if not self.active:
            return None
        last = last_automated_data_interval.end if last_automated_data_interval is not None else None
        earliest, now = restriction.earliest, datetime.now(UTC)
        if restriction.catchup:
            found = next_instant(self.clock.rule, last, earliest or self.clock.since)
        else:
            found = latest_due(self.clock.rule, last, max(earliest or self.clock.since, self.clock.since), now)
        if found is None or (restriction.latest is not None and found > restriction.latest):
            return None
        return DagRunInfo.exact(instance(found))


def next_instant(rule: Rule, last: datetime | None, earliest: datetime) -> datetime | None:
    """The first instant that is not before `earliest`, and after the last one that has fired."""
    if last is not None and last >= earliest:
        return rule.after(last)
    return rule.from_(earliest)


def latest_due(rule: Rule, last: datetime | None, earliest: datetime, now: datetime) -> datetime | None:
    """The same, but if several are due by now the last of them: those before it were missed, and stay so."""
    found = next_instant(rule, last, earliest)
    if found is None or found > now:
        return found
    latest = rule.before(now + timedelta.resolution)
    return found if latest is None else max(found, latest)
