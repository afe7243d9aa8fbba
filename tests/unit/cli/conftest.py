"""The command in this process, and a server for it to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airloom.cli import main
from tests.unit.sdk_core.conftest import write_config
from tests.unit.sdk_pipeline.server import PipelineState, running

VARIABLES = ("AIRLOOM_ENDPOINT", "AIRLOOM_TOKEN", "AIRLOOM_HOME", "AIRLOOM_WORKSPACE", "AIRLOOM_DEBUG")


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, and none of the machine's settings."""
    for variable in VARIABLES:
        # Set first, so that a variable that the command itself sets is gone after the test.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def airloom(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command as its entry point does."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["airloom", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


@pytest.fixture
def state(tmp_path: Path, folder: Path) -> Iterator[PipelineState]:
    """What a running server knows; config.json in the working folder names that server."""
    with running(tmp_path / "server") as (endpoint, state):
        write_config(folder, endpoint)
        yield state
