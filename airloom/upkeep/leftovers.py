"""What killed processes have left behind: temporary files, staging folders, void leases.

All have names that are ours alone, and nobody refers to them. They are taken once nothing in them changed within the
minimal age. Times of change (`ctime`) count, which no program can set back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from airloom.runner.outputs import STAGING_PREFIX
from airloom.storage.datastores import DatastoreHandle, ShowsUnfinished
from airloom.storage.durable import PRIVATE_PREFIX, remove_tree
from airloom.upkeep.places import OUTPUTS, Attempt

_TEMPORARY = f"{PRIVATE_PREFIX}tmp-"


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nobody owns any more."""

    path: Path
    size: int
    changed: datetime

    def remove(self) -> None:
        """Remove it; that somebody else does so at the same time is fine."""
        try:
            remove_tree(self.path)
        except FileNotFoundError:
            return


@dataclass(frozen=True)
class Unfinished:
    """A folder of a remote datastore that an attempt has begun to publish."""

    path: str
    attempt: Attempt
    size: int
    changed: datetime


def unfinished(handle: DatastoreHandle) -> Iterator[Unfinished]:
    """The outputs on a remote datastore that were begun and not finished, of whatever workspace."""
    if not isinstance(handle, ShowsUnfinished):
        return
    for found in handle.unfinished(OUTPUTS):
        parts = found.path.split("/")
        if len(parts) > len(Attempt._fields):
            yield Unfinished(found.path, Attempt(*parts[1:4]), found.size, found.modified)


def temporary(folder: Path, *, skip: str = "") -> Iterator[Leftover | None]:
    """Temporary files and folders anywhere below a folder, but not in its entry `skip`; None for each folder seen."""
    for parent, folders, files in os.walk(folder):
        yield None
        for name in [name for name in (*folders, *files) if name.startswith(_TEMPORARY)]:
            found = measured(Path(parent, name))
            if found is not None:
                yield found
        ours = {skip} if skip and Path(parent) == folder else set()
        folders[:] = sorted(name for name in folders if not name.startswith(PRIVATE_PREFIX) and name not in ours)


def staging(root: Path, dead_steps: set[str]) -> Iterator[Leftover]:
    """The staging folders on a datastore of steps whose run has ended; `dead_steps` holds their `staging_stem`."""
    try:
        names = sorted(os.listdir(root / OUTPUTS))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        if name.startswith(STAGING_PREFIX) and name.rpartition("-")[0] in dead_steps:
            found = measured(root / OUTPUTS / name)
            if found is not None:
                yield found


def measured(path: Path) -> Leftover | None:
    """Size and last change of all in it; None if it is gone meanwhile."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    size, changed = status.st_size, max(status.st_ctime, status.st_mtime)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                status = Path(folder, name).lstat()
            except FileNotFoundError:
                continue
            size += status.st_size if name in files else 0
            changed = max(changed, status.st_ctime)
    return Leftover(path, size, datetime.fromtimestamp(changed, UTC))
