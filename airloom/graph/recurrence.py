"""When a schedule fires: the rules of Azure ML's ScheduleRecurrence, and the instants that follow from them.

- `Minute` and `Hour` count time that passes: every six hours is every six hours, whatever clocks are set to.
- `Day`, `Week` and `Month` count days of the calendar in the time zone of the recurrence, and fire at times on its
  clocks. A time that the clocks skip in spring happens as much later; one that they show twice in autumn happens at
  the first. A month that is too short for the day of the start fires on its last day.
- Weeks begin on Monday. With an interval of two, every other week counts from that of the start.

All is arithmetic on the one period in question, so a start long ago costs nothing.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from airloom.graph.model import Model
from airloom.graph.time_zones import UTC_NAME, zone

Frequency = Literal["Minute", "Hour", "Day", "Week", "Month"]
WeekDay = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)
WEEK_DAYS: tuple[WeekDay, ...] = get_args(WeekDay)

_ELAPSED: dict[str, timedelta] = {"Minute": timedelta(minutes=1), "Hour": timedelta(hours=1)}
_DAY = timedelta(days=1)
_KEPT_DAYS = 8


class Recurrence(Model):
    """How often to fire. `check_recurrence` makes it, and refuses what makes no sense.

    `start_time` is a time on the clocks of `time_zone`, written like 2026-07-01T08:00:00.
    """

    frequency: Frequency
    interval: int = 1
    start_time: str | None = None
    time_zone: str | None = None
    hours: tuple[int, ...] | None = None
    minutes: tuple[int, ...] | None = None
    week_days: tuple[WeekDay, ...] | None = None
    time_of_day: str | None = None

    @property
    def has_times(self) -> bool:
        """True if it names times or days at which to fire, beside how often."""
        return any(part is not None for part in (self.hours, self.minutes, self.week_days, self.time_of_day))


@dataclass(frozen=True)
class Rule:
    """The instants of a recurrence that was given at the instant `anchor`, from which it counts if it names no start.

    What fires when, in the words of Azure ML: without a start_time the first run is at once (only if `at_once`, as for
    a new schedule), and then by the rule. A start_time to come is the first instant, unless the recurrence names times
    or days; these alone count then, and they begin after it.
    """

    recurrence: Recurrence
    anchor: datetime
    at_once: bool = False

    def after(self, instant: datetime) -> datetime | None:
        """The first instant after this one; None if there is none before the end of all dates."""
        instant = _plain(instant)
        if instant < self.start and self._fires_at_start:
            return self.start
        try:
            return self._computed_after(max(instant, self.start))
        except (OverflowError, ValueError):
            return None

    def from_(self, instant: datetime) -> datetime | None:
        """This instant if it is one of the rule's, else the first after it."""
        return self.after(instant - timedelta.resolution)

    def before(self, instant: datetime) -> datetime | None:
        """The last instant before this one; None if there is none."""
        instant = _plain(instant)
        if instant <= self.start:
            return None
        found = self._computed_before(instant)
        if found is not None and found > self.start:
            return found
        return self.start if self._fires_at_start else None

    @cached_property
    def start(self) -> datetime:
        """Where counting begins, in UTC."""
        return self._utc(self.local_start)

    @property
    def _fires_at_start(self) -> bool:
        return not self.recurrence.has_times if self.recurrence.start_time else self.at_once

    @cached_property
    def local_start(self) -> datetime:
        """The start as a time on the clocks of the recurrence, without a zone."""
        if self.recurrence.start_time:
            return datetime.fromisoformat(self.recurrence.start_time)
        return self.anchor.astimezone(self._zone).replace(tzinfo=None)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return zone(self.recurrence.time_zone or UTC_NAME)

    def _utc(self, local: datetime) -> datetime:
        """A time on the clocks as an instant; the first of two, and beyond a gap as far as it is into it."""
        return local.replace(tzinfo=self._zone, fold=0).astimezone(UTC)

    # --- time that passes -------------------------------------------------------------------------------------

    @cached_property
    def _step(self) -> timedelta | None:
        unit = _ELAPSED.get(self.recurrence.frequency)
        return None if unit is None else unit * self.recurrence.interval

    def _computed_after(self, instant: datetime) -> datetime | None:
        """The first after an instant that is not before the start; what fires at the start itself is left out."""
        if self._step is not None:
            return self.start + ((instant - self.start) // self._step + 1) * self._step
        first_day = self._local(instant).date() - _DAY
        nearest = _first(self._days_from(first_day), lambda day: self._instants_after(day, instant))
        return min(nearest, default=None)

    def _computed_before(self, instant: datetime) -> datetime | None:
        if self._step is not None:
            return self.start + (instant - self.start - timedelta.resolution) // self._step * self._step
        last_day = self._local(instant).date() + _DAY
        nearest = _first(self._days_to(last_day), lambda day: self._instants_before(day, instant))
        return max(nearest, default=None)

    # --- days of the calendar ---------------------------------------------------------------------------------

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(self._zone)

    @cached_property
    def times(self) -> tuple[time, ...]:
        """The times on the clocks at which a day fires."""
        rule, start = self.recurrence, self.local_start.time()
        if rule.time_of_day is not None:
            return (time.fromisoformat(rule.time_of_day),)
        if rule.hours is None and rule.minutes is None:
            return (start,)
        minutes = rule.minutes or (start.minute if rule.start_time else 0,)
        return tuple(time(hour, minute) for hour in rule.hours or range(24) for minute in minutes)

    @property
    def days(self) -> tuple[WeekDay, ...]:
        """The days of a week that fire, if the recurrence counts weeks."""
        return self.recurrence.week_days or (WEEK_DAYS[self.local_start.weekday()],)

    def _instants(self, day: date) -> list[datetime]:
        """All instants of a day. The last few days are kept, as neighbours are asked for one after the other."""
        if day not in self._recent:
            if len(self._recent) >= _KEPT_DAYS:
                self._recent.clear()
            self._recent[day] = [self._utc(datetime.combine(day, each)) for each in self.times]
        return self._recent[day]

    @cached_property
    def _recent(self) -> dict[date, list[datetime]]:
        return {}

    def _instants_after(self, day: date, instant: datetime) -> datetime | None:
        return min((each for each in self._instants(day) if each > instant), default=None)

    def _instants_before(self, day: date, instant: datetime) -> datetime | None:
        return max((each for each in self._instants(day) if self.start <= each < instant), default=None)

    def _days_from(self, day: date) -> Iterator[date]:
        """The days that fire, from this day or that of the start on, upwards."""
        first = max(day, self.local_start.date())
        number = self._period_of(first)
        while True:
            yield from (each for each in self._period(number) if each >= first)
            number += 1

    def _days_to(self, day: date) -> Iterator[date]:
        """The days that fire, from this day down to that of the start."""
        for number in range(self._period_of(day), -1, -1):
            yield from (each for each in reversed(self._period(number)) if each <= day)

    def _period_of(self, day: date) -> int:
        """The number of the period in which a day is; they count from that of the start, which is 0."""
        start = self.local_start.date()
        match self.recurrence.frequency:
            case "Month":
                passed = (day.year - start.year) * 12 + day.month - start.month
            case "Week":
                passed = (_monday(day) - _monday(start)).days // 7
            case _:
                passed = (day - start).days
        return passed // self.recurrence.interval

    def _period(self, number: int) -> list[date]:
        """The days of a period that fire."""
        start, count = self.local_start.date(), number * self.recurrence.interval
        match self.recurrence.frequency:
            case "Month":
                return [month_later(start, count)]
            case "Week":
                monday = _monday(start) + timedelta(weeks=count)
                return [monday + timedelta(days=WEEK_DAYS.index(day)) for day in self.days]
            case _:
                return [start + timedelta(days=count)]


def _plain(instant: datetime) -> datetime:
    """The same in UTC, and without arithmetic of its own, as the times of pendulum have, which Airflow uses."""
    utc = instant.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def _first(days: Iterator[date], found_on: Callable[[date], datetime | None]) -> list[datetime]:
    """What the first day with something has, and the next day: a gap of the clocks may put the two in turn."""
    for day in days:
        if (found := found_on(day)) is not None:
            following = next(days, None)
            other = found_on(following) if following is not None else None
            return [each for each in (found, other) if each is not None]
    return []


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def month_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
