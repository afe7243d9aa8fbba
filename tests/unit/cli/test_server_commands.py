"""`status`, `down` and `doctor` where no server runs; with one they are tested in tests/integration/embedded."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path

from airloom.embedded.home import Home, ensure_password
from tests.unit.cli.conftest import Command


def test_status_without_a_server_is_status_1(airloom: Command) -> None:
    told = airloom("status")
    assert told.status == 1
    assert "airloom up" in told.out
    assert json.loads(airloom("status", "--json").out)["running"] is False


def test_status_makes_no_home(airloom: Command, folder: Path) -> None:
    airloom("status")
    airloom("down")
    airloom("doctor")
    assert list(folder.iterdir()) == []


def test_down_without_a_server_is_no_error(airloom: Command) -> None:
    told = airloom("down")
    assert told.status == 0
    assert "No server was running in .airloom." in told.out


def test_up_refuses_a_port_that_is_taken_before_it_starts_anything(airloom: Command, folder: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        told = airloom("up", "--detach", "--port", str(port))
    assert told.status == 1
    assert f"Port {port} of 127.0.0.1 is in use" in told.err
    assert "--port" in told.err
    assert not list((folder / ".airloom" / "logs").iterdir())


def test_up_in_a_place_that_cannot_be_written_says_so(airloom: Command, folder: Path) -> None:
    (folder / "file").write_text("")
    told = airloom("up", "--home", "file/home")
    assert told.status == 1
    assert "cannot be made" in told.err


def test_doctor_finds_a_healthy_machine(airloom: Command) -> None:
    checks = {check["name"]: check for check in json.loads(airloom("doctor", "--json").out)}
    assert {"python", "airflow", "uv", "disk", "store", "secrets", "server"} <= checks.keys()
    assert checks["airflow"]["verdict"] == "ok"
    assert checks["uv"]["verdict"] == "ok"


def test_doctor_says_how_to_mend_what_others_may_read(airloom: Command) -> None:
    home = Home.find()
    home.create()
    ensure_password(home)
    home.passwords.chmod(0o644)
    told = airloom("doctor")
    assert told.status == 1
    assert f"chmod 600 {home.passwords}" in told.out
