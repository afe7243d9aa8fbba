"""Data between steps, seen as a dataset."""

from __future__ import annotations

import copy
from typing import Any

from airloom.core._compat import not_yet
from airloom.data import _reading
from airloom.data._output_tables import splits
from airloom.data._registered import check_name
from airloom.data.data_type import DataType
from airloom.data.dataset_type_definitions import PromoteHeadersBehavior
from airloom.exceptions import UserErrorException
from airloom.graph.tables import DropColumns, KeepColumns, TableReading, Transform
from airloom.pipeline.core._checks import check_port_name
from airloom.pipeline.core.graph import InputPortBinding

__all__ = [
    "DatasetRegistration",
    "PipelineOutputAbstractDataset",
    "PipelineOutputFileDataset",
    "PipelineOutputTabularDataset",
]


class DatasetRegistration:
    """The dataset that an output is to become. Without `create_new_version`, a name that has data keeps it."""

    def __init__(self, name: str, create_new_version: bool) -> None:
        check_name(name)
        self._name = name
        self._create_new_version = create_new_version
        self._reading: TableReading | None = None

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self._name

    @property
    def create_new_version(self) -> bool:
        """Whether a name that has a version gets another one."""
        return self._create_new_version

    def __repr__(self) -> str:
        return f"DatasetRegistration({self._name!r}, create_new_version={self._create_new_version})"


class PipelineOutputAbstractDataset:
    """Base of the dataset views of a PipelineData."""

    def __init__(self, pipeline_data: Any) -> None:
        from airloom.pipeline.core.builder import PipelineData

        if not isinstance(pipeline_data, PipelineData):
            raise UserErrorException(f"A {type(self).__name__} needs a PipelineData, not {pipeline_data!r}.")
        self._pipeline_data = pipeline_data
        self._input_name: str | None = None
        self._mode = "mount"
        self._path_on_compute: str | None = None

    @property
    def name(self) -> str:
        """Name of the PipelineData."""
        return str(self._pipeline_data.name)

    @property
    def input_name(self) -> str | None:
        """Name that `as_named_input` gave, None without it."""
        return self._input_name

    def register(self, name: str, create_new_version: bool = True) -> Any:
        """Let the output become a version of a dataset when its step has succeeded; returns this object.

        Without `create_new_version`, a name that stands for other data already is left as it is.
        """
        registration = DatasetRegistration(name, create_new_version)
        registration._reading = getattr(self, "_reading", None)
        self._pipeline_data._dataset_registration = registration
        return self

    def as_named_input(self, name: str) -> Any:
        """A copy that is read under this name."""
        return self._copy(_input_name=check_port_name(name, f"the input that reads '{self.name}'"))

    def create_input_binding(self) -> InputPortBinding:
        """The input that this object stands for in a step."""
        return InputPortBinding(
            self._input_name or self.name, self._pipeline_data, self._mode, self._path_on_compute, None
        )

    def _copy(self, **changes: Any) -> Any:
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other


class PipelineOutputFileDataset(PipelineOutputAbstractDataset):
    """A PipelineData as a file dataset, mounted unless asked otherwise. Each method gives a changed copy."""

    def as_mount(self, path_on_compute: str | None = None) -> PipelineOutputFileDataset:
        """Read it where it lies."""
        changed: PipelineOutputFileDataset = self._copy(_mode="mount", _path_on_compute=path_on_compute)
        return changed

    def as_download(self, path_on_compute: str | None = None) -> PipelineOutputFileDataset:
        """Read a copy of its own."""
        changed: PipelineOutputFileDataset = self._copy(_mode="download", _path_on_compute=path_on_compute)
        return changed

    def as_direct(self) -> PipelineOutputFileDataset:
        """Raises UserErrorException: the output of a step reaches a script as a path only."""
        raise not_yet(f"Reading the output '{self.name}' in direct mode", "Use as_mount() or as_download().")

    def parse_delimited_files(
        self,
        include_path: bool = False,
        separator: str = ",",
        header: Any = PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS,
        partition_format: str | None = None,
        file_extension: str = "",
        set_column_types: dict[str, DataType] | None = None,
        quoted_line_breaks: bool = False,
    ) -> PipelineOutputTabularDataset:
        """The data as a table of delimited text. Quoted values may always span lines.

        With `file_extension`, such as ".csv", only files whose names end with it are read.
        """
        reading = _reading.delimited(
            separator=separator,
            header=header,
            include_path=include_path,
            partition_format=partition_format,
            set_column_types=set_column_types,
            path_glob=f"**/*{file_extension}" if file_extension else None,
        )
        return PipelineOutputTabularDataset(self, reading)

    def parse_parquet_files(
        self,
        include_path: bool = False,
        partition_format: str | None = None,
        file_extension: str = ".parquet",
        set_column_types: dict[str, DataType] | None = None,
    ) -> PipelineOutputTabularDataset:
        """The data as a table of Parquet files: those whose names end with `file_extension`."""
        reading = _reading.parquet(
            include_path=include_path,
            partition_format=partition_format,
            set_column_types=set_column_types,
            path_glob=f"**/*{file_extension}" if file_extension else None,
        )
        return PipelineOutputTabularDataset(self, reading)


class PipelineOutputTabularDataset(PipelineOutputAbstractDataset):
    """A PipelineData as a table, which a script gets as a dataset. Each method gives a changed copy."""

    def __init__(self, pipeline_output_dataset: Any, additional_transformations: Any) -> None:
        if not isinstance(pipeline_output_dataset, PipelineOutputAbstractDataset) or not isinstance(
            additional_transformations, TableReading
        ):
            raise UserErrorException("It is made by parse_delimited_files() or parse_parquet_files().")
        super().__init__(pipeline_output_dataset._pipeline_data)
        self._input_name = pipeline_output_dataset._input_name
        self._mode = "direct"
        self._reading = additional_transformations

    def keep_columns(self, columns: str | list[str]) -> PipelineOutputTabularDataset:
        """The table with these columns only."""
        return self._then(KeepColumns(columns=_listed(columns)))

    def drop_columns(self, columns: str | list[str]) -> PipelineOutputTabularDataset:
        """The table without these columns."""
        return self._then(DropColumns(columns=_listed(columns)))

    def random_split(
        self, percentage: float, seed: int | None = None
    ) -> tuple[PipelineOutputTabularDataset, PipelineOutputTabularDataset]:
        """Two tables that share out the rows, the first with about this fraction of them (from 0 to 1)."""
        first, second = splits(percentage, seed)
        return self._then(first), self._then(second)

    def _then(self, transform: Transform) -> PipelineOutputTabularDataset:
        changed: PipelineOutputTabularDataset = self._copy(_reading=self._reading.then(transform))
        return changed


def _listed(columns: str | list[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)
