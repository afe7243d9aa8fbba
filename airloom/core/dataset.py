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
        """Raises UserErrorException: datasets are not registered in this version."""
        return AbstractDataset.get_by_name(workspace, name, version, **kwargs)

    @staticmethod
    def get_by_id(workspace: Workspace, id: str, **kwargs: Any) -> AbstractDataset:
        """The dataset that was saved under an id, which its `id` told. Raises NotFoundException if there is none."""
        return AbstractDataset.get_by_id(workspace, id, **kwargs)

    @staticmethod
    def get_all(workspace: Workspace) -> dict[str, AbstractDataset]:
        """Raises UserErrorException: datasets are not registered in this version."""
        return AbstractDataset.get_all(workspace)
