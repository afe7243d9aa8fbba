"""A folder on a service that keeps single files appears as a whole, or not at all.

A file of ours lies in the folder from before its first visible file until after the last. It names the writer. A
writer who finds that of another takes over, as that one may be dead: he puts his own name there, waits long enough
for a live one to notice and give up, and begins from nothing. A live writer looks every half second, and before the
end, whether the name is still his.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from airloom.errors import AirloomError, AlreadyExists, IntegrityError, StoreUnavailable, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage.durable import PRIVATE_PREFIX, is_private
from airloom.storage.remote_files import PIECE, RemoteFiles, pieces_of, side_by_side
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import TreeManifest, digest_files
from airloom.storage.walk import walk

UNFINISHED = f"{PRIVATE_PREFIX}unfinished"
"""Lies in a folder that readers are not to see."""

EMPTY = f"{PRIVATE_PREFIX}empty"
"""Lies in a folder without files, which services that know only files could not keep."""

_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 2.0


class Staged(NamedTuple):
    """A complete file of this machine that is to be published, with its path in the folder ("": the file itself)."""

    path: str
    source: Path
    size: int
    digest: str

    def pieces(self) -> Iterator[bytes]:
        """Its bytes. IntegrityError at the end, before the last are handed out, if they are not what was digested."""
        hasher = blake3()
        held: bytes | None = None
        for piece in pieces_of(self.source, self.size):
            if held is not None:
                yield held
            hasher.update(piece)
            held = piece
        if hasher.hexdigest() != self.digest:
            raise IntegrityError(
                f"The file {self.source} has changed since it was complete.",
                hint="Stop what writes to it, and run again.",
                target=self.path,
            )
        if held is not None:
            yield held


def staged_files(staged: Path, path: str, manifest: TreeManifest | None, cache: StatCache) -> list[Staged]:
    """What lies at `staged`, links within it resolved. Raises for what is missing, and for links that leave it."""
    if staged.is_symlink():
        raise UnsafePath(f"{staged} is a symbolic link.", hint="Write a real file or folder there.", target=path)
    found = list(walk(staged))
    manifest = manifest or digest_files(found, cache)
    known = {entry.path: entry for entry in manifest.entries}
    if known.keys() != {file.path for file in found}:
        raise IntegrityError(
            f"{staged} does not hold the files that it should.", hint="Stop what writes to it.", target=path
        )
    return [Staged(file.path, Path(file.stat.path), file.stat.size, known[file.path].digest) for file in found]


class Publication:
    """One writer's publishing of a folder."""

    def __init__(self, files: RemoteFiles, datastore: str, path: str, *, overwrite: bool) -> None:
        self._files = files
        self._datastore = datastore
        self._path = path
        self._overwrite = overwrite
        self._marker = f"{path}/{UNFINISHED}"
        self._name = secrets.token_hex(16).encode()
        self._looked = time.monotonic()
        self._looking = threading.Lock()

    def run(self, staged: Sequence[Staged]) -> None:
        """Publish. Whoever is killed in it leaves nothing that readers see."""
        self._begin()
        try:
            self._check_all(self._make(staged))
        except AirloomError:
            self._look()  # it may have failed because another has taken over
            raise
        self._look()
        self._files.remove([self._marker])

    def _make(self, staged: Sequence[Staged]) -> dict[str, str]:
        """Replace what is there. The paths of all that was made, with ETags as far as the service tells them."""
        self._remove_old()
        made = dict(side_by_side(self._put, [file for file in staged if file.size <= PIECE]))
        made |= dict(self._put(file) for file in staged if file.size > PIECE)  # each of them in pieces side by side
        if not staged:
            made[f"{self._path}/{EMPTY}"] = self._files.put(f"{self._path}/{EMPTY}", [], 0, digest_bytes(b""))
        return made

    def _begin(self) -> None:
        """Hide the folder. If another had begun before and has not ended, make sure that he will not go on."""
        digest = digest_bytes(self._name)
        while self._files.put_new(self._marker, self._name, digest) is None:
            other = self._files.stat(self._marker)
            if other is not None and self._files.put_instead(other, self._name, digest):
                time.sleep(_GRACE_SECONDS)
                self._look()
                return
        self._refuse_finished()

    def _refuse_finished(self) -> None:
        """AlreadyExists if another came and ended after it was looked whether there is something."""
        if self._overwrite:
            return
        if any(file.path != self._marker for file in self._files.find(self._path)):
            self._files.remove([self._marker])
            raise AlreadyExists(
                f"The datastore {self._datastore!r} already has {self._path!r}.",
                hint="Choose another path, or ask for overwriting.",
                target=self._path,
            )

    def _put(self, file: Staged) -> tuple[str, str]:
        path = f"{self._path}/{file.path}"
        return path, self._files.put(path, self._watched(file.pieces()), file.size, file.digest)

    def _watched(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces; while they travel, it is looked now and then whether they still should."""
        for piece in pieces:
            with self._looking:
                if time.monotonic() > self._looked + _LOOK_SECONDS:
                    self._look()
            yield piece

    def _look(self) -> None:
        """Raises if another has taken over."""
        self._looked = time.monotonic()
        found = self._files.stat(self._marker)
        if found is not None and found.digest == digest_bytes(self._name):
            return
        message = f"Another writer publishes {self._path!r} of the datastore {self._datastore!r}, too."
        if self._overwrite:
            raise StoreUnavailable(message, hint="Try again when it has ended.", target=self._path)
        raise AlreadyExists(message, hint="Choose another path, or ask for overwriting.", target=self._path)

    def _remove_old(self) -> None:
        """Remove what was there before, or was left by a writer that was killed."""
        self._files.remove([file.path for file in self._files.find(self._path) if file.path != self._marker])

    def _check_all(self, made: dict[str, str]) -> None:
        """Make sure that no request of another writer has made or replaced a file."""
        there = {file.path: file.etag for file in self._files.find(self._path) if _is_published(file.path)}
        replaced = any(etag and there.get(path) != etag for path, etag in made.items())
        if replaced or there.keys() != made.keys():
            raise StoreUnavailable(
                f"Another writer has written to {self._path!r} of the datastore {self._datastore!r}.",
                hint="Try again when it has ended.",
                target=self._path,
            )


def _is_published(path: str) -> bool:
    """True for a file that was staged, and for what stands for none."""
    return path.endswith(f"/{EMPTY}") or not any(map(is_private, path.split("/")))
