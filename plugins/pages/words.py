"""Values in words: durations, sizes, statuses, and what changed between two keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airloom.graph.results import Change, Explanation, Reason

ABSENT = "\N{EN DASH}"
_LONGEST = 400
_MOST_ROWS = 200
_NAMED = 3
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MISSING = object()

_REASONS = {
    Reason.UNCHANGED: "Nothing that counts has changed",
    Reason.EARLY_CUTOFF: "The steps before it gave the same bytes as before",
    Reason.SHARED: "Another run was computing the same",
    Reason.FIRST_RUN: "First run of this step",
    Reason.RECORD_LOST: "The record of the earlier attempt is gone",
    Reason.OUTPUT_LOST: "An output of the earlier attempt is gone or was altered",
    Reason.REUSE_OFF: "Reuse is off",
    Reason.REFRESH: "A refresh was asked for",
    Reason.NO_KEY: "What counts for it could not be read",
}


@dataclass(frozen=True)
class ChangeRow:
    """One line of the table of changes."""

    part: str
    detail: str
    before: str
    now: str


def reason(explanation: Explanation) -> str:
    """The reason of a decision in a few words; for a change, what changed."""
    if explanation.reason is not Reason.CHANGED:
        return _REASONS[explanation.reason]
    rows = change_rows(explanation.changed)
    names = list(dict.fromkeys(row.detail if row.part == "source" and row.detail else row.part for row in rows))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"Changed: {', '.join(names[:_NAMED])}{more}"


def change_rows(changes: Iterable[Change]) -> list[ChangeRow]:
    """The changes line by line: by file for a source folder, by name for a part that has named values."""
    return [row for change in changes for row in _rows(change)]


def shown(rows: list[ChangeRow]) -> tuple[list[ChangeRow], int]:
    """As many rows as a page should show, and how many are left out."""
    return rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)


def _rows(change: Change) -> Iterator[ChangeRow]:
    kind, _, name = change.part.partition(":")
    part = f"{kind} {name}".strip()
    if not isinstance(change.before, Mapping) or not isinstance(change.now, Mapping):
        yield ChangeRow(part, "", text(change.before), text(change.now))
        return
    for key in dict.fromkeys([*change.now, *change.before]):
        before, now = change.before.get(key, _MISSING), change.now.get(key, _MISSING)
        if before != now:
            yield ChangeRow(part, str(key), text(before), text(now))


def text(value: Any) -> str:
    """A value of a key as a person reads it: digests short, arguments as they stand in a command line."""
    if value is _MISSING or value is None:
        return ABSENT
    if isinstance(value, str):
        return value[:12] if _DIGEST.fullmatch(value) else _cut(value)
    if _is_tokens(value):
        return _cut(" ".join(_token(*token) for token in value))
    if _is_token(value):
        return _cut(_token(*value))
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _is_token(value: Any) -> bool:
    kinds = ("literal", "input", "output", "parameter")
    return isinstance(value, list) and len(value) == 2 and value[0] in kinds


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_token(each) for each in value)


def _token(kind: str, value: Any) -> str:
    return str(value) if kind == "literal" else f"<{kind} {value}>"


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def duration(seconds: float | None) -> str:
    """A length of time, as exact as it is of use."""
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """A number of bytes."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def moment(when: datetime | None) -> str:
    """A moment in UTC, as Airflow's UI writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if when is not None else ABSENT


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """The time from one moment to another, if both are known."""
    return (end - start).total_seconds() if start is not None and end is not None else None
