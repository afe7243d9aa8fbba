"""A host whose datastore `blobs` lies in a container of Azurite."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airloom.storage.azure_account import AzureAddress
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.stat_cache import shared_cache
from airloom.storage.workspace import WorkspaceStore
from tests.support.azurite import ACCOUNT, Azurite
from tests.unit.runner.support import Host


class BlobHost(Host):
    """Beside the local datastore `data`, one in a container: `blobs`."""

    def put_blob(self, path: str, content: str | bytes) -> None:
        """Upload a file as Airloom does."""
        data = content.encode() if isinstance(content, str) else content
        self.store.datastore("blobs").write(path, io.BytesIO(data))

    def blobs(self) -> dict[str, bytes]:
        """All files that the datastore shows, with their content."""
        datastore = self.store.datastore("blobs")
        found = {}
        for info in datastore.list():
            with datastore.open_read(info.path) as stream:
                found[info.path] = stream.read()
        return found

    def said(self, words: str) -> list[str]:
        """The lines of the runner with these words."""
        return [line for line in self.stream("job") if words in line]


@pytest.fixture
def host(tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlobHost]:
    """A store in a folder, and a datastore in a new container."""
    monkeypatch.setenv("AIRLOOM_CACHE_DIR", str(tmp_path / "user-cache"))
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"login": ACCOUNT, "password": azurite.key}))
    shared_cache.cache_clear()
    host = BlobHost(tmp_path)
    host.store.put_datastore(config(azurite, AzureAddress.parse(azurite.new_store()).container))
    yield host
    shared_cache.cache_clear()


def config(azurite: Azurite, container: str, name: str = "blobs", **fields: str) -> AzureBlobConfig:
    """The configuration of a datastore in a container of Azurite."""
    defaults = {"account": ACCOUNT, "endpoint": azurite.endpoint, "connection": "blobs"}
    return AzureBlobConfig(name=name, container=container, **{**defaults, **fields})


def reopened(host: BlobHost) -> WorkspaceStore:
    """The workspace as another process would open it."""
    return WorkspaceStore(host.store.store, host.store.workspace)
