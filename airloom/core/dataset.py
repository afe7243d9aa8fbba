"""`Dataset`: the door to file and tabular datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.data.abstract_dataset import AbstractDataset
from airloom.data.dataset_factory import FileDatasetFactory, TabularDatasetFactory

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace


class Dataset:
    """Makes datasets: `Dataset.File.from_files(...)`, `Dataset.Tabular.from_delimited_files(...)`."""

    File = FileDatasetFactory
    Tabular = TabularDatasetFactory

    @staticmethod
    def get_by_name(workspace: Workspace, name: str, version: int | str = "latest", **kwargs: Any) -> AbstractDataset:
        """A registered dataset, by default its latest version. Raises NotFoundException if there is none."""
        return AbstractDataset.get_by_name(workspace, name, version, **kwargs)

    @staticmethod
    def get_by_id(workspace: Workspace, id: str, **kwargs: Any) -> AbstractDataset:
        """The registered version, or the saved dataset, of an id. Raises NotFoundException if there is none."""
        return AbstractDataset.get_by_id(workspace, id, **kwargs)

    @staticmethod
    def get_all(workspace: Workspace) -> dict[str, AbstractDataset]:
        """The registered datasets by name, each in its latest version."""
        return AbstractDataset.get_all(workspace)

    @staticmethod
    def get_all_versions(workspace: Workspace, name: str) -> list[AbstractDataset]:
        """All versions of a registered dataset, the newest first. Not in v1. Raises NotFoundException."""
        return AbstractDataset.get_all_versions(workspace, name)
