"""The functions of parameter expressions, each from the moment of firing and its arguments to a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from airloom.graph._dotnet_dates import read_timestamp, write_timestamp
from airloom.graph.recurrence import month_later
from airloom.graph.time_zones import zone

Value: TypeAlias = "str | int"


@dataclass(frozen=True)
class Moment:
    """What expressions can ask for: when a schedule fires, and for whom."""

    scheduled_time: datetime
    start_time: datetime
    run_id: str
    created_by: str


def _time(value: Value) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a time; a time is a text")
    return read_timestamp(value)


def _count(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value[:80]!r} is not a whole number")
    return value


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value


def _write(value: datetime, pattern: Value = "o") -> str:
    return write_timestamp(value, _text(pattern))


_SPANS = {
    "Second": timedelta(seconds=1),
    "Minute": timedelta(minutes=1),
    "Hour": timedelta(hours=1),
    "Day": timedelta(days=1),
    "Week": timedelta(weeks=1),
}
_MONTHS = {"Month": 1, "Year": 12}


def _moved(time: datetime, count: int, unit: str) -> datetime:
    if unit in _SPANS:
        return time + count * _SPANS[unit]
    if unit in _MONTHS:
        return datetime.combine(month_later(time.date(), count * _MONTHS[unit]), time.timetz())
    raise ValueError(f"{unit[:80]!r} is not a unit of time: they are {', '.join((*_SPANS, *_MONTHS))}")


def _add(unit: str) -> Callable[..., Value]:
    def add(moment: Moment, time: Value, count: Value, pattern: Value = "o") -> Value:
        return _write(_moved(_time(time), _count(count), unit), pattern)

    return add


def _shift(sign: int) -> Callable[..., Value]:
    def shift(moment: Moment, time: Value, count: Value, unit: Value, pattern: Value = "o") -> Value:
        return _write(_moved(_time(time), sign * _count(count), _text(unit)), pattern)

    return shift


def _start_of(**parts: int) -> Callable[..., Value]:
    def start_of(moment: Moment, time: Value, pattern: Value = "o") -> Value:
        return _write(_time(time).replace(**parts, microsecond=0), pattern)  # type: ignore[arg-type]

    return start_of


def _from_utc(moment: Moment, time: Value, target: Value, pattern: Value = "o") -> Value:
    return _write(_local(_as_utc(_time(time)), _text(target)), pattern)


def _to_utc(moment: Moment, time: Value, source: Value, pattern: Value = "o") -> Value:
    return _write(_from_clock(_time(time), _text(source)), pattern)


def _between_zones(moment: Moment, time: Value, source: Value, target: Value, pattern: Value = "o") -> Value:
    return _write(_local(_from_clock(_time(time), _text(source)), _text(target)), pattern)


def _as_utc(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _from_clock(time: datetime, source: str) -> datetime:
    """In UTC; a time that names its own zone needs no other."""
    return time if time.tzinfo is not None else time.replace(tzinfo=zone(source)).astimezone(UTC)


def _local(time: datetime, target: str) -> datetime:
    return time.astimezone(zone(target)).replace(tzinfo=None)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "trigger.scheduledTime": lambda moment: _write(moment.scheduled_time),
    "trigger.startTime": lambda moment: _write(moment.start_time),
    "createdBy": lambda moment: moment.created_by,
    "runId": lambda moment: moment.run_id,
    "utcNow": lambda moment, pattern="o": _write(moment.start_time, pattern),
    "addDays": _add("Day"),
    "addHours": _add("Hour"),
    "addMinutes": _add("Minute"),
    "addSeconds": _add("Second"),
    "addToTime": _shift(1),
    "subtractFromTime": _shift(-1),
    "convertFromUtc": _from_utc,
    "convertToUtc": _to_utc,
    "convertTimeZone": _between_zones,
    "dayOfWeek": lambda moment, time: _time(time).isoweekday() % 7,
    "dayOfMonth": lambda moment, time: _time(time).day,
    "dayOfYear": lambda moment, time: _time(time).timetuple().tm_yday,
    "formatDateTime": lambda moment, time, pattern="o": _write(_time(time), pattern),
    "startOfDay": _start_of(hour=0, minute=0, second=0),
    "startOfHour": _start_of(minute=0, second=0),
    "startOfMonth": _start_of(day=1, hour=0, minute=0, second=0),
}


def _arity(function: Callable[..., Value]) -> tuple[int, int]:
    """The fewest and the most arguments that may be written in a call."""
    most = function.__code__.co_argcount - 1  # without the moment
    return most - len(function.__defaults__ or ()), most


ARITY = {name: _arity(function) for name, function in FUNCTIONS.items()}
