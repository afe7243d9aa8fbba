"""The file behind the cache of digests: its faults are no errors, and only a file that is broken is made anew."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

import pytest

from airloom.storage.cache_database import CacheDatabase

ROW = ("/f", 1, 2, 3, 4, "d", 5)


def count(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM files").fetchone()[0])


def insert(database: sqlite3.Connection) -> int:
    with database:
        return database.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", ROW).rowcount


class Failing:
    """An action that fails a number of times, with an error of SQLite of this code, and then counts the rows."""

    def __init__(self, code: int | None, times: int) -> None:
        self._error = sqlite3.DatabaseError("it fails")
        if code is not None:
            self._error.sqlite_errorcode = code
        self._times = times
        self.calls = 0

    def __call__(self, database: sqlite3.Connection) -> int:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return count(database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cache with one row."""
    path = tmp_path / "some" / "folder" / "digests.sqlite"
    assert CacheDatabase(path).run(insert) == 1
    return path


def test_without_a_path_nothing_is_done() -> None:
    assert CacheDatabase(None).run(count) is None


def test_several_see_one_file(path: Path) -> None:
    assert CacheDatabase(path).run(count) == 1
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("code", [5, 6, 8, 10, 13, 14, 261])
def test_a_fault_that_is_not_of_the_file_leaves_it_alone(
    path: Path, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Such as a lock that is held, a full disk, or missing rights."""
    failing = Failing(code, 1)
    with caplog.at_level(logging.DEBUG, "airloom"):
        assert CacheDatabase(path).run(failing) is None
    assert failing.calls == 1
    assert caplog.messages == [f"The digest cache {path} is not used: it fails"]
    assert CacheDatabase(path).run(count) == 1


@pytest.mark.parametrize("code", [1, 11, 26, 11 | 1 << 8, None])
def test_a_file_that_another_process_has_just_made_anew_is_kept(path: Path, code: int | None) -> None:
    """It was broken when this one looked, and is sound when it wants to replace it."""
    assert CacheDatabase(path).run(Failing(code, 1)) == 1


def test_what_fails_twice_is_done_without(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(11, 2)
    assert CacheDatabase(path).run(failing) is None
    assert failing.calls == 2
    assert caplog.messages == [
        f"The digest cache {path} is broken (it fails) and is made anew.",
        f"The digest cache {path} cannot be made anew: it fails",
    ]


def _not_text(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE files SET path = CAST(X'ff' AS TEXT)")


def _not_text_in_trees(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO trees VALUES (X'00', CAST(X'ff' AS TEXT), 'd', 1)")


def _other_columns(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE files DROP COLUMN inode")


def _other_columns_of_trees(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE trees DROP COLUMN digest")


def _nothing_where_something_must_be(path: Path) -> None:
    """Only `PRAGMA quick_check` sees this: every query still answers."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_schema SET sql = replace(sql, 'digest TEXT NOT NULL', 'digest TEXT')")
        database.execute("PRAGMA writable_schema = RESET")
        database.execute("UPDATE files SET digest = NULL")
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'digest TEXT', 'digest TEXT NOT NULL') WHERE name = 'files'"
        )


DAMAGES = [_not_text, _not_text_in_trees, _other_columns, _other_columns_of_trees, _nothing_where_something_must_be]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_broken_anywhere_is_made_anew(path: Path, damage: object) -> None:
    assert callable(damage)
    damage(path)
    assert CacheDatabase(path).run(Failing(None, 1)) == 0
    assert CacheDatabase(path).run(insert) == 1
    assert sorted(os.listdir(path.parent)) == ["digests.sqlite", "digests.sqlite.lock"]


def test_a_kept_connection_is_one_until_it_is_closed(path: Path) -> None:
    database = CacheDatabase(path, kept_open=True)
    first = database.run(lambda connection: connection)
    assert first is not None
    assert database.run(lambda connection: connection) is first
    database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        count(first)
    assert database.run(count) == 1
    database.close()
    database.close()


def test_otherwise_each_action_has_one_of_its_own(path: Path) -> None:
    database = CacheDatabase(path)
    first = database.run(lambda connection: connection)
    assert first is not None
    assert database.run(lambda connection: connection) is not first
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        count(first)


def test_a_kept_connection_to_a_broken_file_is_given_up(path: Path) -> None:
    database = CacheDatabase(path, kept_open=True)
    assert database.run(count) == 1
    _not_text(path)
    assert database.run(Failing(None, 1)) == 0
    database.close()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.DEBUG, "airloom"):
        assert CacheDatabase(tmp_path / "file" / "x.sqlite").run(count) is None
    assert caplog.messages[0].startswith(f"The digest cache {tmp_path}/file/x.sqlite is not used: ")
