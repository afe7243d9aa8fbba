"""Help, versions, errors, and how quickly the command is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import airloom as package
from tests.unit.cli.conftest import Command
from tests.unit.sdk_core.conftest import write_config

COMMANDS = ("up", "down", "status", "doctor", "submit", "runs", "logs", "explain")


def test_help_names_every_command(airloom: Command) -> None:
    shown = airloom("--help")
    assert shown.status == 0
    assert [name for name in COMMANDS if name not in shown.out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_speaks_json(airloom: Command, command: str) -> None:
    shown = airloom(command, "--help")
    assert shown.status == 0
    assert "--json" in shown.out
    assert "--home" in shown.out


def test_version(airloom: Command) -> None:
    assert airloom("--version").out.strip() == package.__version__


def test_help_loads_nothing_heavy() -> None:
    heavy = ("airflow", "httpx", "psutil", "rich.table", "yaml", "pydantic", "blake3", "airloom.core")
    code = f"import sys, airloom.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unreachable_server_is_one_line_that_says_what_to_do(airloom: Command, folder: Path) -> None:
    write_config(folder, "http://127.0.0.1:9")
    told = airloom("runs")
    assert told.status == 1
    assert told.out == ""
    assert "http://127.0.0.1:9" in told.err
    assert "airloom up" in told.err
    assert "Traceback" not in told.err


def test_debug_shows_where_an_error_comes_from(airloom: Command, folder: Path) -> None:
    write_config(folder, "http://127.0.0.1:9")
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        airloom("--debug", "runs")


def test_home_without_a_server_is_named(airloom: Command, folder: Path) -> None:
    told = airloom("runs", "--home", "elsewhere")
    assert told.status == 1
    assert str(folder / "elsewhere") in told.err
    assert "airloom up --home" in told.err


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    code = "import os, sys; os.close(0); from airloom.cli import main; sys.argv = ['airloom', '--help']; main()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
