"""Digests of files, remembered by what the file system says of them, so that unchanged files are not read again.

A remembered digest counts only while path, size, mtime, ctime and inode are all as they were. Programs can set mtime
back but not ctime, so bytes altered behind a restored mtime are seen. A file that was changed within the last two
seconds is neither remembered nor looked up: it may change once more without its coarse timestamps moving.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from airloom.storage.cache_database import CacheDatabase
from airloom.storage.file_digests import RACY_NS, Digested, FileStat, digest_file, gone, hash_all

__all__ = ["RACY_NS", "Digested", "FileStat", "StatCache", "digest_file", "null_cache", "shared_cache", "with_check"]

_KEEP_SECONDS = 30 * 24 * 3600  # rows are dropped after this, so paths that are gone do not stay; others are rehashed
_TREES_PER_ROOT = 8  # states remembered of one folder: it may be read by several patterns, and be changed back

_LOOK_UP = """
SELECT files.path, size, mtime_ns, ctime_ns, inode, digest
FROM json_each(?) AS wanted CROSS JOIN files ON files.path = wanted.value
"""
_DROP_TREES = """
DELETE FROM trees WHERE root = ?1 AND fingerprint NOT IN
(SELECT fingerprint FROM trees WHERE root = ?1 ORDER BY stored_at DESC LIMIT ?2)
"""


class StatCache:
    """Digests by file state, in one SQLite file that any number of threads and processes may share.

    The cache only saves time: one that cannot be opened is done without, one that is broken is made anew. Each
    operation has its own connection, so instances may cross threads and forks. Without a path nothing is remembered.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._database = CacheDatabase(path)

    def digest(self, path: Path | str) -> str:
        """The digest of one file; NotFound if it is not there."""
        absolute = os.path.abspath(path)
        try:
            stat = FileStat.of(absolute, os.stat(absolute))
        except (FileNotFoundError, NotADirectoryError):
            raise gone(absolute) from None
        return self.digests([stat])[0].digest

    def digests(self, files: Sequence[FileStat]) -> list[Digested]:
        """The digests of many files, in their order: one look-up for all, and only unknown ones are read."""
        known = self.known(files)
        unknown = [file for file in files if file not in known]
        started_ns = time.time_ns()
        hashed = dict(zip(unknown, hash_all(unknown), strict=True))
        self.remember([done for done in hashed.values() if done.stat.settled(started_ns)])
        return [hashed[file] if file in hashed else Digested(file, known[file]) for file in files]

    def tree(self, fingerprint: bytes) -> str | None:
        """The digest remembered for a whole tree in one state, or None."""
        query = "SELECT digest FROM trees WHERE fingerprint = ?"
        row = self._database.run(lambda database: database.execute(query, (fingerprint,)).fetchone())
        return _checked(row[0]) if row else None

    def remember_tree(self, fingerprint: bytes, root: str, digest: str) -> None:
        """Remember the digest of a tree. All its files must have been settled before they were read."""
        now = time.time_ns()

        def write(database: sqlite3.Connection) -> None:
            with database:
                row = (fingerprint, root, with_check(digest), now)
                database.execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?, ?)", row)
                database.execute(_DROP_TREES, (root, _TREES_PER_ROOT))
                database.execute("DELETE FROM trees WHERE stored_at < ?", (now - _KEEP_SECONDS * 10**9,))

        self._database.run(write)

    @contextmanager
    def kept_open(self) -> Iterator[StatCache]:
        """The same cache for many look-ups in a row by one thread: over one connection, and written at the end."""
        cache = _KeptOpen(self.path)
        try:
            yield cache
        finally:
            cache.close()

    def known(self, files: Sequence[FileStat]) -> dict[FileStat, str]:
        """The digests of those files that are remembered in just this state."""
        now_ns = time.time_ns()
        wanted = {file.path: file for file in files if file.settled(now_ns)}
        if not wanted:
            return {}
        paths = json.dumps(list(wanted))
        rows = self._database.run(lambda database: database.execute(_LOOK_UP, (paths,)).fetchall()) or []
        found = {FileStat(*row[:5]): digest for row in rows if (digest := _checked(row[5]))}
        return {file: found[file] for file in wanted.values() if file in found}

    def remember(self, files: Iterable[Digested]) -> None:
        """Remember digests. Each file must have been settled before it was read."""
        now = int(time.time())
        rows = [(*file.stat, with_check(file.digest), now) for file in files]
        if not rows:
            return

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                database.execute("DELETE FROM files WHERE stored_at < ?", (now - _KEEP_SECONDS,))

        self._database.run(write)


class _KeptOpen(StatCache):
    """Gathers what is to be remembered, as each write of its own would have to wait for the disk."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._database = CacheDatabase(path, kept_open=True)
        self._gathered: list[Digested] = []

    def close(self) -> None:
        """Remember what was gathered, and close the connection."""
        super().remember(self._gathered)
        self._database.close()

    def remember(self, files: Iterable[Digested]) -> None:
        """Gather them."""
        self._gathered += files


def with_check(digest: str) -> str:
    """A digest as it is remembered: SQLite does not notice altered bytes, so it brings eight check digits along."""
    return f"{digest}{crc32(digest.encode()):08x}"


def _checked(remembered: object) -> str | None:
    """The digest in what was remembered; None if it was altered."""
    digest = remembered[:-8] if isinstance(remembered, str) else ""
    return digest if remembered == with_check(digest) else None


def null_cache() -> StatCache:
    """A cache that remembers nothing: every file is read each time."""
    return StatCache(None)


@lru_cache(maxsize=1)
def shared_cache() -> StatCache:
    """The cache of this user on this machine: in AIRLOOM_CACHE_DIR, else in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.environ.get("AIRLOOM_CACHE_DIR") or os.path.join(home, "airloom")
    return StatCache(Path(folder, "digests.sqlite"))
