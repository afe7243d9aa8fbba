"""What an attempt leaves besides its outputs: logs, readable while it runs, and the files its script wants kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, TextIO

from airloom.errors import AirloomError
from airloom.storage.paths import is_inside
from airloom.storage.workspace import WorkspaceStore

LOGS = {"stdout": "logs/stdout.txt", "stderr": "logs/stderr.txt", "job": "logs/job.txt"}
KEPT_FOLDERS = ("outputs", "logs")
"""Folders below the script's working folder whose files are kept, as in SDK v1."""

JOURNALS = ("metrics.jsonl", "run.jsonl")
UPLOADS = "uploads"


class AttemptNamed(Protocol):
    """Names an attempt of a step."""

    @property
    def run_id(self) -> str:
        """The run of the pipeline."""

    @property
    def step_id(self) -> str:
        """The step."""

    @property
    def attempt(self) -> str:
        """The attempt."""


class Artifacts:
    """The artifacts of one attempt. Open it to write logs.

    On a store of this machine the logs are written in place, line by line, so that they can be followed; for a remote
    store they are kept in `folder` and uploaded when closed.
    """

    def __init__(self, store: WorkspaceStore, spec: AttemptNamed, folder: Path) -> None:
        self._store = store
        self._attempt = (spec.run_id, spec.step_id, spec.attempt)
        self._folder = folder
        self._files: dict[str, TextIO] = {}
        self._to_upload: dict[str, Path] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Artifacts:
        for stream, name in LOGS.items():
            path = self._store.artifact_path(*self._attempt, name)
            if path is None:
                path = self._to_upload[name] = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)  # not durably: neither are the lines of a log
            file = path.open("w", encoding="utf-8", errors="backslashreplace", buffering=1)
            self._files[stream] = self._stack.enter_context(file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        for name, path in self._to_upload.items():
            self._store.write_artifact(*self._attempt, name, path)

    def write(self, stream: str, line: str) -> None:
        """Add a line to a log."""
        stamp = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} " if stream == "job" else ""
        self._files[stream].write(f"{stamp}{line}\n")

    def keep(self, working_folder: Path, run_folder: Path) -> list[str]:
        """Store the script's files: ./outputs, ./logs, uploads and metrics. Returns notes on what was left out."""
        notes = []
        for name, path in _kept_files(working_folder, run_folder):
            try:
                if name in LOGS.values():
                    notes.append(f"{name} of the script was not kept: the step's own log has this name")
                else:
                    self._store.write_artifact(*self._attempt, name, path)
            except (AirloomError, FileNotFoundError) as error:
                notes.append(f"{name} was not kept: {error}")
        return notes


def _kept_files(working_folder: Path, run_folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths of the files to keep; uploads come last, so that they win."""
    for folder in KEPT_FOLDERS:
        for name, path in _regular_files(working_folder / folder, working_folder):
            yield f"{folder}/{name}", path
    yield from _regular_files(run_folder / UPLOADS, run_folder)
    for name in JOURNALS:
        if (run_folder / name).is_file():
            yield name, run_folder / name


def _regular_files(root: Path, boundary: Path) -> Iterator[tuple[str, Path]]:
    """Files below a folder. Links that leave the boundary, pipes and devices are not the script's to keep."""
    limit = os.path.realpath(boundary)
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = Path(folder, name)
            if is_inside(os.path.realpath(path), limit) and path.exists() and stat.S_ISREG(path.stat().st_mode):
                yield path.relative_to(root).as_posix(), path
