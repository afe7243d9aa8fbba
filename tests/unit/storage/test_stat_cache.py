"""The cache of file digests: it saves time and never changes an answer."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.errors import NotFound
from airloom.graph.canonical import digest_bytes
from airloom.storage.stat_cache import FileStat, StatCache, digest_file, null_cache, shared_cache, with_check

OldFiles = Callable[[int], list[Path]]
OLD_NS = 1_600_000_000_000_000_000


def remembered(cache: StatCache) -> dict[str, str]:
    assert cache.path is not None
    if not cache.path.exists():
        return {}
    with sqlite3.connect(cache.path) as database:
        return {path: text[:64] for path, text in database.execute("SELECT path, digest FROM files")}


def plant(cache: StatCache, path: Path, digest: str) -> None:
    """Replace what is remembered of a file's present state, to see whether the memory is used."""
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        assert (
            database.execute("UPDATE files SET digest = ? WHERE path = ?", (with_check(digest), str(path))).rowcount
            == 1
        )


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_small_and_large_files_are_hashed_alike(tmp_path: Path, size: int) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"ab" * (size // 2) + b"c" * (size % 2))
    assert digest_file(file) == digest_bytes(file.read_bytes())


def test_a_file_that_was_just_changed_is_not_remembered(cache: StatCache, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"new")
    assert cache.digest(tmp_path / "f") == digest_bytes(b"new")
    assert remembered(cache) == {}


def test_a_new_file_with_an_old_mtime_is_not_remembered_either(cache: StatCache, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"new")
    os.utime(tmp_path / "f", ns=(OLD_NS, OLD_NS))
    cache.digest(tmp_path / "f")
    assert remembered(cache) == {}


def test_an_unchanged_file_is_not_read_again(cache: StatCache, old_files: OldFiles) -> None:
    (file,) = old_files(1)
    content = file.read_bytes()
    assert cache.digest(file) == digest_bytes(content)
    plant(cache, file, "f" * 64)
    assert cache.digest(file) == "f" * 64
    assert null_cache().digest(file) == digest_bytes(content)


def test_bytes_altered_behind_a_restored_mtime_are_seen(cache: StatCache, old_files: OldFiles) -> None:
    """The very same size, mtime and inode: only ctime, which no program can set, tells."""
    (file,) = old_files(1)
    altered = file.read_bytes().replace(b"old", b"new")
    cache.digest(file)
    before = file.stat()
    with file.open("r+b") as stream:
        stream.write(altered)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert cache.digest(file) == digest_bytes(altered)
    time.sleep(2.1)
    assert cache.digest(file) == digest_bytes(altered)
    assert remembered(cache) == {str(file): digest_bytes(altered)}


@settings(max_examples=40)
@given(
    mtime_age=st.integers(-5_000_000_000, 5_000_000_000),
    ctime_age=st.integers(-5_000_000_000, 5_000_000_000),
)
def test_settled_means_both_times_are_more_than_two_seconds_ago(mtime_age: int, ctime_age: int) -> None:
    stat = FileStat("/f", 1, OLD_NS - mtime_age, OLD_NS - ctime_age, 1)
    assert stat.settled(OLD_NS) == (mtime_age > 2_000_000_000 and ctime_age > 2_000_000_000)


def test_many_files_come_back_in_their_order(cache: StatCache, old_files: OldFiles) -> None:
    files = old_files(200)
    expected = [digest_bytes(file.name.encode()) for file in files]
    stats = [FileStat.of(str(file), file.stat()) for file in files]
    assert [done.digest for done in cache.digests(stats[:100])] == expected[:100]
    assert len(remembered(cache)) == 100
    assert [done.digest for done in cache.digests(stats[::-1])] == expected[::-1]  # half known, half not
    assert remembered(cache) == {str(file): digest for file, digest in zip(files, expected, strict=True)}


def test_any_number_of_files_are_looked_up_by_one_query(cache: StatCache, monkeypatch: pytest.MonkeyPatch) -> None:
    stats = [FileStat(f"/data/folder-{n % 100}/{n}.bin", n, OLD_NS, OLD_NS, n) for n in range(20_000)]
    cache.digest(__file__)  # makes the database
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        rows = [(*stat, with_check(f"{stat.inode:064x}"), int(time.time())) for stat in stats]
        database.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    queries: list[str] = []
    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(lambda text: queries.append(text.split()[0]))
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    found = cache.digests(stats)
    assert [int(done.digest, 16) for done in found] == list(range(20_000))
    assert queries.count("SELECT") == 1


def test_a_missing_file_is_named(cache: StatCache, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"{tmp_path}/none does not exist"):
        cache.digest(tmp_path / "none")


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 1000)


