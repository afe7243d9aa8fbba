"""Writing so that a crash, even of the machine, leaves either the old state or the new one, and nothing between."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from airloom.errors import AlreadyExists

PRIVATE_PREFIX = ".airloom-"  # names that are ours alone: never listed, never accepted from a user
_COPY_BUFFER = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}
_OTHERS_CAME_BETWEEN = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR}
_TRIES = 10


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

    Its modification time is set with the full resolution of the clock. Kernels before 6.13 stamp files with a clock
    that moves every few milliseconds, and ext4 uses the inode of a removed file again at once, so without this two
    quick writes of equal size would look like one.
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


# --- replacing --------------------------------------------------------------------------------------------------


def take_place(source: Path, target: Path) -> None:
    """Give a complete file or folder the name `target`, durably. What is there is replaced in one step, and removed.

    Where the system cannot exchange two names, a folder goes aside before the other comes. A crash between leaves
    nothing at `target`; the next call removes what went aside.
    """
    aside = _aside(target)
    for last in (*[False] * (_TRIES - 1), True):
        try:
            old_is_left = _try_to_take(source, target, aside)
            break
        except OSError as error:
            if last or error.errno not in _OTHERS_CAME_BETWEEN:
                raise
    sync_dir(target.parent)  # before the old bytes go, or a loss of power might bring back their name without them
    if old_is_left:
        remove_tree(source)
    if os.path.lexists(aside):
        remove_tree(aside)


def _try_to_take(source: Path, target: Path, aside: Path) -> bool:
    """Put `source` at `target`. True if what was there now is at `source`."""
    folders = source.is_dir(), target.is_dir() and not target.is_symlink()
    if not os.path.lexists(target) or not any(folders):
        source.replace(target)
        return False
    if exchange(source, target):
        return True
    remove_tree(aside)
    target.rename(aside)
    try:
        source.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    return False


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders swap names in one step. False, and nothing is done, where the system cannot do that."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))


def _aside(target: Path) -> Path:
    """Where a folder goes while another takes its name; always the same, so that it is found after a crash."""
    return target.with_name(f"{PRIVATE_PREFIX}aside-{blake3(os.fsencode(target.name)).hexdigest(16)}")
