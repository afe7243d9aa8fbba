"""Folders, stores and caches for the storage tests. Everything is real and lies in the test's own folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from airloom.storage.local import LocalStore
from airloom.storage.stat_cache import StatCache
from airloom.storage.workspace import WorkspaceStore

MakeTree = Callable[[str, dict[str, str]], Path]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


class RemoteStore(LocalStore):
    """A store whose objects lie on no disk of this machine, as far as anybody can see."""

    def local_path(self, key: str) -> None:
        return None


@pytest.fixture
def remote(tmp_path: Path, cache: StatCache) -> WorkspaceStore:
    """A workspace in a store that is elsewhere."""
    return WorkspaceStore(RemoteStore(tmp_path / "remote"), "lab", cache)


@pytest.fixture
def cache(tmp_path: Path) -> StatCache:
    return StatCache(tmp_path / "cache" / "digests.sqlite")


@pytest.fixture
def workspace(store: LocalStore, cache: StatCache) -> WorkspaceStore:
    return WorkspaceStore(store, "lab", cache)


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Writes {path: text} below a folder of the test and returns the folder."""

    def make(name: str, files: dict[str, str]) -> Path:
        root = tmp_path / name
        root.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return root

    return make


@pytest.fixture(scope="session")
def _old_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("old")
    files = [folder / f"old-{number}" for number in range(400)]
    for file in files:
        file.write_text(file.name)
    time.sleep(2.1)
    return iter(files)


@pytest.fixture
def old_files(_old_files: Iterator[Path]) -> Callable[[int], list[Path]]:
    """Gives files of one's own that nobody changed for over two seconds, whose content is their name.

    No program can set a file's ctime back, so the only way to an old file is to wait; all tests wait together.
    """
    return lambda count: list(islice(_old_files, count))