def _damaged_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200:] = b"\xff" * (len(data) - 200)
    path.write_bytes(data)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _other_tables(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE files (something TEXT)")


@pytest.mark.parametrize("damage", [_garbage, _damaged_pages, _truncated, _other_tables])
def test_a_broken_cache_file_is_made_anew(
    cache: StatCache, tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    old = Path(os.__file__)  # a file that was certainly not changed within two seconds
    cache.digest(old)
    assert cache.path is not None
    damage(cache.path)
    assert cache.digest(old) == digest_bytes(old.read_bytes())
    assert remembered(cache) == {str(old): digest_bytes(old.read_bytes())}
    assert "is broken" in caplog.text


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "data").write_bytes(b"x")
    for place in (tmp_path / "file" / "below" / "x.sqlite", tmp_path):
        assert StatCache(place).digest(tmp_path / "data") == digest_bytes(b"x")


def test_a_cache_that_another_process_writes_to_still_answers(cache: StatCache) -> None:
    old = Path(os.__file__)
    cache.digest(old)
    assert cache.path is not None
    with sqlite3.connect(cache.path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert cache.digest(old) == digest_bytes(old.read_bytes())
        writer.rollback()
    assert len(remembered(cache)) == 1


def test_threads_and_forks_share_one_instance(cache: StatCache, old_files: OldFiles) -> None:
    files = old_files(64)
    expected = [digest_bytes(file.name.encode()) for file in files]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(cache.digest, files)) == expected
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as processes:
        assert list(processes.map(cache.digest, files)) == expected
    assert len(remembered(cache)) == 64


def test_eight_processes_that_find_the_cache_broken_all_get_right_digests(cache: StatCache) -> None:
    files = sorted(Path(os.__file__).parent.glob("*.py"))[:40]
    assert cache.path is not None
    cache.path.parent.mkdir()
    cache.path.write_bytes(b"broken" * 5000)
    with ProcessPoolExecutor(8, mp_context=get_context("spawn")) as processes:
        assert list(processes.map(cache.digest, files)) == [digest_bytes(file.read_bytes()) for file in files]
    assert set(remembered(cache)) <= {str(file) for file in files}


@pytest.mark.parametrize(
    "text", ["", "f" * 64, "f" * 72, with_check("f" * 64)[:-1], with_check("f" * 64).upper(), 7, b"f"]
)
def test_a_digest_without_the_right_check_digits_is_not_believed(
    cache: StatCache, old_files: OldFiles, text: object
) -> None:
    """Nor are those that an earlier version remembered, which had none."""
    (old,) = old_files(1)
    cache.digest(old)
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        database.execute("UPDATE files SET digest = ?", (text,))
    assert cache.digest(old) == digest_bytes(old.name.encode())
    assert remembered(cache) == {str(old): digest_bytes(old.name.encode())}


def test_what_was_remembered_long_ago_is_dropped(cache: StatCache, old_files: OldFiles) -> None:
    old, other = old_files(2)
    cache.digest(old)
    assert cache.path is not None
    with sqlite3.connect(cache.path) as database:
        database.execute("UPDATE files SET stored_at = stored_at - 31 * 24 * 3600")
    cache.digest(other)
    assert set(remembered(cache)) == {str(other)}


def test_the_shared_cache_lies_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_cache.cache_clear()
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path))
    assert shared_cache().path == tmp_path / "digests.sqlite"
    shared_cache.cache_clear()


_FORKS = """
import os, signal, sys
from airloom.storage.stat_cache import digest_file
expected = digest_file(sys.argv[1])
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if digest_file(sys.argv[1]) == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_that_has_hashed_may_fork_into_one_that_hashes(tmp_path: Path) -> None:
    """The threads that hash a large file together do not survive a fork; a child that needed them would hang."""
    large = tmp_path / "large"
    large.write_bytes(bytes(16 << 20))
    done = subprocess.run([sys.executable, "-c", _FORKS, str(large)], check=False)
    assert done.returncode == 0
