"""`airloom datasets`, on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from airloom.cli import main
from airloom.client import Client
from tests.integration.api.server import ApiServer

Command = Callable[..., tuple[int, str, str]]
STORE = "workspaceblobstore"


@pytest.fixture
def lab(sqlite_server: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Client, str]:
    """A new workspace with two files, which is the one that the command talks to."""
    client, name = sqlite_server.client(), f"ws-{uuid4().hex[:12]}"
    client.create_workspace({"name": name})
    for path in ("raw/a.csv", "raw/b.csv"):
        client.upload_file(name, STORE, path, b"12345")
    monkeypatch.setenv("AIRLOOM_ENDPOINT", sqlite_server.url)
    monkeypatch.setenv("AIRLOOM_TOKEN", sqlite_server.token("admin"))
    monkeypatch.setenv("AIRLOOM_WORKSPACE", name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return client, name


@pytest.fixture
def datasets(lab: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command as its entry point does: exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["airloom", "datasets", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return run


def test_a_dataset_by_command(datasets: Command, lab: tuple[Client, str]) -> None:
    client, workspace = lab
    status, out, _ = datasets("register", "cars", f"{STORE}/raw/*.csv", "--description", "raw", "--tag", "a=b")
    assert (status, "dataset cars, version 1, id" in out, "2 files, 10 bytes" in out) == (0, True, True)
    _, out, _ = datasets("list")
    assert out.splitlines()[1].split()[:5] == ["cars", "1", "files", "2", "10"]
    _, out, _ = datasets("show", "cars")
    assert f"paths        {STORE}/raw/*.csv" in out
    assert "tags         a=b" in out
    assert datasets("check", "cars")[:2] == (0, "cars: unchanged\n")
    client.upload_file(workspace, STORE, "raw/c.csv", b"6")
    assert datasets("check", "cars")[:2] == (1, f"cars: changed\nadded  {STORE}/raw/c.csv\n")
    status, _, err = datasets("register", "cars", f"{STORE}/raw")
    assert (status, "create_new_version" in err) == (1, True)
    datasets("register", "cars", f"{STORE}/raw", "--new-version")
    _, out, _ = datasets("versions", "cars", "--json")
    assert [each["version"] for each in json.loads(out)] == [2, 1]
    assert datasets("unregister", "cars", "--version", "2")[1] == "unregistered cars, version 2\n"
    assert json.loads(datasets("show", "cars", "--json")[1])["version"] == 1
    assert datasets("unregister", "cars")[1] == "unregistered cars\n"
    assert json.loads(datasets("list", "--json")[1]) == []


def test_what_is_not_there(datasets: Command) -> None:
    status, _, err = datasets("show", "none")
    assert (status, "no dataset 'none'" in err) == (1, True)
    status, _, err = datasets("register", "cars", f"{STORE}/nothing")
    assert (status, "nothing" in err) == (1, True)
    status, _, err = datasets("register", "cars", "elsewhere/x")
    assert (status, "elsewhere" in err) == (1, True)
