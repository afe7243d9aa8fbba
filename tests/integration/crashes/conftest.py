"""Scenarios, each with a folder to be interrupted in, and a server of processes to be killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airloom.storage.stat_cache import shared_cache
from tests.support.crashes import ForkServer, fork_server, memory_folder
from tests.support.naive_writers import NAIVE
from tests.support.scenarios import SCENARIOS, Scenario


class Stage:
    """A scenario that has been prepared, and can be put back to its beginning any number of times."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.scenario: Scenario = (SCENARIOS | NAIVE)[name]
        self.root = folder / "root"
        self.log = folder / "calls"
        self._saved = folder / "saved"
        self.scenario.prepare(self.root)
        shutil.copytree(self.root, self._saved, symlinks=True)

    def reset(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self._saved, self.root, symlinks=True)

    def check_and_go_on(self, *, finished: bool = False) -> None:
        """What is left is allowed, and doing the work again gives the new state."""
        self.scenario.check(self.root, finished=finished)
        self.scenario.act(self.root)
        self.scenario.check(self.root, finished=True)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stage]]:
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "cache"))
    shared_cache.cache_clear()
    with memory_folder() as folder:
        yield lambda name: Stage(name, folder)
    shared_cache.cache_clear()


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    with fork_server() as server:
        yield server
