"""The content cache and the collector on datastores of every remote kind."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from airloom.graph.canonical import digest_bytes
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.content_cache import ContentCache
from airloom.storage.content_shelf import Content
from airloom.storage.datastores import DatastoreHandle, ShowsUnfinished
from airloom.storage.remote_datastore import RemoteDatastore
from airloom.storage.stat_cache import null_cache
from airloom.upkeep.leftovers import unfinished
from airloom.upkeep.places import ask

pytestmark = pytest.mark.integration


def test_files_come_once_and_are_what_they_were(remote_datastore: DatastoreHandle, tmp_path: Path) -> None:
    texts = {f"in/{number}": f"{number}" * 1000 for number in range(5)}
    for path, text in texts.items():
        remote_datastore.write(path, io.BytesIO(text.encode()))
    cache = ContentCache(tmp_path / "content", null_cache())
    for downloaded in (5, 0):
        contents = [Content.of(remote_datastore, info) for info in remote_datastore.list("in")]
        with cache.in_use(contents, lambda: None) as fetched:
            assert fetched is not None and fetched.downloaded == downloaded
            assert {each.info.path: fetched.path(each).read_text() for each in contents} == texts


def test_what_killed_publishers_left_is_known(remote_datastore: DatastoreHandle) -> None:
    ask(remote_datastore)
    remote_datastore.write("azureml/run/step/attempt/whole/file", io.BytesIO(b"1"))
    assert list(unfinished(remote_datastore)) == []
    remote_datastore.write("azureml/run/step/attempt/half/file", io.BytesIO(b"22"))
    hide(remote_datastore, "azureml/run/step/attempt/half")
    assert isinstance(remote_datastore, ShowsUnfinished)
    assert [info.path for info in remote_datastore.list("azureml")] == ["azureml/run/step/attempt/whole/file"]
    [found] = unfinished(remote_datastore)
    assert (found.path, found.attempt, found.size) == (
        "azureml/run/step/attempt/half",
        ("run", "step", "attempt"),
        2,
    )
    remote_datastore.delete(found.path)
    assert list(unfinished(remote_datastore)) == []
    assert [info.path for info in remote_datastore.list("azureml")] == ["azureml/run/step/attempt/whole/file"]


def hide(datastore: DatastoreHandle, folder: str) -> None:
    """Put the marker of a publisher who is no more."""
    marker = f"{folder}/.airloom-unfinished"
    if isinstance(datastore, AzureBlobDatastore):
        datastore.container.blob(marker).upload_blob(b"")
    else:
        assert isinstance(datastore, RemoteDatastore)
        datastore._files.put(marker, [], 0, digest_bytes(b""))
