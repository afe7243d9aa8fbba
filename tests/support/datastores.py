"""Datastores of all kinds: what a test asks of `any_datastore` holds for each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airloom.errors import NotFound
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    DatastoreConfig,
    LocalConfig,
    ObjectStoreConfig,
)
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.fsspec_files import FsspecFiles, open_file_system
from airloom.storage.object_address import ObjectAddress
from airloom.storage.open_datastore import open_datastore
from airloom.storage.remote_datastore import RemoteDatastore
from airloom.storage.secrets import Connection
from airloom.storage.stat_cache import StatCache, null_cache
from tests.support import azure_files, azurite
from tests.support.azure_files import AzureFiles
from tests.support.azurite import Azurite
from tests.support.moto_s3 import MotoS3

SECRET = "a-secret-of-the-tests"


class Known:
    """Secrets that a test has made up."""

    def __init__(self, **connections: Connection) -> None:
        self._connections = connections

    def connection(self, conn_id: str) -> Connection:
        if conn_id not in self._connections:
            raise NotFound(f"There is no connection {conn_id!r}.", target=conn_id)
        return self._connections[conn_id]


def s3_config(moto: MotoS3, prefix: str = "some/prefix", **more: str) -> ObjectStoreConfig:
    """A datastore in a bucket of its own, with the connection `s3`."""
    url = f"s3://{moto.new_bucket()}/{prefix}"
    return ObjectStoreConfig(name="raw", url=url, connection="s3", options={**moto.options, **more})


def share_config(server: AzureFiles) -> AzureFileShareConfig:
    """A datastore in a share of its own, with the connection `share`."""
    return AzureFileShareConfig(
        name="raw",
        account=azure_files.ACCOUNT,
        share=server.new_share(),
        endpoint=server.endpoint,
        connection="share",
    )


def _local(request: pytest.FixtureRequest) -> DatastoreConfig:
    folder: Path = request.getfixturevalue("tmp_path") / "raw"
    folder.mkdir()
    return LocalConfig(name="raw", root=str(folder))


def _s3(request: pytest.FixtureRequest) -> DatastoreConfig:
    return s3_config(request.getfixturevalue("moto_s3"))


def _share(request: pytest.FixtureRequest) -> DatastoreConfig:
    return share_config(request.getfixturevalue("azure_files"))


def _blob(request: pytest.FixtureRequest) -> DatastoreConfig:
    emulator: Azurite = request.getfixturevalue("azurite")
    return AzureBlobConfig(
        name="raw",
        account=azurite.ACCOUNT,
        container=emulator.new_store().rpartition("/")[2],
        prefix="some/prefix",
        endpoint=emulator.endpoint,
        connection="blob",
    )


def _memory(request: pytest.FixtureRequest) -> DatastoreConfig:
    return ObjectStoreConfig(name="raw", url=f"memory://{uuid4().hex}/some/prefix")


KINDS: dict[str, Callable[[pytest.FixtureRequest], DatastoreConfig]] = {
    "local": _local,
    "s3": _s3,
    "share": _share,
    "blob": _blob,
    "memory": _memory,
}


_MARKS = {"blob": [pytest.mark.azurite]}


def _params(but: tuple[str, ...] = ()) -> list[Any]:
    return [pytest.param(kind, marks=_MARKS.get(kind, [])) for kind in KINDS if kind not in but]


def secrets_of(request: pytest.FixtureRequest, kind: str) -> Known:
    """The connection that a datastore of this kind needs."""
    if kind == "share":
        return Known(share=Connection(login=azure_files.ACCOUNT, password=request.getfixturevalue("azure_files").key))
    if kind == "blob":
        return Known(blob=Connection(login=azurite.ACCOUNT, password=request.getfixturevalue("azurite").key))
    return Known(s3=Connection(login="AKIAEXAMPLE", password=SECRET))


def through_fsspec(config: ObjectStoreConfig) -> DatastoreHandle:
    """A bucket as fsspec sees it, which stands for the many places that only fsspec reaches."""
    options = {
        "endpoint_url": config.options["endpoint_url"],
        "key": "another",
        "secret": SECRET,
        "client_kwargs": {"region_name": config.options["region_name"]},
    }
    address = ObjectAddress.parse(config.url)
    return RemoteDatastore(config, FsspecFiles(address, open_file_system(address, options)), null_cache())


def _opened(request: pytest.FixtureRequest) -> DatastoreHandle:
    folder: Path = request.getfixturevalue("tmp_path")
    cache = StatCache(folder / "cache" / "digests.sqlite")
    return open_datastore(KINDS[request.param](request), cache, secrets_of(request, request.param))


@pytest.fixture(params=_params())
def any_datastore(request: pytest.FixtureRequest) -> DatastoreHandle:
    """An empty datastore of each kind."""
    return _opened(request)


@pytest.fixture(params=_params(but=("local",)))
def remote_datastore(request: pytest.FixtureRequest) -> DatastoreHandle:
    """An empty datastore of each kind that is on no disk of this machine."""
    return _opened(request)


@pytest.fixture(params=_params(but=("memory",)))
def exclusive_datastore(request: pytest.FixtureRequest) -> DatastoreHandle:
    """An empty datastore of each kind that lets one of two writers at the same place win; fsspec has no such word."""
    return _opened(request)
