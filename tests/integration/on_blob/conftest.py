"""A server whose store, and with it every datastore, is a container of the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from azure.storage.blob import ContainerClient

from airloom.core import Workspace
from airloom.storage.azure_account import AzureAddress
from tests.support.azurite import Azurite
from tests.support.server import RunningServer, running_server


@dataclass(frozen=True)
class OnBlob:
    """The server, and a way into its container beside it."""

    server: RunningServer
    azurite: Azurite
    address: AzureAddress

    def names(self, prefix: str) -> list[str]:
        """The names of the blobs that begin so."""
        return [blob.name for blob in self._container().list_blobs(name_starts_with=prefix)]

    def write(self, name: str, data: bytes) -> None:
        """Replace a blob behind the back of the server."""
        self._container().upload_blob(name, data, overwrite=True)

    def read(self, name: str) -> bytes:
        """The bytes of a blob."""
        return bytes(self._container().download_blob(name).readall())

    def delete(self, name: str) -> None:
        """Remove a blob behind the back of the server."""
        self._container().delete_blob(name)

    def _container(self) -> ContainerClient:
        return self.azurite.client().get_container_client(self.address.container)


@pytest.fixture(scope="session")
def on_blob(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnBlob]:
    address = azurite.new_store()
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # for this server only, not for others of the session
            patch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
            home = tmp_path_factory.mktemp("blob") / "home"
            server = stack.enter_context(running_server(home, "--store", address))
        yield OnBlob(server, azurite, AzureAddress.parse(address))


@pytest.fixture
def ws(on_blob: OnBlob) -> Workspace:
    return on_blob.server.workspace()


@pytest.fixture
def only_thorough(request: pytest.FixtureRequest) -> None:
    """Skips what takes minutes, and is asked for with --thorough."""
    if not request.config.getoption("--thorough"):
        pytest.skip("the whole table takes minutes: --thorough runs it")
