"""A store on Azurite, reached directly or through a proxy that loses answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airloom.storage.azure_account import AzureAddress
from airloom.storage.azure_blob import AzureBlobStore
from tests.integration.azure.lossy_proxy import LossyProxy
from tests.support.azurite import Azurite


@pytest.fixture
def address(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> AzureAddress:
    """An empty container, for which the environment has the credentials."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    return AzureAddress.parse(azurite.new_store())


@pytest.fixture
def store(address: AzureAddress) -> AzureBlobStore:
    return AzureBlobStore(address)


@pytest.fixture
def proxy(azurite: Azurite, address: AzureAddress, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyProxy]:
    """Stands between the clients of this process and the emulator."""
    with LossyProxy(azurite.port) as proxy:
        endpoint = azurite.endpoint.replace(f":{azurite.port}/", f":{proxy.port}/")
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string_through(endpoint))
        yield proxy
