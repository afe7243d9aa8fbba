"""A datastore on Azurite, with its credentials in a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airloom.storage.azure_account import AzureAddress
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import EnvironmentSecrets
from airloom.storage.stat_cache import StatCache
from tests.support.azurite import ACCOUNT, Azurite

OpenDatastore = Callable[..., AzureBlobDatastore]


@pytest.fixture
def container(azurite: Azurite) -> str:
    """The name of a new, empty container."""
    return AzureAddress.parse(azurite.new_store()).container


@pytest.fixture
def open_blob(
    azurite: Azurite, container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenDatastore]:
    """Opens a datastore in the container as a workspace does; fields of the configuration may be given."""
    monkeypatch.setenv("AIRFLOW_CONN_AIRLOOM_BLOB", json.dumps({"login": ACCOUNT, "password": azurite.key}))
    cache = StatCache(tmp_path / "cache" / "digests.db")

    def opened(**fields: str) -> AzureBlobDatastore:
        config = AzureBlobConfig(
            **{
                "name": "blobs",
                "account": ACCOUNT,
                "container": container,
                "endpoint": azurite.endpoint,
                "connection": "airloom_blob",
                **fields,
            }
        )
        datastore = open_datastore(config, cache, EnvironmentSecrets())
        assert isinstance(datastore, AzureBlobDatastore)
        return datastore

    yield opened


@pytest.fixture
def blobs(open_blob: OpenDatastore) -> AzureBlobDatastore:
    return open_blob(prefix="data/of us")
