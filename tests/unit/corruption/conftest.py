from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airloom.storage.stat_cache import StatCache
from tests.support.in_process import Workbench
from tests.unit.corruption.damage import spread

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a sweep writes thousands of files, and each would wait for the disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def bench(folder: Path) -> Workbench:
    return Workbench(folder, StatCache(folder / "cache" / "digests.sqlite"))


@pytest.fixture
def positions(rounds: Callable[[int, int], int]) -> Callable[[int], list[int]]:
    """The positions to damage of so many bytes: some, or all of them with --thorough."""
    return lambda size: spread(size, rounds(80, size))
