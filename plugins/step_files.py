"""What attempts of steps have left in the store: logs and artifacts. A reused step shows those of its origin."""

from __future__ import annotations

import io

from airloom.errors import NotFound
from airloom.plugins.run_states import StepView
from airloom.storage.workspace import WorkspaceStore

LOG_PIECE = 1024 * 1024
LONGEST_LOG = 2**62
"""No file is longer, and files cannot be asked for what lies behind it."""

Attempt = tuple[str, str, str]
"""Run id, step id and attempt: where files lie."""


def attempt_of(storage: WorkspaceStore, run_id: str, step: StepView) -> Attempt | None:
    """The attempt to show: the one reused, else the one that gave the result, else the latest. None before all."""
    if step.reused_from is not None:
        return step.reused_from.run_id, step.reused_from.step_id, step.reused_from.attempt
    if step.result is not None:
        return run_id, step.step_id, step.result.attempt
    latest = latest_attempt(storage, run_id, step.step_id)
    return (run_id, step.step_id, latest) if latest is not None else None


def latest_attempt(storage: WorkspaceStore, run_id: str, step_id: str) -> str | None:
    """The name of the attempt with the highest number among those that have left files."""
    folder = storage.key("runs", run_id, step_id, "")
    attempts = {key.removeprefix(folder).partition("/")[0] for key in storage.store.list(folder)}
    return max(attempts, key=_number, default=None)


def _number(attempt: str) -> tuple[int, str]:
    digits = attempt.partition("-")[0]
    return int(digits) if digits.isdecimal() else -1, attempt


def read_log(storage: WorkspaceStore, attempt: Attempt | None, stream: str, offset: int) -> tuple[bytes, int]:
    """A piece of a log from a byte offset on, and the offset to go on from. Empty while there is none."""
    if attempt is None:
        return b"", offset
    try:
        file = storage.open_artifact(*attempt, f"logs/{stream}.txt")
    except NotFound:
        return b"", offset
    with file:
        file.seek(offset)
        data = whole_characters(file.read(LOG_PIECE))
    return data, offset + len(data)


def whole_characters(data: bytes) -> bytes:
    """The data without a last character that is not complete yet. What never was UTF-8 is left alone."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(data):
            return data[: error.start]
    return data


def list_artifacts(storage: WorkspaceStore, attempt: Attempt | None) -> list[tuple[str, int]]:
    """Paths and sizes of all files of an attempt, by path."""
    if attempt is None:
        return []
    return [(name, _size(storage, attempt, name)) for name in storage.list_artifacts(*attempt)]


def _size(storage: WorkspaceStore, attempt: Attempt, name: str) -> int:
    with storage.open_artifact(*attempt, name) as file:
        return file.seek(0, io.SEEK_END)
