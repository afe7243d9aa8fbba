"""The cache of digests is damaged in every way; the digest of a file stays that of its bytes.

A wrong digest out of the cache would not hand out wrong bytes, but it would make an intact output look altered, and
refuse a source folder as changing while it is read.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airloom.storage.stat_cache import FileStat, StatCache, digest_file, null_cache, with_check
from airloom.storage.tree import digest_tree, scan_tree
from tests.unit.corruption.damage import damages, mend, spread

log = logging.getLogger(__name__)

FILES = 40  # enough for the digest of the whole folder to be remembered too


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileStat]:
    """Files that are old enough to be remembered."""
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"file-{number:03}" for number in range(FILES)]
    for path in paths:
        path.write_bytes(path.name.encode())
    time.sleep(2.1)
    return [FileStat.of(str(path), os.stat(path)) for path in paths]


def digests(cache: Path, files: list[FileStat]) -> list[str]:
    """The digests of all files, and of the folder that holds them."""
    tree = digest_tree(Path(files[0].path).parent, StatCache(cache))
    return [*(done.digest for done in StatCache(cache).digests(files)), tree]


def digests_without_cache(files: list[FileStat]) -> list[str]:
    tree = scan_tree(Path(files[0].path).parent, null_cache()).digest
    return [*(digest_file(file.path) for file in files), tree]


@pytest.fixture
def cache(folder: Path, files: list[FileStat]) -> Path:
    """A cache file that knows all files, as copied while a process works with it: with its log and its index."""
    live, copy = folder / "live" / "digests.sqlite", folder / "copy" / "digests.sqlite"
    StatCache(live).digests(files[:4])
    reader = sqlite3.connect(live)
    reader.execute("SELECT * FROM files").fetchall()  # keeps the log from being written back
    digests(live, files)
    shutil.copytree(live.parent, copy.parent)
    reader.close()
    return copy


def test_the_cache_is_asked_at_all(cache: Path, files: list[FileStat]) -> None:
    """Else nothing below would say anything: a digest planted together with its check digits is believed."""
    good = digests_without_cache(files)
    with sqlite3.connect(cache) as database:
        for table in ("files", "trees"):
            database.execute(f"UPDATE {table} SET digest = ?", (with_check(good[0]),))
    database.close()
    assert digests(cache, files) == [*[good[0]] * FILES, good[0]]


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_digests_are_right_whatever_happens_to_the_cache(
    cache: Path, files: list[FileStat], rounds: Callable[[int, int], int], suffix: str
) -> None:
    intact = {file: file.read_bytes() for file in cache.parent.iterdir() if not file.name.endswith(".lock")}
    damaged = Path(f"{cache}{suffix}")
    good = digests_without_cache(files)
    total = 0
    many = 200 if suffix == "-shm" else 4000  # a damaged lock table is waited for
    for damage in damages(intact[damaged], spread(len(intact[damaged]), rounds(40, many))):
        damage.do_to(damaged)
        assert digests(cache, files) == good, damage.kind
        assert digests(cache, files) == good, f"{damage.kind}, and used once more"
        total += 1
        for file in {*cache.parent.iterdir(), *intact}:
            mend(file, intact[file]) if file in intact else file.unlink()
    log.info("digests.sqlite%s: %d damages, all digests right", suffix, total)
    assert total > 200
