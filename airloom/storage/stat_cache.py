"""Digests of files, remembered by what the file system says of them, so that unchanged files are not read again.

A remembered digest counts only while path, size, mtime, ctime and inode are all as they were. Programs can set mtime
back but not ctime, so bytes altered behind a restored mtime are seen. A file that was changed within the last two
seconds is neither remembered nor looked up: it may change once more without its coarse timestamps moving.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from blake3 import blake3

from airloom.errors import IntegrityError, NotFound

log = logging.getLogger(__name__)
Result = TypeVar("Result")

RACY_NS = 2_000_000_000
_KEEP_SECONDS = 30 * 24 * 3600  # rows are dropped after this, so paths that are gone do not stay; others are rehashed
_BUFFER_BYTES = 8 << 20
_MANY_FILES = 16
_HASHING_THREADS = min(8, (os.cpu_count() or 1) + 2)
_BROKEN = {1, 11, 26}  # SQLITE_ERROR (tables are not ours), SQLITE_CORRUPT, SQLITE_NOTADB

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, digest TEXT NOT NULL, stored_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_stored_at ON files (stored_at);
"""
_LOOK_UP = """
SELECT files.path, size, mtime_ns, ctime_ns, inode, digest
FROM json_each(?) AS wanted CROSS JOIN files ON files.path = wanted.value
"""


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
    """A file and what identifies one state of its content."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> FileStat:
        """From a result of `os.stat`; `path` must be absolute."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def settled(self, now_ns: int) -> bool:
        """True if the last change is long enough ago for the timestamps to tell the next one."""
        return max(self.mtime_ns, self.ctime_ns) < now_ns - RACY_NS


class Digested(NamedTuple):
    """The digest of a file's content, and the state of the file that had it."""

    stat: FileStat
    digest: str


def digest_file(path: Path | str) -> str:
    """BLAKE3 of a file's bytes.

    Read and not mapped: a mapped file that another process truncates meanwhile would end this one by SIGBUS.
    """
    hasher = blake3(max_threads=_cores.number)
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(min(max(os.fstat(file.fileno()).st_size, 1), _BUFFER_BYTES)))
        while count := file.readinto(buffer):
            hasher.update(buffer[:count])
    return hasher.hexdigest()


class StatCache:
    """Digests by file state, in one SQLite file that any number of threads and processes may share.

    The cache only saves time: one that cannot be opened is done without, one that is broken is made anew. Each
    operation has its own connection, so instances may cross threads and forks. Without a path nothing is remembered.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def digest(self, path: Path | str) -> str:
        """The digest of one file; NotFound if it is not there."""
        absolute = os.path.abspath(path)
        try:
            stat = FileStat.of(absolute, os.stat(absolute))
        except (FileNotFoundError, NotADirectoryError):
            raise _gone(absolute) from None
        return self.digests([stat])[0].digest

    def digests(self, files: Sequence[FileStat]) -> list[Digested]:
        """The digests of many files, in their order: one look-up for all, and only unknown ones are read."""
        known = self._look_up(files)
        unknown = [file for file in files if file not in known]
        started_ns = time.time_ns()
        hashed = dict(zip(unknown, _hash_all(unknown), strict=True))
        self._remember(done for done in hashed.values() if done.stat.settled(started_ns))
        return [hashed[file] if file in hashed else Digested(file, known[file]) for file in files]

    def _look_up(self, files: Sequence[FileStat]) -> dict[FileStat, str]:
        now_ns = time.time_ns()
        wanted = {file.path: file for file in files if file.settled(now_ns)}
        if not wanted:
            return {}
        paths = json.dumps(list(wanted))
        rows = self._run(lambda database: database.execute(_LOOK_UP, (paths,)).fetchall()) or []
        found = {FileStat(*row[:5]): str(row[5]) for row in rows}
        return {file: found[file] for file in wanted.values() if file in found}

    def _remember(self, files: Iterable[Digested]) -> None:
        now = int(time.time())
        rows = [(*file.stat, file.digest, now) for file in files]
        if not rows:
            return

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                database.execute("DELETE FROM files WHERE stored_at < ?", (now - _KEEP_SECONDS,))

        self._run(write)

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """The action's result, or None if the cache cannot be used; a broken cache file is replaced once."""
        if self.path is None:
            return None
        try:
            return _with_database(self.path, action)
        except sqlite3.DatabaseError as error:
            if not _is_broken(error):
                log.debug("The digest cache %s is not used: %s", self.path, error)
                return None
            log.warning("The digest cache %s is broken (%s) and is made anew.", self.path, error)
        except OSError as error:
            log.debug("The digest cache %s is not used: %s", self.path, error)
            return None
        try:
            _discard_broken(self.path)
            return _with_database(self.path, action)
        except (sqlite3.Error, OSError) as error:
            log.warning("The digest cache %s cannot be made anew: %s", self.path, error)
            return None


def null_cache() -> StatCache:
    """A cache that remembers nothing: every file is read each time."""
    return StatCache(None)


@lru_cache(maxsize=1)
def shared_cache() -> StatCache:
    """The cache of this user on this machine: in AIRLOOM_CACHE_DIR, else in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.environ.get("AIRLOOM_CACHE_DIR") or os.path.join(home, "airloom")
    return StatCache(Path(folder, "digests.sqlite"))


# --- hashing ----------------------------------------------------------------------------------------------------


def _hash_all(files: Sequence[FileStat]) -> list[Digested]:
    if len(files) < _MANY_FILES:
        return [_hash_settled(file) for file in files]
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        return list(pool.map(_hash_settled, files, chunksize=64))


def _hash_settled(file: FileStat) -> Digested:
    """Hash a file that nobody writes to meanwhile; one that changes is read once more, then refused."""
    for _ in range(2):
        try:
            digest = digest_file(file.path)
            after = FileStat.of(file.path, os.stat(file.path))
        except (FileNotFoundError, NotADirectoryError):
            raise _gone(file.path) from None
        if after == file:
            return Digested(file, digest)
        file = after
    raise IntegrityError(
        f"The file {file.path} changes while it is read.",
        hint="Stop what writes to it, or exclude it.",
        target=file.path,
    )


def _gone(path: str) -> NotFound:
    return NotFound(f"The file {path} does not exist.", hint="Check the path.", target=path)


# --- the database -----------------------------------------------------------------------------------------------


def _with_database(path: Path, action: Callable[[sqlite3.Connection], Result]) -> Result:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(_SCHEMA)
        return action(database)


def _is_broken(error: sqlite3.Error) -> bool:
    """True if the file itself is at fault, rather than a lock, a full disk or missing rights."""
    code = getattr(error, "sqlite_errorcode", None)  # that of `_check` has none
    return not isinstance(error, sqlite3.OperationalError) if code is None else code & 0xFF in _BROKEN


def _discard_broken(path: Path) -> None:
    """Remove the cache file unless another process has replaced it already."""
    with _rebuild_lock(path):
        try:
            _with_database(path, _check)
        except sqlite3.DatabaseError as error:
            if not _is_broken(error):
                raise
            for suffix in ("-wal", "-shm", ""):  # the database last: who finds it gone must not meet its old log
                Path(f"{path}{suffix}").unlink(missing_ok=True)


def _check(database: sqlite3.Connection) -> None:
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(str(verdict))
    database.execute(_LOOK_UP, ("[]",))
    database.execute("SELECT stored_at FROM files LIMIT 1")


@contextmanager
def _rebuild_lock(path: Path) -> Iterator[None]:
    with open(f"{path}.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
