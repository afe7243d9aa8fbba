"""Datasets that were saved: found again by an id that follows from what they say."""

from __future__ import annotations

import uuid

import pytest

from airloom.errors import IntegrityError, NotFound
from airloom.graph.model import DataLocation, FilesSource, TabularSource
from airloom.storage.object_store import ObjectStore
from airloom.storage.saved_datasets import SavedDatasets
from airloom.storage.workspace import WorkspaceStore

FILES = FilesSource(locations=(DataLocation(datastore="blobs", path="in/*.csv"), DataLocation(datastore="blobs")))
TABLE = TabularSource(locations=FILES.locations, separator=";", keep_columns=("a",))


@pytest.fixture
def saved(store: ObjectStore) -> SavedDatasets:
    return SavedDatasets(WorkspaceStore(store, "default"))


@pytest.mark.parametrize("source", [FILES, TABLE])
def test_saved_and_found(saved: SavedDatasets, source: FilesSource | TabularSource) -> None:
    dataset_id = saved.save(source)
    assert saved.get(dataset_id) == source
    assert saved.get(dataset_id.upper()) == source


def test_the_same_has_the_same_id_and_another_another(saved: SavedDatasets) -> None:
    assert saved.save(FILES) == saved.save(FILES) == "85c9b800-5d76-5826-a100-50f18cb4e253"
    assert saved.save(TABLE) != saved.save(FILES)


@pytest.mark.parametrize("dataset_id", [str(uuid.UUID(int=7)), "none", "", "../datastores/blobs"])
def test_one_that_was_not_saved(saved: SavedDatasets, dataset_id: str) -> None:
    with pytest.raises(NotFound, match="has no dataset"):
        saved.get(dataset_id)


def test_one_that_was_altered_is_refused(saved: SavedDatasets, store: ObjectStore) -> None:
    dataset_id = saved.save(FILES)
    key = f"workspaces/default/datasets/{dataset_id}.json"
    store.put(key, store.get(key).replace(b"in/", b"on/"))
    with pytest.raises(IntegrityError, match="was altered"):
        saved.get(dataset_id)
    saved.save(FILES)
    assert saved.get(dataset_id) == FILES, "saving it again mends it"


def test_one_of_another_version_is_refused(saved: SavedDatasets, store: ObjectStore) -> None:
    from airloom.storage.envelope import seal

    dataset_id = saved.save(FILES)
    store.put(f"workspaces/default/datasets/{dataset_id}.json", seal({"kind": "stream"}))
    with pytest.raises(IntegrityError, match="cannot be read by this version"):
        saved.get(dataset_id)
