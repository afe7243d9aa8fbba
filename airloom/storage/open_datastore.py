"""From the configuration of a datastore to one that can be used. What a kind needs is imported when it is opened."""

from __future__ import annotations

from airloom.errors import InvalidGraph, StoreUnavailable
from airloom.storage.datastore_config import AzureBlobConfig, DatastoreConfig, LocalConfig
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import StatCache


def open_datastore(config: DatastoreConfig, cache: StatCache, secrets: Secrets) -> DatastoreHandle:
    """The datastore that a configuration describes. Raises InvalidGraph if it holds no files."""
    if isinstance(config, LocalConfig):
        return LocalDatastore(config, cache)
    if isinstance(config, AzureBlobConfig):
        return _open_azure(config, secrets)
    raise InvalidGraph(f"The datastore {config.name!r} of type {config.type} holds no files.", target=config.name)


def _open_azure(config: AzureBlobConfig, secrets: Secrets) -> DatastoreHandle:
    try:
        from airloom.storage.azure_datastore import AzureBlobDatastore
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"The datastore {config.name!r} in Azure Blob Storage needs the package {error.name}, which is not "
            "installed here.",
            hint="pip install 'airloom[azure]'",
            target=config.name,
        ) from None
    return AzureBlobDatastore(config, secrets)
