"""The ways into each kind of datastore, and the connections that they become."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airloom.errors import InvalidName, NotFound, StoreUnavailable
from airloom.storage.credentials import Credentials, connection_of, connection_type, credential_type
from airloom.storage.datastore_config import parse_config
from airloom.storage.secrets import Connection, EnvironmentSecrets, GivenSecrets

BLOB = {"type": "azure_blob", "name": "d", "account": "acme", "container": "raw"}
SHARE = {"type": "azure_file_share", "name": "d", "account": "acme", "share": "data"}
BUCKET = {"type": "object_store", "name": "d", "url": "s3://bucket/in"}
SQL = {"type": "azure_sql_database", "name": "d", "host": "db.example.com", "port": 1433, "database": "sales"}
PRINCIPAL = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}


def given(**credentials: Any) -> Credentials:
    return Credentials.model_validate(credentials)


@pytest.mark.parametrize(
    ("kind", "credentials", "way"),
    [
        ("local", {}, "None"),
        ("azure_blob", {}, "None"),
        ("azure_blob", {"account_key": "k"}, "AccountKey"),
        ("azure_data_lake_gen2", {"sas_token": "s"}, "Sas"),
        ("azure_file_share", {"connection_string": "c"}, "ConnectionString"),
        ("azure_blob", PRINCIPAL, "ServicePrincipal"),
        ("azure_sql_database", PRINCIPAL, "ServicePrincipal"),
        ("azure_blob", {"client_id": "c"}, "ManagedIdentity"),
        ("azure_my_sql", {"username": "me", "password": "p"}, "SqlAuthentication"),
        ("object_store", {"options": {"key": "k"}}, "Options"),
        ("object_store", {"connection": "aws_default"}, "Connection"),
    ],
)
def test_each_kind_knows_its_ways(kind: str, credentials: dict[str, Any], way: str) -> None:
    assert credential_type(kind, given(**credentials)) == way


@pytest.mark.parametrize(
    ("kind", "credentials"),
    [
        ("local", {"connection": "c"}),
        ("azure_blob", {"account_key": "hidden", "sas_token": "hidden"}),
        ("azure_blob", {"tenant_id": "t", "client_secret": "hidden"}),
        ("azure_file_share", {**PRINCIPAL, "client_secret": "hidden"}),
        ("azure_postgre_sql", {"username": "me"}),
        ("object_store", {"account_key": "hidden"}),
    ],
)
def test_other_ways_are_refused_without_the_secret(kind: str, credentials: dict[str, Any]) -> None:
    with pytest.raises(InvalidName, match=f"of type {kind} is not opened by") as caught:
        credential_type(kind, given(**credentials))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "credentials", "kind", "connection"),
    [
        (BLOB, {"account_key": "k"}, "wasb", Connection(login="acme", password="k")),
        (BLOB, {"sas_token": "?s"}, "wasb", Connection(login="acme", extra={"sas_token": "?s"})),
        (BLOB, PRINCIPAL, "wasb", Connection(login="c", password="s", extra={"tenant_id": "t"})),
        (BLOB, {"client_id": "c"}, "wasb", Connection(login="acme", extra={"managed_identity_client_id": "c"})),
        (
            {**SHARE, "endpoint": "http://127.0.0.1:1/acme/"},
            {"connection_string": "c"},
            "azure_fileshare",
            Connection(login="acme", host="http://127.0.0.1:1/acme", extra={"connection_string": "c"}),
        ),
        (BUCKET, {"options": {"key": "k", "secret": "s"}}, "aws", Connection(extra={"key": "k", "secret": "s"})),
        (
            {**BUCKET, "url": "sftp://host/in"},
            {"options": {"password": "p"}},
            "generic",
            Connection(extra={"password": "p"}),
        ),
        (
            SQL,
            {"username": "me", "password": "p"},
            "mssql",
            Connection(login="me", password="p", host="db.example.com", port=1433, schema="sales"),
        ),
    ],
)
def test_they_become_connections_in_airflows_convention(
    config: dict[str, Any], credentials: dict[str, Any], kind: str, connection: Connection
) -> None:
    parsed = parse_config(config)
    assert connection_type(parsed) == kind
    assert connection_of(parsed, given(**credentials)) == connection


def test_secrets_do_not_show_when_they_are_printed() -> None:
    credentials = given(account_key="hidden", options={"key": "hidden"})
    connection = connection_of(parse_config(BLOB), credentials)
    assert connection.password == "hidden"
    assert "hidden" not in f"{credentials!r} {credentials} {connection!r} {credentials.model_dump_json()}"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({**BLOB, "account": "evil.com/"}, "account"),
        ({**BLOB, "account": "a@b"}, "account"),
        ({**BLOB, "container": "../x"}, "container"),
        ({**BLOB, "endpoint": "ftp://host"}, "endpoint"),
        ({**BLOB, "endpoint": "https://user:hidden@host"}, "endpoint"),
        ({**BLOB, "endpoint": "https://host/?sig=hidden"}, "endpoint"),
        ({**SHARE, "share": "A"}, "share"),
        ({**SQL, "host": "host/path"}, "host"),
        ({**SQL, "port": 0}, "port"),
        ({**SQL, "database": ""}, "database"),
    ],
)
def test_places_that_are_none(config: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_config(config)
    assert {problem["loc"][-1] for problem in caught.value.errors()} == {field}
    assert "hidden" not in " ".join(problem["msg"] for problem in caught.value.errors())


def test_a_connection_that_is_at_hand_comes_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", '{"login": "me", "password": "p", "extra": {"a": "b"}}')
    secrets = GivenSecrets("default.d", Connection(password="k"), EnvironmentSecrets())
    assert secrets.connection("default.d") == Connection(password="k")
    assert secrets.connection("other") == Connection(login="me", password="p", extra={"a": "b"})
    with pytest.raises(NotFound, match="no connection 'none'"):
        secrets.connection("none")


@pytest.mark.parametrize(
    ("text", "connection"),
    [
        ("wasb://acme:a%2Bb@host:1?sas_token=s", Connection("acme", "a+b", "host", 1, "", {"sas_token": "s"})),
        ("postgres://me:p@db/sales", Connection("me", "p", "db", None, "sales")),
        ("aws://?__extra__=%7B%22key%22%3A+%22k%22%7D", Connection(extra={"key": "k"})),
        ('{"conn_type": "aws", "port": "1", "extra": "{\\"key\\": \\"k\\"}"}', Connection(port=1, extra={"key": "k"})),
    ],
)
def test_connections_in_the_environment_are_read_as_airflow_reads_them(
    monkeypatch: pytest.MonkeyPatch, text: str, connection: Connection
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", text)
    assert EnvironmentSecrets().connection("mine") == connection


@pytest.mark.parametrize("text", ["{hidden", '{"port": "hidden"}', "wasb://h:hidden/", '{"extra": "hidden"}'])
def test_a_broken_connection_is_told_without_its_content(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", text)
    with pytest.raises(StoreUnavailable, match="AIRFLOW_CONN_MINE holds no connection") as caught:
        EnvironmentSecrets().connection("mine")
    assert "hidden" not in str(caught.value)
