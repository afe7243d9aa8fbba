"""Writers that do it as most programs do, for which a killed process is no danger, but a loss of power is.

They are what the check of lost power must find; see test_power_loss.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from airloom.storage.durable import sync_dir, sync_tree
from tests.support.scenarios import Atomic, Operation, Scenario


def _unsynced_bytes(root: Path) -> None:
    """The usual "atomic write": a temporary file and a rename, but no fsync of the file."""
    temporary = root / ".airloom-tmp-naive"
    temporary.write_bytes(b"new content")
    temporary.replace(root / "file")
    sync_dir(root)


def _unsynced_name(root: Path) -> None:
    """The file is synced, but not the folder that has its name."""
    temporary = root / ".airloom-tmp-naive"
    with temporary.open("wb") as file:
        file.write(b"new content")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(root / "file")


def _unsynced_folder(root: Path) -> None:
    """All is synced but the name of the folder that was made for it."""
    (root / "folder").mkdir(exist_ok=True)
    (root / "folder" / "file").write_bytes(b"new content")
    sync_tree(root / "folder")


def _deleted_too_early(root: Path) -> None:
    """The folder gets another name and is removed, but its old name may come back, with half of it."""
    doomed = root / ".airloom-tmp-naive"
    if (root / "two").exists():
        (root / "two").rename(doomed)
        shutil.rmtree(doomed)
    sync_dir(root)


def _old_file(root: Path) -> None:
    (root / "file").write_bytes(b"old")


def _old_folder(root: Path) -> None:
    (root / "two").mkdir()
    (root / "two" / "1").write_bytes(b"1")
    (root / "two" / "2").write_bytes(b"2")


_WRITERS: dict[str, tuple[Operation, Operation]] = {
    "unsynced bytes": (_old_file, _unsynced_bytes),
    "unsynced name": (_old_file, _unsynced_name),
    "unsynced folder": (_old_file, _unsynced_folder),
    "deleted too early": (_old_folder, _deleted_too_early),
}
NAIVE: dict[str, Scenario] = {name: Atomic([before], [write]) for name, (before, write) in _WRITERS.items()}
