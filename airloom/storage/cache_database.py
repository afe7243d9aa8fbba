"""The SQLite file behind the cache of digests: opened when needed, made anew when broken, done without when it must."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Action = Callable[[sqlite3.Connection], Result]

_BROKEN = {1, 11, 26}  # SQLITE_ERROR (tables are not ours), SQLITE_CORRUPT, SQLITE_NOTADB

_ERRORS = (sqlite3.Error, UnicodeDecodeError)  # the latter for text in it that is not UTF-8

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, digest TEXT NOT NULL, stored_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_stored_at ON files (stored_at);
CREATE TABLE IF NOT EXISTS trees (
    fingerprint BLOB PRIMARY KEY, root TEXT NOT NULL, digest TEXT NOT NULL, stored_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS trees_root ON trees (root, stored_at);
"""
_ALL_COLUMNS = (
    "SELECT path, size, mtime_ns, ctime_ns, inode, digest, stored_at FROM files",
    "SELECT fingerprint, root, digest, stored_at FROM trees",
)


class CacheDatabase:
    """One SQLite file, or none. Any number of threads and processes may share it.

    Each action has a connection of its own, so instances may cross threads and forks; one that is `kept_open` serves
    a single thread until it is closed.
    """

    def __init__(self, path: Path | None, *, kept_open: bool = False) -> None:
        self.path = path
        self._kept_open = kept_open
        self._connection: sqlite3.Connection | None = None

    def run(self, action: Action[Result]) -> Result | None:
        """The action's result, or None if the cache cannot be used; a broken cache file is replaced once."""
        if self.path is None:
            return None
        try:
            return self._with_connection(self.path, action)
        except _ERRORS as error:
            if not _is_broken(error):
                log.debug("The digest cache %s is not used: %s", self.path, error)
                return None
            log.warning("The digest cache %s is broken (%s) and is made anew.", self.path, error)
        except OSError as error:
            log.debug("The digest cache %s is not used: %s", self.path, error)
            return None
        try:
            self.close()
            _discard_broken(self.path)
            return self._with_connection(self.path, action)
        except (*_ERRORS, OSError) as error:
            log.warning("The digest cache %s cannot be made anew: %s", self.path, error)
            return None

    def close(self) -> None:
        """Close a connection that was kept open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _with_connection(self, path: Path, action: Action[Result]) -> Result:
        if not self._kept_open:
            with _connection(path) as database:
                return action(database)
        if self._connection is None:
            self._connection = _connect(path)
        return action(self._connection)


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    database = _connect(path)
    try:
        yield database
    finally:
        database.close()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=10)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database


def _is_broken(error: Exception) -> bool:
    """True if the file itself is at fault, rather than a lock, a full disk or missing rights."""
    code = getattr(error, "sqlite_errorcode", None)  # those of `_check`, and of text that is not UTF-8, have none
    return code is None or code & 0xFF in _BROKEN


def _discard_broken(path: Path) -> None:
    """Remove the cache file unless another process has replaced it already."""
    with _rebuild_lock(path):
        try:
            with _connection(path) as database:
                _check(database)
        except _ERRORS as error:
            if not _is_broken(error):
                raise
            for suffix in ("-wal", "-shm", ""):  # the database last: who finds it gone must not meet its old log
                Path(f"{path}{suffix}").unlink(missing_ok=True)


def _check(database: sqlite3.Connection) -> None:
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(str(verdict))
    for query in _ALL_COLUMNS:
        database.execute(query).fetchall()


@contextmanager
def _rebuild_lock(path: Path) -> Iterator[None]:
    with open(f"{path}.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
