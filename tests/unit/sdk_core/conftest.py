"""A server with an empty workspace, a working folder with its config.json, and the workspace object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airloom.core import Workspace, _compat
from airloom.data.abstract_datastore import AbstractDatastore
from tests.unit.sdk_core.server import PASSWORD, USER, State, running


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test has a working folder of its own, none of the machine's Airloom settings, and hears warnings afresh."""
    for variable in ("AIRLOOM_ENDPOINT", "AIRLOOM_TOKEN", "AIRLOOM_HOME"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(_compat, "_warned", set())
    yield folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, State]]:
    """Address and state of a running server."""
    with running(tmp_path / "work") as (endpoint, state):
        yield endpoint, state


@pytest.fixture
def state(server: tuple[str, State]) -> State:
    """What the server knows."""
    return server[1]


def write_config(folder: Path, endpoint: str | None, workspace: str = "default", password: str = PASSWORD) -> Path:
    """A config.json in a folder; without an endpoint it is one of Azure's."""
    document: dict[str, object] = {"subscription_id": "sub", "resource_group": "group", "workspace_name": workspace}
    if endpoint is not None:
        document["airloom"] = {"endpoint": endpoint, "username": USER, "password_file": "passwords.json"}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "passwords.json").write_text(json.dumps({USER: password}))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.json"
    file.write_text(json.dumps(document))
    return file


@pytest.fixture
def ws(server: tuple[str, State], own_surroundings: Path) -> Workspace:
    """The workspace `default`, from a config.json in the working folder."""
    write_config(own_surroundings, server[0])
    return Workspace.from_config()


@pytest.fixture
def blobs(ws: Workspace) -> AbstractDatastore:
    """The default datastore."""
    return ws.get_default_datastore()
