"""Datastores at an address such as `s3://bucket/prefix`."""

from __future__ import annotations

from airloom.storage.datastore_config import ObjectStoreConfig
from airloom.storage.object_address import ObjectAddress, obstore_options
from airloom.storage.obstore_files import ObstoreFiles
from airloom.storage.remote_datastore import RemoteDatastore
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import StatCache


def open_object_store(config: ObjectStoreConfig, cache: StatCache, secrets: Secrets) -> RemoteDatastore:
    """The datastore that a configuration describes."""
    address = ObjectAddress.parse(config.url)
    connection = secrets.connection(config.connection) if config.connection is not None else None
    files = ObstoreFiles(address, obstore_options(address.scheme, config.options, connection))
    return RemoteDatastore(config, files, cache)
