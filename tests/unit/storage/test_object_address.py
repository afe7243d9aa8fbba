"""Addresses of object stores, and options that may be written in three ways."""

from __future__ import annotations

import json

import pytest

from airloom.errors import InvalidName, UnsafePath
from airloom.storage.object_address import ObjectAddress, fsspec_options, obstore_options
from airloom.storage.secrets import Connection


@pytest.mark.parametrize(
    ("url", "address", "native"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b", True),
        ("s3a://bucket", "s3://bucket", True),
        ("gcs://bucket/a%20b", "gs://bucket/a b", True),
        ("sftp://host:22/srv/data", "sftp://host:22/srv/data", False),
    ],
)
def test_an_address_names_scheme_place_and_prefix(url: str, address: str, native: bool) -> None:
    parsed = ObjectAddress.parse(url)
    assert str(parsed) == address
    assert parsed.is_native is native


@pytest.mark.parametrize("url", ["s3://me:secret@bucket/x", "s3://bucket/x?token=secret", "s3://bucket#secret"])
def test_addresses_hold_no_secrets(url: str) -> None:
    with pytest.raises(InvalidName, match=r"may hold no credentials.*Keep them in an Airflow connection") as caught:
        ObjectAddress.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["bucket/x", "/srv/data", "s3:///x", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidName, match="is not the address of an object store"):
        ObjectAddress.parse(url)


def test_a_prefix_does_not_climb() -> None:
    with pytest.raises(UnsafePath, match=r"contains '\.\.'"):
        ObjectAddress.parse("s3://bucket/a/%2e%2e/b")


@pytest.mark.parametrize(
    "connection",
    [
        Connection(login="id", password="hidden", extra={"region_name": "eu", "endpoint_url": "https://e"}),
        Connection(
            extra={"key": "id", "secret": "hidden", "client_kwargs": {"region_name": "eu", "endpoint_url": "https://e"}}
        ),
        Connection(
            extra={
                "aws_access_key_id": "id",
                "aws_secret_access_key": "hidden",
                "aws_region": "eu",
                "endpoint": "https://e",
                "aws_session_token": None,
            }
        ),
    ],
)
def test_airflow_fsspec_and_obstore_say_the_same(connection: Connection) -> None:
    assert obstore_options("s3", {}, connection) == {
        "access_key_id": "id",
        "secret_access_key": "hidden",
        "region": "eu",
        "endpoint": "https://e",
    }


def test_a_service_account_may_be_given_as_it_is() -> None:
    key = {"type": "service_account", "private_key": "hidden"}
    connection = Connection(extra={"extra__google_cloud_platform__keyfile_dict": key, "project": "p"})
    assert obstore_options("gs", {"anon": False}, connection) == {
        "service_account_key": json.dumps(key),
        "skip_signature": False,
    }


def test_without_a_connection_only_the_options_count() -> None:
    assert obstore_options("s3", {"region_name": "eu"}, None) == {"region": "eu"}
    assert fsspec_options({"timeout": 5}, None) == {"timeout": 5}


def test_fsspec_gets_what_it_calls_its_own() -> None:
    connection = Connection(login="me", password="hidden", extra={"pkey": "k"})
    assert fsspec_options({"timeout": 5}, connection) == {
        "timeout": 5,
        "username": "me",
        "password": "hidden",
        "pkey": "k",
    }
