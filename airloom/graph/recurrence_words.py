"""Recurrences in words, for pages and lists."""

from __future__ import annotations

from airloom.graph.recurrence import Recurrence, Rule

_LISTED = 4


def in_short(rule: Rule) -> str:
    """How often and when, such as "every 2 weeks on Monday and Friday at 15:30"."""
    recurrence = rule.recurrence
    words = [_every(recurrence)]
    if recurrence.frequency == "Week":
        words.append(f"on {_listed(rule.days)}")
    if recurrence.frequency == "Month":
        words.append(f"on day {rule.local_start.day}")
    if recurrence.frequency in ("Day", "Week", "Month"):
        words.append(_times(rule))
    return " ".join(words)


def in_full(rule: Rule) -> str:
    """The same with the time zone and the start."""
    recurrence = rule.recurrence
    words = in_short(rule)
    if recurrence.frequency == "Month" and rule.local_start.day > 28:
        words += ", or on the last day of a shorter month"
    zone = recurrence.time_zone or "UTC"
    return f"{words[0].upper()}{words[1:]}, {zone}, counted from {rule.local_start:%Y-%m-%d %H:%M}"


def _every(recurrence: Recurrence) -> str:
    unit = recurrence.frequency.lower()
    return f"every {unit}" if recurrence.interval == 1 else f"every {recurrence.interval} {unit}s"


def _times(rule: Rule) -> str:
    times = [time.strftime("%H:%M" if not time.second else "%H:%M:%S") for time in rule.times]
    if len(times) <= _LISTED:
        return f"at {_listed(times)}"
    return f"at {times[0]}, {times[1]} ... {times[-1]} ({len(times)} times)"


def _listed(words: list[str] | tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
