"""Reading files for their digests, as fast as the machine can.

Files are read and not mapped: a mapped file that another process truncates meanwhile would end this one by SIGBUS.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from airloom.errors import IntegrityError, NotFound

RACY_NS = 2_000_000_000
_OLDEST_NS = -(1 << 63)
_BUFFER_BYTES = 1 << 19  # stays in the cache of a core while it is filled and hashed
_LARGE_BUFFER_BYTES = 4 << 20  # of a file that all cores hash together: each needs a part worth its while
_MANY_FILES = 16
_HASHING_THREADS = min(8, (os.cpu_count() or 1) + 2)
_kept = threading.local()


class _Cores:
    """How many may hash one file together: all, but one in a forked child, where the others' threads do not exist.

    They live once in a process. A child that hands them work after its parent did would wait for them for ever.
    """

    number = blake3.AUTO

    def fork(self) -> None:
        self.number = 1


_cores = _Cores()
os.register_at_fork(after_in_child=_cores.fork)


class FileStat(NamedTuple):
    """A file and what identifies one state of its content. The inode is a signed number, as SQLite has no others."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> FileStat:
        """From a result of `os.stat`; `path` must be absolute."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, signed(status.st_ino))

    def settled(self, now_ns: int) -> bool:
        """True if the last change is long enough ago for the timestamps to tell the next one."""
        return is_settled(min(self.mtime_ns, self.ctime_ns), max(self.mtime_ns, self.ctime_ns), now_ns)


class Digested(NamedTuple):
    """The digest of a file's content, and the state of the file that had it."""

    stat: FileStat
    digest: str


def signed(inode: int) -> int:
    """An inode number, of 64 bits without a sign, as a signed one."""
    return inode - (1 << 64) if inode >> 63 else inode


def is_settled(oldest_ns: int, newest_ns: int, now_ns: int) -> bool:
    """True for times of change that are over two seconds ago, and not before those that 64 bits can hold."""
    return oldest_ns >= _OLDEST_NS and newest_ns < now_ns - RACY_NS


def digest_file(path: Path | str, *, together: bool = True) -> str:
    """BLAKE3 of a file's bytes. All cores work on it `together`, if it is large enough for that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        together = together and os.fstat(descriptor).st_size >= _LARGE_BUFFER_BYTES
        hasher = blake3(max_threads=_cores.number if together else 1)
        buffer = memoryview(bytearray(_LARGE_BUFFER_BYTES)) if together else _buffer()
        while count := os.readv(descriptor, [buffer]):
            hasher.update(buffer[:count])
    finally:
        os.close(descriptor)
    return hasher.hexdigest()


def hash_all(files: Sequence[FileStat]) -> list[Digested]:
    """The digests of files that nobody writes to meanwhile, in their order.

    Raises NotFound for a file that is gone, IntegrityError for one that keeps changing.
    """
    if len(files) < _MANY_FILES:
        return [_hash_settled(file) for file in files]
    results: dict[int, Digested] = {}
    largest_first = iter(sorted(range(len(files)), key=lambda index: -files[index].size))

    def work() -> None:
        try:
            for index in largest_first:  # one iterator for all threads, so that none is left with more than others
                results[index] = _hash_settled(files[index], together=False)
        except BaseException:
            deque(largest_first, maxlen=0)  # nothing is left to do for the others
            raise

    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        for worker in [pool.submit(work) for _ in range(_HASHING_THREADS)]:
            worker.result()
    return [results[index] for index in range(len(files))]


def _buffer() -> memoryview:
    """The buffer of this thread. Making one anew for each small file would cost more than hashing it."""
    buffer: memoryview | None = getattr(_kept, "buffer", None)
    if buffer is None:
        buffer = _kept.buffer = memoryview(bytearray(_BUFFER_BYTES))
    return buffer


def _hash_settled(file: FileStat, *, together: bool = True) -> Digested:
    """Hash a file; one that changes meanwhile is read once more, then refused."""
    for _ in range(2):
        try:
            digest = digest_file(file.path, together=together)
            after = FileStat.of(file.path, os.stat(file.path))
        except (FileNotFoundError, NotADirectoryError):
            raise gone(file.path) from None
        if after == file:
            return Digested(file, digest)
        file = after
    raise IntegrityError(
        f"The file {file.path} changes while it is read.",
        hint="Stop what writes to it, or exclude it.",
        target=file.path,
    )


def gone(path: str) -> NotFound:
    """The error for a file that is not there."""
    return NotFound(f"The file {path} does not exist.", hint="Check the path.", target=path)
