"""`airloom gc` and `airloom verify` on a real server, in a workspace of their own."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.core._connection import open_client
from airloom.exceptions import AuthenticationException, UserErrorException
from airloom.pipeline.core import Pipeline, PipelineData
from airloom.pipeline.steps import PythonScriptStep
from tests.support.server import RunningServer
from tests.support.small_pipeline import ensure_compute

WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('made once')\n"
COPY = """\
import pathlib, sys, time
gate = pathlib.Path(sys.argv[3])
while not gate.exists():
    time.sleep(0.1)
pathlib.Path(sys.argv[2]).write_text(pathlib.Path(sys.argv[1]).read_text() + ', copied')
"""


class Lab:
    """A workspace with one pipeline of two steps, the second of which waits for a file."""

    def __init__(self, server: RunningServer, ws: Workspace, folder: Path) -> None:
        self.server = server
        self.ws = ws
        self.folder = folder
        self.gate = folder / "gate"
        self.salt = uuid.uuid4().hex
        self.part = server.store / "workspaces" / ws.name
        for name, script in {"make": WRITE, "copy": COPY}.items():
            (folder / name).mkdir()
            (folder / name / "main.py").write_text(f"# {self.salt}\n{script}")

    def submit(self) -> Any:
        first = PipelineData("first", is_directory=False)
        second = PipelineData("second", is_directory=False)
        steps = [self._step("make", [first], outputs=[first])]
        steps.append(self._step("copy", [first, second, str(self.gate)], inputs=[first], outputs=[second]))
        return Experiment(self.ws, "upkeep").submit(Pipeline(self.ws, steps))

    def _step(self, name: str, arguments: list[Any], **data: Any) -> PythonScriptStep:
        source = str(self.folder / name)
        return PythonScriptStep(
            "main.py", name=name, arguments=arguments, compute_target="test-cluster", source_directory=source, **data
        )

    def run(self) -> Any:
        self.gate.touch()
        run = self.submit()
        assert run.wait_for_completion(show_output=False) == "Finished"
        return run

    def cli(self, *arguments: str, status: int = 0) -> Any:
        done = self.server.cli(*arguments, "--workspace", self.ws.name, "--json", check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def age(self, by: timedelta) -> None:
        """Make all of this workspace older: its part of the store, its pipelines, and its runs in the database."""
        for path in [*self.part.rglob("*"), *(self.server.store / "definitions").iterdir()]:
            if path.is_file():
                then = path.stat().st_mtime - by.total_seconds()
                os.utime(path, (then, then))
        with sqlite3.connect(self.server.home / "airflow" / "airflow.db", timeout=30) as database:
            ended = (datetime.now(UTC) - by).strftime("%Y-%m-%d %H:%M:%S.%f")
            database.execute(
                "UPDATE dag_run SET end_date = ? WHERE end_date IS NOT NULL AND run_id IN (SELECT airloom_run.id"
                " FROM airloom_run JOIN airloom_workspace ON airloom_workspace.id = workspace_id WHERE name = ?)",
                (ended, self.ws.name),
            )

    def outputs(self) -> list[str]:
        return sorted(path.read_text() for path in self.part.glob("data/*/azureml/*/*/*/*"))

    def files(self) -> dict[str, float]:
        return {str(path): path.stat().st_mtime for path in self.part.rglob("*") if path.is_file()}


@pytest.fixture
def lab(airloom_server: RunningServer, tmp_path: Path) -> Lab:
    ws = airloom_server.workspace()
    client = open_client(ws._connection, None)
    name = f"upkeep-{uuid.uuid4().hex[:8]}"
    with client:
        client.create_workspace({"name": name})
    mine = Workspace._opened(ws._connection, None, name)
    ensure_compute(mine)
    return Lab(airloom_server, mine, tmp_path)


@pytest.mark.integration
@pytest.mark.slow
def test_what_is_old_is_freed_and_what_a_live_run_uses_is_not(lab: Lab) -> None:
    lab.run()
    assert lab.cli("gc")["freed"] == {}
    before = lab.files()
    lab.age(timedelta(days=100))
    lab.gate.unlink()
    (lab.folder / "copy" / "main.py").write_text(f"# another {lab.salt}\n{COPY}")
    live = lab.submit()
    _wait(lambda: live.find_step_run("copy")[0].get_status() == "Running")
    lab.age(timedelta(days=100))
    foretold = lab.cli("gc", "--older-than", "2h", "--dry-run")
    assert lab.files().keys() >= before.keys()
    freed = lab.cli("gc", "--older-than", "2h")
    assert foretold["freed"] == freed["freed"]
    assert freed["problems"] == []
    assert freed["freed"]["outputs"]["count"] == freed["freed"]["pipelines"]["count"] == 1
    lab.gate.touch()
    assert live.wait_for_completion(show_output=False) == "Finished"
    assert lab.outputs() == ["made once", "made once, copied"]
    assert lab.cli("verify")["findings"] == []


@pytest.mark.integration
@pytest.mark.slow
def test_damage_is_found_put_aside_and_mended_by_another_run(lab: Lab) -> None:
    run = lab.run()
    assert lab.cli("verify")["findings"] == []
    (made,) = lab.part.glob(f"data/*/azureml/{run.id}/make/*/*")
    made.write_text("made once".upper())
    blob = next(iter((lab.part / "blobs").glob("*/*")))
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    found = lab.cli("verify", status=1)
    assert sorted(finding["kind"] for finding in found["findings"]) == ["output", "source file"]
    assert lab.cli("verify", status=1)["findings"] == found["findings"], "verify changed something"
    mended = lab.cli("verify", "--quarantine", status=1)
    assert all(finding["done"].startswith("moved to ") for finding in mended["findings"])
    assert lab.cli("verify")["findings"] == []
    again = lab.run()
    assert again.find_step_run("make")[0].is_reused is False
    assert lab.cli("verify")["findings"] == []
    assert list((lab.part / "quarantine").rglob("*.json")) and blob.exists()


@pytest.mark.integration
def test_the_reports_for_people_say_what_and_how_much(lab: Lab) -> None:
    lab.run()
    text = lab.server.cli("gc", "--dry-run", "--workspace", lab.ws.name).stdout
    assert "would be freed" in text and "source files" in text
    assert "All is as it was stored." in lab.server.cli("verify", "--workspace", lab.ws.name).stdout


@pytest.mark.integration
def test_a_limit_below_the_minimal_age_is_refused(lab: Lab) -> None:
    with open_client(lab.ws._connection, None) as client, pytest.raises(UserErrorException, match="older_than_seconds"):
        client.collect_garbage(lab.ws.name, {"older_than_seconds": 60}, lambda _: None)
    done = lab.server.cli("gc", "--older-than", "1h", check=False)
    assert done.returncode == 2 and "Nothing younger than 2h" in done.stderr


@pytest.mark.integration
def test_both_take_a_right(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_TOKEN", "not.a.token")
    with open_client(lab.ws._connection, None) as client, pytest.raises(AuthenticationException):
        client.verify(lab.ws.name, {}, lambda _: None)


@pytest.mark.integration
def test_the_work_stops_when_its_caller_goes_away(lab: Lab) -> None:
    lab.run()
    for number in range(40):  # files without content, which take seconds to read all the same
        blob = lab.part / "blobs" / "00" / f"{number:064x}"
        blob.parent.mkdir(exist_ok=True)
        with blob.open("wb") as file:
            file.truncate(1 << 30)
    log = lab.server.home / "logs" / "api-server.log"
    seen = log.stat().st_size
    with open_client(lab.ws._connection, None) as client, pytest.raises(KeyboardInterrupt):
        client.verify(lab.ws.name, {}, _interrupt_at("checking: source file"))
    _wait(lambda: b"The caller has gone" in log.read_bytes()[seen:])


def _interrupt_at(phase: str) -> Callable[[dict[str, Any]], None]:
    def on_progress(progress: dict[str, Any]) -> None:
        if progress["phase"] == phase:
            raise KeyboardInterrupt

    return on_progress


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
