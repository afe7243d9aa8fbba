"""Datasets inside a step: what the runner made ready, with the SDK's ways to read it."""

from __future__ import annotations

from typing import Any

from .errors import UserErrorException, not_offered
from .staged import FileDataset
from .tables import TabularDataset


def staged_dataset(staged: dict[str, Any]) -> FileDataset | TabularDataset:
    """The dataset object for what the runner staged."""
    return TabularDataset(staged) if staged["kind"] == "tabular" else FileDataset(staged)


class _DatasetNames(type):
    def __getattr__(cls, name: str) -> Any:
        raise not_offered("Dataset", name, "Pass the dataset as an input of the step; see Run.input_datasets.")


class Dataset(metaclass=_DatasetNames):
    """Finds datasets among the inputs of the step."""

    @staticmethod
    def get_by_id(workspace: Any, id: str, **kwargs: Any) -> FileDataset | TabularDataset:
        """The input dataset with this id: what an argument of mode `direct` holds."""
        from .run import Run

        for staged in Run.get_context()._inputs():
            if staged["digest"] == id:
                return staged_dataset(staged)
        raise UserErrorException(f"No input of this step is the dataset {id!r}. Pass it as an input.")
