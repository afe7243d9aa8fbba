"""Checking the recurrence of a schedule as a user gives it: each error names the field at fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from airloom.errors import InvalidSchedule
from airloom.graph.recurrence import FREQUENCIES, WEEK_DAYS, Recurrence, Rule, WeekDay
from airloom.graph.suggest import did_you_mean
from airloom.graph.time_zones import zone

_START_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_YEARS = range(1900, 9900)


def check_recurrence(given: Mapping[str, Any]) -> Recurrence:
    """The recurrence that a mapping describes. Raises InvalidSchedule, which names the field at fault."""
    unknown = given.keys() - Recurrence.model_fields.keys()
    for name in sorted(unknown):
        raise _fault(name, f"A recurrence has no {name!r}.", did_you_mean(name, Recurrence.model_fields))
    fields = {name: value for name, value in given.items() if value is not None}
    frequency = fields.get("frequency")
    if frequency not in FREQUENCIES:
        what = f"The frequency of a recurrence cannot be {_short(frequency)}."
        raise _fault("frequency", what, f"It is one of {', '.join(FREQUENCIES)}.")
    recurrence = Recurrence(
        frequency=frequency,
        interval=_interval(fields.get("interval", 1)),
        start_time=_start_time(fields["start_time"]) if "start_time" in fields else None,
        time_zone=_time_zone(fields["time_zone"]) if "time_zone" in fields else None,
        hours=_numbers("hours", fields["hours"], 23) if "hours" in fields else None,
        minutes=_numbers("minutes", fields["minutes"], 59) if "minutes" in fields else None,
        week_days=_week_days(fields["week_days"]) if "week_days" in fields else None,
        time_of_day=_time_of_day(fields["time_of_day"]) if "time_of_day" in fields else None,
    )
    _check_together(recurrence)
    return recurrence


def _interval(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _fault("interval", f"The interval must be a whole number from 1, not {_short(value)}.")
    return value


def _start_time(value: Any) -> str:
    """A naive time as text, to the second."""
    naive = "Give it without an offset, and say in time_zone which clocks are meant."
    if isinstance(value, str):
        if not _START_TIME.fullmatch(value):
            what = f"The start_time must be written like 2026-07-01T08:00:00, not {_short(value)}."
            raise _fault("start_time", what, naive)
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise _fault("start_time", f"The start_time {_short(value)} does not exist: {error}.") from None
    if not isinstance(value, datetime):
        raise _fault("start_time", f"The start_time must be a datetime or a text, not {_short(value)}.")
    if value.tzinfo is not None:
        raise _fault("start_time", f"The start_time {value.isoformat()} has a time zone of its own.", naive)
    if value.year not in _YEARS:
        what = f"The start_time {value.isoformat()} is not between the years {_YEARS[0]} and {_YEARS[-1]}."
        raise _fault("start_time", what)
    return value.isoformat(timespec="seconds")


def _time_zone(value: Any) -> str:
    name = getattr(value, "value", value)  # members of v1's TimeZone are named by Windows in their value
    if not isinstance(name, str):
        raise _fault("time_zone", f"The time_zone must be a name, not {_short(value)}.")
    zone(name)
    return name


def _numbers(field: str, values: Any, largest: int) -> tuple[int, ...]:
    numbers = _several(field, values)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= largest:
            raise _fault(field, f"Each of {field} must be a whole number from 0 to {largest}, not {_short(number)}.")
    return tuple(sorted(set(numbers)))


def _week_days(values: Any) -> tuple[WeekDay, ...]:
    days = _several("week_days", values)
    for day in days:
        if day not in WEEK_DAYS:
            what = f"{_short(day)} is not the name of a day of the week."
            raise _fault("week_days", what, f"They are {', '.join(WEEK_DAYS)}.")
    return tuple(day for day in WEEK_DAYS if day in days)


def _several(field: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise _fault(field, f"{field} must be a list, not {_short(values)}.")
    listed = tuple(values)
    if not listed:
        raise _fault(
            field, f"{field} is empty, so the recurrence can never fire.", "Name one at least, or leave it out."
        )
    return listed


def _time_of_day(value: Any) -> str:
    found = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _fault("time_of_day", f"The time_of_day must be written like 15:30, not {_short(value)}.")
    return f"{int(found[1]):02}:{found[2]}"


def _check_together(recurrence: Recurrence) -> None:
    """What may not go together, and what never fires."""
    for field, frequencies in (
        ("hours", ("Day", "Week")),
        ("minutes", ("Day", "Week")),
        ("time_of_day", ("Day", "Week")),
        ("week_days", ("Week",)),
    ):
        if getattr(recurrence, field) is not None and recurrence.frequency not in frequencies:
            what = f"{field} cannot be given with the frequency {recurrence.frequency}."
            raise _fault(field, what, f"It goes with {' and '.join(frequencies)}.")
    if recurrence.time_of_day is not None and (recurrence.hours is not None or recurrence.minutes is not None):
        raise _fault(
            "time_of_day", "time_of_day cannot be given together with hours or minutes.", "Use one of the two."
        )
    started = Rule(recurrence, datetime(2000, 1, 1, tzinfo=UTC))
    try:
        fires = started.after(started.start) is not None
    except (OverflowError, ValueError):
        fires = False
    if not fires:
        what = f"Every {recurrence.interval} {recurrence.frequency.lower()}s"
        since = f" from {recurrence.start_time}" if recurrence.start_time else ""
        raise _fault("interval", f"{what}{since} is later than any date, so the recurrence can never fire.")


def _fault(field: str, message: str, hint: str = "") -> InvalidSchedule:
    return InvalidSchedule(message, hint=hint, target=f"recurrence.{field}")


def _short(value: Any) -> str:
    return repr(value)[:80]
