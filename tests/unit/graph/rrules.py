"""Recurrences worked out a second time, with dateutil: nothing here knows how Airloom does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dateutil import rrule, tz

FREQUENCIES = {
    "Minute": rrule.MINUTELY,
    "Hour": rrule.HOURLY,
    "Day": rrule.DAILY,
    "Week": rrule.WEEKLY,
    "Month": rrule.MONTHLY,
}
DAYS = {
    "Monday": rrule.MO,
    "Tuesday": rrule.TU,
    "Wednesday": rrule.WE,
    "Thursday": rrule.TH,
    "Friday": rrule.FR,
    "Saturday": rrule.SA,
    "Sunday": rrule.SU,
}
IANA = {
    "W. Europe Standard Time": "Europe/Berlin",
    "Eastern Standard Time": "America/New_York",
    "Pacific Standard Time": "America/Los_Angeles",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "Lord Howe Standard Time": "Australia/Lord_Howe",
    "India Standard Time": "Asia/Kolkata",
    "Nepal Standard Time": "Asia/Kathmandu",
    "Tokyo Standard Time": "Asia/Tokyo",
    "GMT Standard Time": "Europe/London",
    "Cuba Standard Time": "America/Havana",
}


def expected(given: Mapping[str, Any], anchor: datetime, at_once: bool, until: datetime) -> list[datetime]:
    """All instants of a recurrence up to `until`, in order."""
    name = given.get("time_zone", "UTC")
    zone = tz.gettz(IANA.get(name, name))
    assert zone is not None
    start_time = given.get("start_time")
    local = datetime.fromisoformat(start_time) if start_time else anchor.astimezone(zone).replace(tzinfo=None, fold=0)
    start = _instant(local, zone)
    has_times = any(given.get(part) is not None for part in ("hours", "minutes", "week_days", "time_of_day"))
    fires_at_start = not has_times if start_time else at_once
    found = set(_computed(given, local, start, zone, until))
    instants = {each for each in found if start < each <= until}
    return sorted(instants | ({start} if fires_at_start and start <= until else set()))


def _instant(local: datetime, zone: Any) -> datetime:
    return tz.resolve_imaginary(local.replace(tzinfo=zone)).astimezone(UTC)


def _computed(
    given: Mapping[str, Any], local: datetime, start: datetime, zone: Any, until: datetime
) -> Iterator[datetime]:
    frequency = given["frequency"]
    if frequency in ("Minute", "Hour"):
        rule = rrule.rrule(FREQUENCIES[frequency], dtstart=start, interval=given.get("interval", 1), until=until)
        yield from rule
        return
    last = until.replace(tzinfo=None) + timedelta(days=2)
    rule = rrule.rrule(
        FREQUENCIES[frequency],
        dtstart=local.replace(hour=0, minute=0, second=0),
        interval=given.get("interval", 1),
        until=last,
        wkst=rrule.MO,
        **_parts(given, local),
    )
    for each in rule:
        yield _instant(each, zone)


def _parts(given: Mapping[str, Any], local: datetime) -> dict[str, Any]:
    """What stands in for the start's own time and day, in the words of rrule."""
    parts: dict[str, Any] = {"byhour": local.hour, "byminute": local.minute, "bysecond": local.second}
    if given.get("time_of_day"):
        hour, minute = given["time_of_day"].split(":")
        parts = {"byhour": int(hour), "byminute": int(minute), "bysecond": 0}
    elif given.get("hours") is not None or given.get("minutes") is not None:
        own_minute = local.minute if given.get("start_time") else 0
        parts = {
            "byhour": given.get("hours") or range(24),
            "byminute": given.get("minutes") or own_minute,
            "bysecond": 0,
        }
    if given.get("week_days"):
        parts["byweekday"] = [DAYS[day] for day in given["week_days"]]
    elif given["frequency"] == "Week":
        parts["byweekday"] = local.weekday()
    if given["frequency"] == "Month":
        parts |= {"bymonthday": range(min(local.day, 28), local.day + 1), "bysetpos": -1}
    return parts
