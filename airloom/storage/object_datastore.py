"""Datastores at an address such as `s3://bucket/prefix`: through obstore where it reaches, else through fsspec."""

from __future__ import annotations

from airloom.errors import InvalidName
from airloom.storage.datastore_config import ObjectStoreConfig
from airloom.storage.object_address import ObjectAddress, fsspec_options, obstore_options
from airloom.storage.remote_datastore import RemoteDatastore
from airloom.storage.remote_files import RemoteFiles
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import StatCache


def open_object_store(config: ObjectStoreConfig, cache: StatCache, secrets: Secrets) -> RemoteDatastore:
    """The datastore that a configuration describes."""
    return RemoteDatastore(config, _files(config, secrets), cache)


def _files(config: ObjectStoreConfig, secrets: Secrets) -> RemoteFiles:
    address = ObjectAddress.parse(config.url)
    connection = secrets.connection(config.connection) if config.connection is not None else None
    if address.is_native:
        from airloom.storage.obstore_files import ObstoreFiles

        return ObstoreFiles(address, obstore_options(address.scheme, config.options, connection))
    if address.scheme in ("file", "local"):
        raise InvalidName(
            f"{config.url!r} is a folder.",
            hint="Register a local datastore for it, which costs no copies.",
            target="url",
        )
    from airloom.storage.fsspec_files import FsspecFiles, open_file_system

    return FsspecFiles(address, open_file_system(address, fsspec_options(config.options, connection)))
