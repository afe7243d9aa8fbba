"""Copies that the service makes within an account."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from airloom.errors import AlreadyExists, NotFound
from airloom.storage.azure_copies import copy_within_account
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.stat_cache import StatCache
from tests.integration.blob.conftest import OpenDatastore
from tests.support.azurite import Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


@pytest.fixture
def source(open_blob: OpenDatastore) -> AzureBlobDatastore:
    datastore = open_blob(name="source", prefix="source")
    for name in ("in/a", "in/deep/größe #1?.csv"):
        datastore.write(name, io.BytesIO(name.encode()))
    datastore.container.blob("in/foreign").upload_blob(b"of another tool")
    return datastore


def test_a_folder_is_copied_whole(source: AzureBlobDatastore, blobs: AzureBlobDatastore) -> None:
    seen = []
    assert copy_within_account(source, "in", blobs, "out/copy", each=seen.append)
    assert sorted(info.path for info in seen) == [info.path for info in source.list("in")]
    copies = {info.path.removeprefix("out/copy"): (info.size, info.digest) for info in blobs.list("out")}
    assert copies == {info.path.removeprefix("in"): (info.size, info.digest) for info in source.list("in")}
    with pytest.raises(AlreadyExists, match="already has 'out/copy'"):
        copy_within_account(source, "in", blobs, "out/copy")
    assert copy_within_account(source, "in/deep", blobs, "out/copy", overwrite=True)
    assert [info.path for info in blobs.list("out")] == ["out/copy/größe #1?.csv"]


def test_a_file_is_copied_under_any_name(source: AzureBlobDatastore, blobs: AzureBlobDatastore) -> None:
    assert copy_within_account(source, "in/a", blobs, "b")
    assert blobs.open_read("b").read() == b"in/a"
    assert blobs.list("b")[0].digest == source.list("in/a")[0].digest
    with pytest.raises(AlreadyExists, match="already has 'b'"):
        copy_within_account(source, "in/foreign", blobs, "b")
    assert copy_within_account(source, "in/foreign", blobs, "b", overwrite=True)
    assert blobs.open_read("b").read() == b"of another tool"
    with pytest.raises(NotFound, match="'source' has nothing at 'no'"):
        copy_within_account(source, "no", blobs, "c")


def test_other_kinds_of_datastores_are_left_to_the_caller(source: AzureBlobDatastore, tmp_path: Path) -> None:
    local = LocalDatastore(LocalConfig(name="local", root=str(tmp_path)), StatCache(tmp_path / "digests.db"))
    assert not copy_within_account(source, "in", local, "out")
    assert not copy_within_account(local, "in", source, "out")


def test_a_source_that_is_opened_by_a_signature(
    open_blob: OpenDatastore, blobs: AzureBlobDatastore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, sas: str
) -> None:
    blobs.write("in/a", io.BytesIO(b"1"))
    signed = open_blob(name="signed", connection="signed", prefix="data/of us")
    assert copy_within_account(signed, "in", signed, "out")
    assert [info.path for info in blobs.list("out")] == ["out/a"]
