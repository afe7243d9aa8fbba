"""The object stores: what a test asks of `any_store` holds for a local folder and for Azure Blob Storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.storage.object_store import ObjectStore, open_store
from tests.support.azurite import Azurite

ON_AZURITE = pytest.param("azurite", marks=[pytest.mark.integration, pytest.mark.azurite])


@pytest.fixture(params=["local", ON_AZURITE])
def any_address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty store; once in a folder, once in a container."""
    if request.param == "local":
        return (tmp_path / "store").as_uri()
    azurite: Azurite = request.getfixturevalue("azurite")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    return azurite.new_store("/some/prefix")


@pytest.fixture
def any_store(any_address: str) -> ObjectStore:
    """An empty store of each kind."""
    return open_store(any_address)
