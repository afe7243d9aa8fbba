"""`airloom datastores`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.sdk_pipeline.server import PipelineState

BLOB = ("--type", "azure_blob", "--account", "acme", "--container", "raw")


def test_register_show_list_and_unregister(airloom: Command, state: PipelineState, folder: Path) -> None:
    (folder / "key.json").write_text('{"account_key": "a2V5"}')
    options = ("--prefix", "in", "--credentials", "key.json", "-t", "team=a", "--create", "--overwrite")
    made = airloom("datastores", "register", "raw", *BLOB, *options, "--description", "what arrives")
    assert made.status == 0, made.err
    assert made.out == "datastore raw: azure://acme/raw/in, its secrets in the connection default.raw\n"
    body = state.given["raw"]
    assert body["credentials"] == {"account_key": "a2V5"}
    assert (body["create_if_not_exists"], body["overwrite"], body["skip_validation"]) == (True, True, False)
    shown = airloom("datastores", "show", "raw").out
    assert "AccountKey" in shown and "default.raw" in shown and "what arrives" in shown and "team=a" in shown
    assert "a2V5" not in shown
    listed = airloom("datastores", "list").out
    assert "workspaceblobstore" in listed and "azure://acme/raw/in" in listed
    assert {each["name"] for each in json.loads(airloom("datastores", "list", "--json").out)} > {"raw"}
    assert airloom("datastores", "unregister", "raw").out == "datastore raw: unregistered; its data stays\n"
    gone = airloom("datastores", "show", "raw")
    assert gone.status == 1 and "raw" in gone.err


def test_credentials_from_standard_input(
    airloom: Command, state: PipelineState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"username": "me", "password": "p"}'))
    place = ("--host", "db.example.com", "--database", "sales", "--no-ssl")
    made = airloom("datastores", "register", "sales", "--type", "azure_postgre_sql", *place, "--credentials", "-")
    assert made.status == 0, made.err
    body = state.given["sales"]
    assert (body["port"], body["ssl"], body["credentials"]) == (5432, False, {"username": "me", "password": "p"})


def test_an_object_store_with_a_connection_of_airflow(airloom: Command, state: PipelineState) -> None:
    place = ("--type", "object_store", "--url", "s3://bucket/in", "--option", "region=eu-west-1")
    made = airloom("datastores", "register", "bucket", *place, "--connection", "aws_default", "--skip-validation")
    assert made.status == 0, made.err
    body = state.given["bucket"]
    assert (body["options"], body["credentials"]) == ({"region": "eu-west-1"}, {"connection": "aws_default"})
    assert body["skip_validation"]


def test_the_default_can_be_set(airloom: Command, state: PipelineState) -> None:
    done = airloom("datastores", "set-default", "workspacefilestore")
    assert done.out == "datastore workspacefilestore: the default of workspace default\n"
    assert state.workspaces["default"]["default_datastore"] == "workspacefilestore"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[]", "not a JSON object"), ("secret-of-mine", "not a JSON object"), (None, "cannot be read")],
)
def test_credentials_that_are_none(airloom: Command, folder: Path, text: str | None, complaint: str) -> None:
    if text is not None:
        (folder / "key.json").write_text(text)
    done = airloom("datastores", "register", "raw", *BLOB, "--credentials", "key.json")
    assert done.status == 2 and complaint in done.err.replace("\n", " ")
    assert "secret-of-mine" not in done.err


def test_two_ways_to_give_credentials(airloom: Command) -> None:
    done = airloom("datastores", "register", "raw", *BLOB, "--credentials", "-", "--connection", "x")
    assert done.status == 2 and "not both" in done.err
