"""Which of Airflow's jobs each scheduler of a home is, and which of them are known to be dead.

A scheduler notes its job when it starts. The supervisor, which sees it die, marks the note; any scheduler that lives,
or the one that is started next, finds the mark and tells Airflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airloom.embedded.home import write_text

DEAD = ".dead"


class SchedulerNotes:
    """The notes of a home's schedulers, by the names of their components, in a folder of the home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def begin(self, component: str, job: str) -> None:
        """A scheduler starts: the one that was this component before is dead."""
        self.mark_dead(component)
        write_text(self._folder / component, job)

    def mark_dead(self, component: str) -> None:
        """A scheduler has died, and nothing that it had started is alive."""
        note = self._folder / component
        if note.exists():
            note.rename(self._folder / f"{component}-{note.read_text()}{DEAD}")

    def take_dead(self) -> Iterator[str]:
        """The jobs of dead schedulers. Each is forgotten when the caller comes back for the next, and not before."""
        for note in list(self._folder.glob(f"*{DEAD}")):
            yield note.stem.rpartition("-")[2]
            note.unlink(missing_ok=True)
