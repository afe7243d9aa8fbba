"""Put decisions about reuse into words: which part of a key differs from the nearest earlier attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airloom.errors import AirloomError
from airloom.graph.model import ReuseMode, Step
from airloom.graph.results import Change, Explanation, Origin, Reason
from airloom.reuse.hashing import StepKey
from airloom.reuse.records import Record

FilesOf = Callable[[str], Mapping[str, str]]
"""Digest of a source folder -> {path: digest of the file}. Raises an AirloomError if it is not known any more."""

_MISSING = object()
_SHOWN_FILES = 5


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """The parts in which two keys differ, by name."""
    names = [*now, *(name for name in before if name not in now)]
    return [
        Change(part=name, before=before.get(name), now=now.get(name))
        for name in names
        if before.get(name, _MISSING) != now.get(name, _MISSING)
    ]


def nearest(parts: Mapping[str, Any], history: Iterable[Record]) -> Record | None:
    """The earlier attempt whose key differs in the fewest parts; of equals, the newest.

    The history begins with attempts that had the same key, and goes on with the newest first. So no more of it is
    read once an attempt differs in one part.
    """
    best, fewest = None, 0
    for record in history:
        number = len(changes(record.parts, parts))
        if best is None or number < fewest:
            best, fewest = record, number
        if number <= 1:
            break
    return best


def reused(step: Step, origin: Origin, reason: Reason) -> Explanation:
    """Why a step did not have to run."""
    words = {
        Reason.UNCHANGED: "Nothing that counts has changed",
        Reason.EARLY_CUTOFF: "Steps before it ran, but gave the same bytes as before",
        Reason.SHARED: "Another live run computed the same step",
    }[reason]
    return Explanation(
        step_id=step.id,
        name=step.name,
        action="reused",
        reason=reason,
        message=f"{words}: reused from run {origin.run_id}.",
        compared_to=origin,
    )


def executed(step: Step, reason: Reason, message: str) -> Explanation:
    """Why a step had to run, where no comparison of keys is needed."""
    return Explanation(step_id=step.id, name=step.name, action="executed", reason=reason, message=message)


def not_wanted(step: Step, mode: ReuseMode) -> Explanation:
    """Why reuse was not even looked for."""
    if mode == "refresh":
        return executed(step, Reason.REFRESH, "A refresh was asked for: computed anew, and the record replaced.")
    return executed(step, Reason.REUSE_OFF, "Reuse is off for this step or this run.")


def no_key(step: Step, error: Exception) -> Explanation:
    """Why a step without a key runs."""
    return executed(step, Reason.NO_KEY, f"What counts for it could not be read, so nothing can be reused. {error}")


def missed(step: Step, key: StepKey, history: Iterable[Record], files_of: FilesOf) -> Explanation:
    """Why no record answers the key of a step: what changed since the nearest attempt that is remembered."""
    record = nearest(key.parts, history)
    if record is None:
        return executed(step, Reason.FIRST_RUN, "No earlier attempt of this step is on record.")
    found = changes(record.parts, key.parts)
    if not found:
        message = "An earlier attempt had the same key, but its record is gone."
        return _compared(step, Reason.RECORD_LOST, message, record, found)
    found = [_with_files(change, files_of) for change in found]
    message = "Changed since run {}: {}.".format(record.origin.run_id, "; ".join(_in_words(change) for change in found))
    return _compared(step, Reason.CHANGED, message, record, found)


def _compared(step: Step, reason: Reason, message: str, record: Record, found: list[Change]) -> Explanation:
    return Explanation(
        step_id=step.id,
        name=step.name,
        action="executed",
        reason=reason,
        message=message,
        changed=tuple(found),
        compared_to=record.origin,
    )


def _with_files(change: Change, files_of: FilesOf) -> Change:
    """For a changed source folder, the changed files instead of two digests, as long as both are still known."""
    if change.part != "source" or change.before is None or change.now is None:
        return change
    try:
        before, now = files_of(change.before), files_of(change.now)
    except AirloomError:
        return change
    return Change(
        part="source",
        before={path: digest for path, digest in before.items() if now.get(path) != digest},
        now={path: digest for path, digest in now.items() if before.get(path) != digest},
    )


def _in_words(change: Change) -> str:
    if change.part == "source" and isinstance(change.before, dict) and isinstance(change.now, dict):
        return _files_in_words(change.before, change.now)
    if change.before is None:
        return f"{change.part} is new"
    if change.now is None:
        return f"{change.part} is gone"
    if isinstance(change.now, dict) and isinstance(change.before, dict):
        names = [name for name in change.now if change.now[name] != change.before.get(name)]
        return f"{change.part} ({', '.join(names)})"
    return f"{change.part} (was {_short(change.before)}, is {_short(change.now)})"


def _files_in_words(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [*now, *(path for path in before if path not in now)]
    shown = ", ".join(f"{path}{_fate(path, before, now)}" for path in names[:_SHOWN_FILES])
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return f"source ({shown}{more})"


def _fate(path: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if path not in before:
        return " added"
    return "" if path in now else " removed"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
