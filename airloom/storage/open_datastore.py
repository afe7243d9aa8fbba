"""From the configuration of a datastore to one that can be used. What a kind needs is imported when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airloom.errors import InvalidGraph, StoreUnavailable
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    DatastoreConfig,
    LocalConfig,
    ObjectStoreConfig,
)
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import StatCache


def open_datastore(config: DatastoreConfig, cache: StatCache, secrets: Secrets) -> DatastoreHandle:
    """The datastore that a configuration describes. Raises InvalidGraph if it holds no files."""
    if isinstance(config, LocalConfig):
        return LocalDatastore(config, cache)
    if isinstance(config, AzureBlobConfig):
        return _open_azure_blob(config, secrets)
    if isinstance(config, AzureFileShareConfig):
        return _open_file_share(config, cache, secrets)
    if isinstance(config, ObjectStoreConfig):
        return _open_object_store(config, cache, secrets)
    raise InvalidGraph(f"The datastore {config.name!r} of type {config.type} holds no files.", target=config.name)


def _open_azure_blob(config: AzureBlobConfig, secrets: Secrets) -> DatastoreHandle:
    with _needs(config.name, "in Azure Blob Storage", "azure"):
        from airloom.storage.azure_datastore import AzureBlobDatastore
    return AzureBlobDatastore(config, secrets)


def _open_file_share(config: AzureFileShareConfig, cache: StatCache, secrets: Secrets) -> DatastoreHandle:
    with _needs(config.name, "in Azure Files", "azure"):
        from airloom.storage.file_share import open_file_share
    return open_file_share(config, cache, secrets)


def _open_object_store(config: ObjectStoreConfig, cache: StatCache, secrets: Secrets) -> DatastoreHandle:
    with _needs(config.name, f"at {config.url}", "objects"):
        from airloom.storage.object_datastore import open_object_store

        return open_object_store(config, cache, secrets)


@contextmanager
def _needs(datastore: str, where: str, extra: str) -> Iterator[None]:
    """Say what is to be installed if a module is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"The datastore {datastore!r} {where} needs the package {error.name}, which is not installed here.",
            hint=f"pip install 'airloom[{extra}]'",
            target=datastore,
        ) from None
