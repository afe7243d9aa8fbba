"""Dates as text in the formats of .NET, which parameter expressions use, with English names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

ROUND_TRIP = "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK"
_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": ROUND_TRIP,
    "O": ROUND_TRIP,
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_TOKEN = re.compile(
    r"""'(?P<quoted>[^']*)'|"(?P<double>[^"]*)"|\\(?P<escaped>.)|%(?P<single>[a-zA-Z])|(?P<run>([a-zA-Z])\6*)|(?P<other>.)""",
    re.DOTALL,
)
_TIMESTAMP = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})([T ](?P<time>\d{2}:\d{2}(:\d{2})?)(\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?"
)


def read_timestamp(text: str) -> datetime:
    """The time that a text names: in UTC if it names a zone, else without one. Raises ValueError."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is not a time like 2026-07-01T08:00:00Z")
    naive = datetime.fromisoformat(f"{found['date']}T{found['time'] or '00:00'}")
    naive = naive.replace(microsecond=int((found["fraction"] or "").ljust(6, "0")[:6]))
    zone = found["zone"]
    if zone is None:
        return naive
    return datetime.fromisoformat(f"{naive.isoformat()}{'+00:00' if zone == 'Z' else zone}").astimezone(UTC)


def write_timestamp(value: datetime, pattern: str) -> str:
    """The time in a standard or custom format of .NET. Raises ValueError for a format that .NET does not know."""
    if len(pattern) == 1:
        if pattern not in _STANDARD:
            raise ValueError(
                f"{pattern!r} is not a format: they are {', '.join(_STANDARD)}, or custom like 'yyyy-MM-dd'"
            )
        pattern = _STANDARD[pattern]
    if not pattern:
        raise ValueError("the format is empty")
    return "".join(_token(value, found) for found in _TOKEN.finditer(pattern))


def _token(value: datetime, found: re.Match[str]) -> str:
    for literal in ("quoted", "double", "escaped", "other"):
        if found[literal] is not None:
            return found[literal]
    run = found["single"] or found["run"]
    write = _SPECIFIERS.get(run[0])
    return run if write is None else write(value, len(run))


def _padded(number: int, width: int) -> str:
    return f"{number:0{min(width, 2)}}"


def _year(value: datetime, width: int) -> str:
    return _padded(value.year % 100, width) if width <= 2 else f"{value.year:0{width}}"


def _month(value: datetime, width: int) -> str:
    name = _MONTHS[value.month - 1]
    return _padded(value.month, width) if width <= 2 else name[:3] if width == 3 else name


def _day(value: datetime, width: int) -> str:
    name = _DAYS[value.weekday()]
    return _padded(value.day, width) if width <= 2 else name[:3] if width == 3 else name


def _fraction(value: datetime, width: int) -> str:
    if width > 7:
        raise ValueError(f"'{'f' * width}' has more digits than the 7 of a time")
    return f"{value.microsecond:06}0"[:width]


def _offset(value: datetime, width: int) -> str:
    return "+00:00" if width >= 3 else "+00" if width == 2 else "+0"


_SPECIFIERS: dict[str, Callable[[datetime, int], str]] = {
    "y": _year,
    "M": _month,
    "d": _day,
    "H": lambda value, width: _padded(value.hour, width),
    "h": lambda value, width: _padded((value.hour - 1) % 12 + 1, width),
    "m": lambda value, width: _padded(value.minute, width),
    "s": lambda value, width: _padded(value.second, width),
    "f": _fraction,
    "F": lambda value, width: _fraction(value, width).rstrip("0"),
    "t": lambda value, width: ("AM", "PM")[value.hour >= 12][:width],
    "z": _offset,
    "K": lambda value, width: "" if value.tzinfo is None else "Z",
}
