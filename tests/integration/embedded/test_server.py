"""`airloom up`, `status`, `doctor` and `down` with a real Airflow."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from airloom.embedded import processes
from airloom.embedded.home import Home
from tests.support.server import AIRLOOM, RunningServer, running_server

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own, which it may kill."""
    with running_server(tmp_path / "home") as server:
        yield server


def status(home: Path) -> dict[str, Any]:
    done = subprocess.run([AIRLOOM, "status", "--home", str(home), "--json"], capture_output=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if facts["running"] else 1)
    return facts


def eventually(home: Path, condition: Callable[[dict[str, Any]], bool], seconds: float = 90) -> dict[str, Any]:
    """The status once it meets the condition."""
    until = time.monotonic() + seconds
    while not condition(facts := status(home)):
        assert time.monotonic() < until, facts
        time.sleep(0.5)
    return facts


def processes_of(home: Path) -> list[str]:
    return [processes.describe(process) for process in processes.belonging_to(Home(home.resolve()))]


def all_healthy(facts: dict[str, Any]) -> bool:
    return all(part["healthy"] for part in facts["components"].values())


def test_a_server_tells_how_it_is_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_server(home) as server:
        facts = eventually(home, all_healthy)
        assert set(facts["components"]) == {"api-server", "scheduler", "dag-processor", "triggerer"}
        assert facts["url"] == server.url

        assert server.workspace().name == "default"
        doctor = {check["name"]: check["verdict"] for check in json.loads(server.cli("doctor", "--json").stdout)}
        assert set(doctor.values()) == {"ok"}

        again = server.cli("up", "--detach", check=False)
        assert again.returncode == 1
        assert "is running already" in again.stderr
        assert server.url in again.stderr

        ended = json.loads(server.cli("down", "--json").stdout)["ended"]
        assert sum("api_server" in title for title in ended) == 1
        assert sum("LocalExecutor" in title for title in ended) >= 1
    assert processes_of(home) == []
    assert not status(home)["running"]


def test_nobody_gets_in_without_the_password_and_none_is_in_the_logs(server: RunningServer) -> None:
    (password,) = json.loads((server.home / "airflow" / "passwords.json").read_text()).values()
    secrets = [password, *json.loads((server.home / "secrets.json").read_text()).values()]
    assert _get(server, "/airloom/api/v1/workspaces") == 401
    assert _get(server, "/api/v2/dags") == 401
    written = b"".join(file.read_bytes() for file in server.home.glob("logs/**/*.log"))
    assert [secret for secret in secrets if secret.encode() in written] == []


def test_only_this_machine_can_reach_the_server(server: RunningServer) -> None:
    own = {process.pid for process in processes.belonging_to(Home(server.home.resolve()))}
    listening = [
        connection.laddr
        for connection in psutil.net_connections("inet")
        if connection.pid in own and connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert [address.port for address in listening] == [urlsplit(server.url).port]


def test_a_component_that_is_killed_comes_back_without_remains(server: RunningServer) -> None:
    before = status(server.home)["components"]["scheduler"]
    workers = psutil.Process(before["pid"]).children()
    os.kill(before["pid"], signal.SIGKILL)
    after = eventually(
        server.home, lambda facts: facts["components"]["scheduler"]["restarts"] == 1 and all_healthy(facts)
    )
    assert after["components"]["scheduler"]["pid"] != before["pid"]
    assert workers
    assert [worker for worker in workers if processes.is_alive(worker)] == []
    assert "the scheduler ended with status -9" in (server.home / "logs" / "supervisor.log").read_text()


PIPELINE = """\
pipeline:
  name: patience
  steps:
    wait: {type: PythonScriptStep, name: wait, script_name: wait.py, source_directory: src}
"""
SCRIPT = "import time; print('begun', flush=True); time.sleep(6); print('done')"


def test_a_run_survives_the_death_of_the_scheduler(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "wait.py").write_text(SCRIPT)
    (tmp_path / "pipeline.yml").write_text(PIPELINE)
    run = json.loads(server.cli("submit", str(tmp_path / "pipeline.yml"), "--json").stdout)["id"]
    wait_for(lambda: server.cli("logs", run, "wait").stdout.startswith("begun"))

    os.kill(status(server.home)["components"]["scheduler"]["pid"], signal.SIGKILL)

    wait_for(lambda: json.loads(server.cli("runs", "--json").stdout)[0]["status"] in ("Finished", "Failed"))
    (found,) = json.loads(server.cli("runs", "--json").stdout)
    assert found["status"] == "Finished"
    assert server.cli("logs", run, "wait").stdout == "begun\ndone\n"
    assert len(list((server.store / "workspaces/default/runs" / run / "wait").iterdir())) == 2


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.5)


def test_a_killed_supervisor_is_cleaned_up_by_down_and_by_up(server: RunningServer) -> None:
    os.kill(status(server.home)["pid"], signal.SIGKILL)
    left = eventually(server.home, lambda facts: not facts["running"])["leftovers"]
    assert any("scheduler" in title for title in left)

    up = server.cli("up", "--detach", "--json")
    assert "that an earlier server left behind" in up.stderr
    facts = json.loads(up.stdout)
    assert facts["url"] == server.url, "the port stays, since clients know it"

    os.kill(facts["pid"], signal.SIGKILL)
    assert json.loads(server.cli("down", "--json").stdout)["ended"]
    assert processes_of(server.home) == []


def test_ctrl_c_ends_a_server_in_the_foreground(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [AIRLOOM, "up", "--home", str(home), "--port", "0"]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert up.stdout is not None
    try:
        assert "Airloom is ready" in up.stdout.readline()
        assert status(home)["pid"] == up.pid
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=60) == 0
    finally:
        subprocess.run([AIRLOOM, "down", "--home", str(home)], check=True, capture_output=True)
        up.communicate()
    assert processes_of(home) == []


def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [AIRLOOM, "up", "--home", str(home), "--port", "0", "--detach"]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(home, lambda facts: facts["running"] and facts["components"]["scheduler"]["pid"] is not None)
    down = subprocess.run([AIRLOOM, "down", "--home", str(home)], check=True, capture_output=True, text=True)
    assert "ended" in down.stdout
    _, errors = up.communicate(timeout=60)
    assert up.returncode == 1
    assert "was stopped before it was ready" in errors
    assert processes_of(home) == []


def test_a_start_that_fails_shows_the_end_of_the_log(tmp_path: Path) -> None:
    home = Home((tmp_path / "home").resolve())
    home.create()
    home.database.write_text("this is no database")
    done = subprocess.run(
        [AIRLOOM, "up", "--home", str(home.path), "--port", "0", "--detach"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "`airflow db migrate` ended with status 1" in done.stderr
    assert "file is not a database" in done.stderr
    assert str(home.log("migration")) in done.stderr
    assert processes_of(home.path) == []


def _get(server: RunningServer, path: str) -> int:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request("GET", path)
    try:
        return connection.getresponse().status
    finally:
        connection.close()
