"""Saved datasets, made into objects again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.data._paths import StoredPath
from airloom.data.abstract_dataset import AbstractDataset
from airloom.data.file_dataset import FileDataset
from airloom.data.tabular_dataset import TabularDataset
from airloom.graph.model import FilesSource, TabularSource

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace


def dataset_of(workspace: Workspace, document: dict[str, Any]) -> AbstractDataset:
    """The dataset that a saved source describes."""
    if document["kind"] == "files":
        files = FilesSource.model_validate(document)
        return FileDataset(_paths(workspace, files), files.partition_format)
    source = TabularSource.model_validate(document)
    return TabularDataset(_paths(workspace, source), source.reading)


def _paths(workspace: Workspace, source: FilesSource | TabularSource) -> tuple[StoredPath, ...]:
    stores = workspace.datastores
    return tuple(StoredPath(stores[place.datastore], place.path) for place in source.locations)
