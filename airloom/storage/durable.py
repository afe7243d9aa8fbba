"""Writing so that a crash, even of the machine, leaves either the old state or the new one, and nothing between."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from airloom.errors import AlreadyExists

PRIVATE_PREFIX = ".airloom-"  # names that are ours alone: never listed, never accepted from a user
_COPY_BUFFER = 1 << 20


def temporary_name() -> str:
    """A new file name that no listing shows, for what is not complete yet."""
    return f"{PRIVATE_PREFIX}tmp-{uuid.uuid4().hex}"


def is_private(name: str) -> bool:
    """True for temporary files and locks, which are not part of any content."""
    return name.startswith(PRIVATE_PREFIX)


def sync_dir(folder: Path) -> None:
    """Make the entries of a folder (files made, renamed or removed) durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_dirs(folder: Path) -> None:
    """Make a folder and its missing parents, durably. AlreadyExists if a file is in the way."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        try:
            path.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise AlreadyExists(
                f"The folder {path} cannot be made: a file has its name.", hint="Choose another path.", target=str(path)
            ) from None
        sync_dir(path.parent)


@contextmanager
def new_file(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A temporary file in `folder`, synced when the block ends; the block's caller renames it. Removed on an error.

    Its modification time is set with the full resolution of the clock: that of the kernel is a few milliseconds, too
    coarse to tell two quick writes of equal size apart.
    """
    make_dirs(folder)
    path = folder / temporary_name()
    try:
        with path.open("xb") as file:
            yield file, path
            file.flush()
            now = time.time_ns()
            os.utime(file.fileno(), ns=(now, now))
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def copy_stream(source: BinaryIO, target: BinaryIO) -> None:
    """Copy all that is left in `source`."""
    shutil.copyfileobj(source, target, _COPY_BUFFER)


def sync_tree(root: Path) -> None:
    """Make a file, or all files and folders below a folder, durable. Links are not followed."""
    if not root.is_dir():
        _sync_file(root)
        return
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                _sync_file(path)
        sync_dir(Path(folder))


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a whole folder; absent is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=False)
    else:
        path.unlink(missing_ok=True)
