"""Outputs of steps that are read as tables."""

from __future__ import annotations

import random
from typing import Any

from airloom.data.dataset_consumption_config import DIRECT_MODE, DatasetConsumptionConfig
from airloom.data.output_dataset_config import OutputDatasetConfig, OutputFileDatasetConfig
from airloom.exceptions import UserErrorException
from airloom.graph.tables import DropColumns, KeepColumns, Split, TableReading, Transform


class OutputTabularDatasetConfig(OutputDatasetConfig):
    """An OutputFileDatasetConfig of which the files are read as a table: where it is an input, and registered.

    Made by `read_delimited_files` and `read_parquet_files` of one. As an output, it is that one.
    """

    def __init__(self, **kwargs: Any) -> None:
        files, reading = kwargs.pop("files", None), kwargs.pop("reading", None)
        if kwargs or not isinstance(files, OutputFileDatasetConfig) or not isinstance(reading, TableReading):
            raise UserErrorException("It is made by read_delimited_files() or read_parquet_files() of an output.")
        super().__init__(files.mode, files.name)
        self._files = files
        self._reading = reading

    def keep_columns(self, columns: str | list[str]) -> OutputTabularDatasetConfig:
        """The table with these columns only."""
        return self._then(KeepColumns(columns=_listed(columns)))

    def drop_columns(self, columns: str | list[str]) -> OutputTabularDatasetConfig:
        """The table without these columns."""
        return self._then(DropColumns(columns=_listed(columns)))

    def random_split(
        self, percentage: float, seed: int | None = None
    ) -> tuple[OutputTabularDatasetConfig, OutputTabularDatasetConfig]:
        """Two tables that share out the rows, the first with about this fraction of them (from 0 to 1)."""
        first, second = splits(percentage, seed)
        return self._then(first), self._then(second)

    def as_mount(self) -> OutputTabularDatasetConfig:
        """Let the script write where the data will lie."""
        self._files.as_mount()
        return self

    def as_upload(self, overwrite: bool = False, source_globs: Any = None) -> OutputTabularDatasetConfig:
        """Copy what the script wrote when it has ended."""
        self._files.as_upload(overwrite, source_globs)
        return self

    def register_on_complete(
        self, name: str, description: str | None = None, tags: dict[str, str] | None = None
    ) -> OutputTabularDatasetConfig:
        """Let the output become a version of a tabular dataset when its step has succeeded; returns this object."""
        self._files.register_on_complete(name, description, tags)
        self.registration = self._files.registration
        self._files._registered_as = self._reading
        return self

    def as_input(self, name: str | None = None) -> DatasetConsumptionConfig:
        """The table as input of another step, whose script gets it as a dataset."""
        return DatasetConsumptionConfig(name or self.name, self, DIRECT_MODE)

    def _then(self, transform: Transform) -> OutputTabularDatasetConfig:
        return OutputTabularDatasetConfig(files=self._files, reading=self._reading.then(transform))

    def __repr__(self) -> str:
        return f"OutputTabularDatasetConfig(name={self.name!r})"


def splits(percentage: float, seed: int | None) -> tuple[Split, Split]:
    """The two parts of a random split."""
    if not 0 <= percentage <= 1:
        raise UserErrorException(f"percentage must lie between 0 and 1, not be {percentage!r}.")
    number = random.SystemRandom().randrange(2**31) if seed is None else int(seed)
    return (
        Split(fraction=percentage, seed=number, part="first"),
        Split(fraction=percentage, seed=number, part="second"),
    )


def _listed(columns: str | list[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)
