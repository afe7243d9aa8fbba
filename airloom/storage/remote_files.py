"""The files of a place that is on no disk of this machine, one by one; and what identifies their content.

A service of files knows nothing of folders that appear as a whole: `airloom.storage.remote_datastore` makes them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from airloom.errors import IntegrityError
from airloom.graph.canonical import digest_value

DIGEST_KEY = "airloom_digest"
"""Under this name the BLAKE3 digest of a file's content is kept with what the service remembers of the file."""

PIECE = 8 * 1024 * 1024
"""How many bytes travel in one request."""

THREADS = 8
"""How many requests are under way at a time; each holds a piece at most."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class RemoteFile(NamedTuple):
    """A version of a file. `digest` is that of its content if whoever wrote the file has left it there.

    `version` is what else the service needs to be told of it where it is to be replaced.
    """

    path: str
    size: int
    modified: datetime
    etag: str
    digest: str | None = None
    version: str | None = None

    @property
    def identity(self) -> str:
        """What stands for the content in a manifest: its digest, else one of what the service calls this version."""
        return self.digest or version_digest(self.etag, self.size)


class RemoteFiles(Protocol):
    """A service that keeps files under paths. Each method raises StoreUnavailable if it does not answer, or refuses."""

    @property
    def place(self) -> str:
        """Where the files lie, in words, without secrets."""

    def check(self, paths: Sequence[str]) -> None:
        """Raise InvalidName for a path that the service cannot keep; they are all to be kept side by side."""

    def find(self, folder: str) -> Iterator[RemoteFile]:
        """All files below a folder ("": all there are), those of Airloom's own too; a digest may be missing."""

    def stat(self, path: str) -> RemoteFile | None:
        """One file with its digest, or None."""

    def read(self, file: RemoteFile, start: int, stop: int) -> bytes:
        """Some bytes of this version of a file; IntegrityError (`changed`) if it is there no more."""

    def put(self, path: str, pieces: Iterable[bytes], size: int, digest: str) -> str:
        """Make or replace a file, which is seen whole or not at all. What `pieces` raises leaves the old one.

        The new version's ETag, "" where the service does not tell it.
        """

    def put_new(self, path: str, data: bytes, digest: str) -> str | None:
        """Make a small file, or None if there is one."""

    def put_instead(self, old: RemoteFile, data: bytes, digest: str) -> bool:
        """Replace a small file if it still is the version `old`; else False."""

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; those that are not there are no error."""


def version_digest(etag: str, size: int) -> str:
    """What identifies a version of a file whose content is unknown."""
    return digest_value(["etag", etag, size])


def changed(place: str, path: str) -> IntegrityError:
    """The error for a file that is not the version any more that was listed."""
    return IntegrityError(
        f"The file {path!r} of {place} was replaced or removed while it was read.",
        hint="Run again, once nothing writes to it.",
        target=path,
    )


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], threads: int = THREADS) -> list[Result]:
    """Do the work for all items, several at a time; the results in their order. The first error ends the rest."""
    if len(items) < 2:
        return [work(item) for item in items]
    results: dict[int, Result] = {}
    waiting = iter(enumerate(items))

    def take() -> None:
        try:
            for index, item in waiting:  # one iterator for all threads
                results[index] = work(item)
        except BaseException:
            deque(waiting, maxlen=0)  # nothing is left to do for the others
            raise

    with ThreadPoolExecutor(min(threads, len(items))) as pool:
        for worker in [pool.submit(take) for _ in range(min(threads, len(items)))]:
            worker.result()
    return [results[index] for index in range(len(items))]


def pieces_of(path: Path, size: int) -> Iterator[bytes]:
    """A local file, a piece at a time."""
    with path.open("rb") as stream:
        while piece := stream.read(PIECE if size > PIECE else size + 1):
            yield piece
