"""How far a transfer has come: a bar on a terminal, plain lines elsewhere (notebooks, logs), or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol

from airloom.core._console import say


class Progress(Protocol):
    """What a transfer reports. Both methods may be called from several threads."""

    def advance(self, byte_count: int) -> None:
        """So many more bytes have been moved."""

    def done(self, path: str) -> None:
        """A file is complete."""


class _Silent:
    def advance(self, byte_count: int) -> None:
        """Say nothing."""

    def done(self, path: str) -> None:
        """Say nothing."""


class _Lines:
    def __init__(self, verb: str, total_files: int) -> None:
        self._verb, self._total, self._count, self._lock = verb, total_files, 0, Lock()

    def advance(self, byte_count: int) -> None:
        """Lines are written per file, not per block."""

    def done(self, path: str) -> None:
        """One line per file."""
        with self._lock:
            self._count += 1
            say(f"{self._verb} {path} ({self._count} of {self._total})")


class _Bar:
    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def advance(self, byte_count: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, byte_count)

    def done(self, path: str) -> None:
        """Show the name of the last file beside the bar."""
        self._bar.update(self._task, description=path)


@contextmanager
def transfer_progress(verb: str, total_files: int, total_bytes: int, show: bool) -> Iterator[Progress]:
    """Progress of a transfer; `verb` is the past participle that lines begin with ("Uploaded")."""
    if not show:
        yield _Silent()
    elif not sys.stdout.isatty():
        yield _Lines(verb, total_files)
    else:
        from rich.progress import BarColumn, DownloadColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
        with RichProgress(*columns) as bar:
            yield _Bar(bar, bar.add_task(f"{total_files} files", total=total_bytes))
        say(f"{verb} {total_files} files")
