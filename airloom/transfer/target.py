"""Where the files of a transfer arrive: pieces gather where nobody sees them, and appear together when all are there.

A target remembers its pieces so well that a process which is killed loses only those under way: whoever moves the same
files to the same place after it is told which pieces are still lacking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from airloom.storage.tree import TreeManifest
from airloom.transfer.plan import PlannedFile


class Target(Protocol):
    """The place of one plan. `lacking` and `put` may be called by many threads at once."""

    def begin(self) -> None:
        """Find what an earlier attempt has left. What others have left, with other plans, is removed."""

    def lacking(self, file: PlannedFile) -> Sequence[int]:
        """The pieces of a file that are not there yet."""

    def put(self, file: PlannedFile, index: int, data: bytes) -> None:
        """Keep a piece."""

    def publish(self) -> TreeManifest:
        """Check what has arrived, and let it be seen under its final name, in one step. Returns what is there then."""

    def discard(self) -> None:
        """Remove all pieces."""
