"""Datastores at an address such as `s3://bucket/prefix`."""

from __future__ import annotations

from airloom.errors import StoreUnavailable
from airloom.storage.datastore_config import ObjectStoreConfig
from airloom.storage.object_address import ObjectAddress, obstore_options
from airloom.storage.remote_datastore import RemoteDatastore
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import StatCache


def open_object_store(config: ObjectStoreConfig, cache: StatCache, secrets: Secrets) -> RemoteDatastore:
    """The datastore that a configuration describes. StoreUnavailable if what it needs is not installed."""
    address = ObjectAddress.parse(config.url)
    connection = secrets.connection(config.connection) if config.connection is not None else None
    try:
        from airloom.storage.obstore_files import ObstoreFiles
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"The datastore {config.name!r} needs the package {error.name}, which is not installed.",
            hint="pip install 'airloom[objects]'",
            target=config.name,
        ) from None
    files = ObstoreFiles(address, obstore_options(address.scheme, config.options, connection))
    return RemoteDatastore(config, files, cache)
