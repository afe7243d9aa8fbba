"""Secrets of datastores in tasks: from Airflow, asked for once, and by everybody who opens a workspace."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import Connection as AirflowConnection

import airloom.operators
import airloom.plugins
from airloom.errors import StoreUnavailable
from airloom.operators.secrets import TaskSecrets
from airloom.storage.secrets import Connection

OPENS_WORKSPACES = {"WorkspaceStore": 4, "open": 3, "StepRunner": 3, "make_spec": 6}
"""What opens a workspace, and how many positional arguments it has if secrets are among them."""


def test_all_parts_of_a_connection_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    made = AirflowConnection(
        conn_id="mine",
        conn_type="wasb",
        login="acme",
        password="a+b/c=",
        host="http://127.0.0.1:1/acme",
        extra='{"sas_token": "s"}',
    )
    monkeypatch.setenv("AIRFLOW_CONN_MINE", made.as_json())
    found = TaskSecrets().connection("mine")
    assert found == Connection("acme", "a+b/c=", "http://127.0.0.1:1/acme", None, "", {"sas_token": "s"})


def test_each_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", '{"conn_type": "wasb", "password": "first"}')
    secrets = TaskSecrets()
    assert secrets.connection("mine").password == "first"
    monkeypatch.setenv("AIRFLOW_CONN_MINE", '{"conn_type": "wasb", "password": "second"}')
    assert secrets.connection("mine").password == "first"
    assert TaskSecrets().connection("mine").password == "second"


def test_one_that_is_missing_is_no_fault_of_the_pipeline() -> None:
    with pytest.raises(StoreUnavailable, match="no connection 'none', or does not give it to this task"):
        TaskSecrets().connection("none")


def opening(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of_workspace = name != "open" or ast.unparse(node.func) == "ReuseWorkspace.open"
            if name in OPENS_WORKSPACES and of_workspace:
                yield f"{file.name}:{node.lineno}", node


@pytest.mark.parametrize("package", [airloom.operators, airloom.plugins])
def test_whoever_opens_a_workspace_says_who_knows_its_secrets(package: object) -> None:
    (folder,) = package.__path__  # type: ignore[attr-defined]
    calls = list(opening(Path(folder)))
    assert calls, "no workspace is opened: the test looks for the wrong names"
    without = []
    for place, call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        if len(call.args) < OPENS_WORKSPACES[name] and "secrets" not in {each.arg for each in call.keywords}:
            without.append(place)
    assert without == []
