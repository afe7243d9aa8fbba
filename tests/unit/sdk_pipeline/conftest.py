"""Surroundings of the tests: a working folder, scripts, and a server with an empty workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airloom.core import Experiment, Workspace, _compat
from tests.unit.sdk_core.conftest import write_config
from tests.unit.sdk_pipeline.server import PipelineState, running


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a working folder and a cache of its own, and hears warnings afresh."""
    for variable in ("AIRLOOM_ENDPOINT", "AIRLOOM_TOKEN", "AIRLOOM_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(_compat, "_warned", set())
    return folder


@pytest.fixture
def scripts(own_surroundings: Path) -> Path:
    """A source folder with three scripts and a helper."""
    folder = own_surroundings / "src"
    (folder / "lib").mkdir(parents=True)
    for name in ("train.py", "extract.py", "compare.py", "lib/tools.py"):
        (folder / name).write_text(f"print('{name}')\n")
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, PipelineState]]:
    """Address and state of a running server."""
    with running(tmp_path / "server") as (endpoint, state):
        yield endpoint, state


@pytest.fixture
def state(server: tuple[str, PipelineState]) -> PipelineState:
    """What the server knows."""
    return server[1]


@pytest.fixture
def ws(server: tuple[str, PipelineState], own_surroundings: Path) -> Workspace:
    """The workspace `default`."""
    return Workspace.from_config(str(write_config(own_surroundings / "config", server[0])))


@pytest.fixture
def experiment(ws: Workspace) -> Experiment:
    """An experiment without runs."""
    return Experiment(ws, "tests")
