"""An object store in a local folder: one file per object.

Writes go to a temporary file of the same folder, are synced, and then get their name in one step, so that neither a
reader nor a crash ever meets half an object. Writers of one key that depend on what is there take a file lock, which
the kernel releases when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from airloom.errors import AlreadyExists, NotFound
from airloom.graph.canonical import digest_bytes
from airloom.storage.durable import PRIVATE_PREFIX, is_private, make_dirs, new_file, sync_dir
from airloom.storage.freshness import ObjectInfo
from airloom.storage.objects import check_key, check_source
from airloom.storage.paths import confined, validate_relative

_LOCKS = 256  # keys share this many lock files, so that their number does not grow with the store
_COPY_BUFFER = 1 << 20


class LocalStore:
    """The folder `root` as an object store; it is made at the first write. Safe for many threads and processes."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(os.path.abspath(root))

    def __repr__(self) -> str:
        return f"LocalStore({str(self.root)!r})"

    def get(self, key: str) -> bytes:
        """The object's bytes; NotFound if there is none."""
        with self.open_read(key) as stream:
            return stream.read()

    def open_read(self, key: str) -> BinaryIO:
        """The object as a stream, to be closed by the caller; NotFound if there is none."""
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound(f"The store {self.root} has no object {key!r}.", target=key) from None

    def put(self, key: str, data: bytes) -> None:
        """Make or replace an object."""
        path = self._path(key)
        with new_file(path.parent) as (file, temporary):
            file.write(data)
        self._replace(key, temporary, path)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Make an object unless there is one. Of any number of racing writers exactly one gets True.

        However it ends, the object is durable: its writer may have died before it could see to that.
        """
        path = self._path(key)
        if path.is_dir():
            raise _folder_in_the_way(path)
        if path.exists():
            sync_dir(path.parent)
            return False
        with new_file(path.parent) as (file, temporary):
            file.write(data)
        try:
            os.link(temporary, path)  # unlike a rename, fails if the name is taken
            is_new = True
        except FileExistsError:
            is_new = False
        finally:
            temporary.unlink()
        sync_dir(path.parent)
        return is_new

    def put_file(self, key: str, source: Path, *, digest: str | None = None) -> None:
        """Make or replace an object from a file. With `digest`, IntegrityError (and no object) if the bytes differ."""
        path = self._path(key)
        with new_file(path.parent) as (file, temporary):
            actual = _copy_and_hash(source, file)
            check_source(str(source), actual, digest)
        self._replace(key, temporary, path)

    def update(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace an object by what `change` makes of it (None: there is none); no other write comes between.

        `change` may be called more than once, and must not use the store itself. Equal bytes are not written again.
        """
        path = self._path(key)
        with self._lock(key):
            while True:
                old = self._get_or_none(key)
                new = change(old)
                if old is None and not self.put_if_absent(key, new):
                    continue  # put_if_absent takes no lock, and another writer's came first
                if old is not None and new != old:
                    with new_file(path.parent) as (file, temporary):
                        file.write(new)
                    _rename(temporary, path)
                elif old is not None:
                    sync_dir(path.parent)  # whoever wrote these bytes may have died before
                return

    def exists(self, key: str) -> bool:
        """True if there is an object of exactly this key."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        path = self._path(key)
        if path.is_file():
            with self._lock(key):
                path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_dir(path.parent)

    def delete_exactly(self, key: str, data: bytes) -> bool:
        """Remove an object only if it has these bytes. False if it has others, or there is none."""
        path = self._path(key)
        if not path.is_file():
            return False
        with self._lock(key):
            if self._get_or_none(key) != data:
                return False
            path.unlink(missing_ok=True)
            sync_dir(path.parent)
            return True

    def info(self, key: str) -> ObjectInfo | None:
        """Size and time of the last write or touch of an object; None if there is none."""
        try:
            status = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return ObjectInfo(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def touch(self, key: str) -> bool:
        """Set the time of an object to now, which marks it as used; its bytes stay. False if there is none."""
        path = self._path(key)
        with self._lock(key):
            if not path.is_file():
                return False
            now = time.time_ns()
            os.utime(path, ns=(now, now))
            return True

    def delete_if_unused(self, key: str, before: datetime) -> bool:
        """Remove an object unless it was written or touched at or after this time. True if there is none any more."""
        path = self._path(key)
        with self._lock(key):
            found = self.info(key)
            if found is None:
                return True
            if found.modified >= before:
                return False
            path.unlink(missing_ok=True)
            sync_dir(path.parent)
            return True

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with these characters, in sorted order."""
        folder = validate_relative(prefix.rpartition("/")[0])
        return _keys_below(confined(self.root, folder), f"{folder}/" if folder else "", prefix)

    def etag(self, key: str) -> str | None:
        """A short text that is another after each write of the object; None if there is no object."""
        try:
            status = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"

    def local_path(self, key: str) -> Path | None:
        """Where the object lies, or would lie, on this machine's disk."""
        return self._path(key)

    def _path(self, key: str) -> Path:
        return confined(self.root, check_key(key))

    def _get_or_none(self, key: str) -> bytes | None:
        try:
            return self.get(key)
        except NotFound:
            return None

    def _replace(self, key: str, temporary: Path, path: Path) -> None:
        """Give a complete file its name, but not in the middle of an update() of it."""
        with self._lock(key):
            _rename(temporary, path)

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Exclude all other holders of this key's lock, in this process and in others."""
        folder = self.root / f"{PRIVATE_PREFIX}locks"
        make_dirs(folder)
        name = f"{int(digest_bytes(key.encode())[:8], 16) % _LOCKS:02x}"
        with (folder / name).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # released by closing
            yield


def _rename(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except IsADirectoryError:
        raise _folder_in_the_way(path) from None
    finally:
        temporary.unlink(missing_ok=True)
    sync_dir(path.parent)


def _folder_in_the_way(path: Path) -> AlreadyExists:
    return AlreadyExists(
        f"No object can be written to {path}: other objects lie below this name.",
        hint="Choose another key.",
        target=str(path),
    )


def _copy_and_hash(source: Path, target: BinaryIO) -> str:
    """Copy a file, and the digest of exactly the bytes that were copied."""
    hasher = blake3()
    with source.open("rb") as stream:
        while chunk := stream.read(_COPY_BUFFER):
            hasher.update(chunk)
            target.write(chunk)
    return hasher.hexdigest()


def _keys_below(folder: Path, stem: str, prefix: str) -> Iterator[str]:
    """Keys of the files below `folder`, whose own key is `stem`; sorted as whole keys are, hence '/' counts."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if not is_private(entry.name)
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        key = stem + name
        if name.endswith("/") and (key.startswith(prefix) or prefix.startswith(key)):
            yield from _keys_below(folder / name, key, prefix)
        elif not name.endswith("/") and key.startswith(prefix):
            yield key
