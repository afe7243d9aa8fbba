"""How an output of files becomes one that is read as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.data import _reading
from airloom.data.data_type import DataType
from airloom.data.dataset_type_definitions import PromoteHeadersBehavior

if TYPE_CHECKING:
    from airloom.data._output_tables import OutputTabularDatasetConfig
    from airloom.graph.tables import TableReading

Types = dict[str, DataType] | None


class TransformationMixin:
    """For outputs of files: `path_glob` chooses among the files, by their paths within the output."""

    def read_delimited_files(
        self,
        include_path: bool = False,
        separator: str = ",",
        header: Any = PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS,
        partition_format: str | None = None,
        path_glob: str | None = None,
        set_column_types: Types = None,
    ) -> OutputTabularDatasetConfig:
        """The output as a table of delimited text."""
        return self._read(
            _reading.delimited(
                separator=separator,
                header=header,
                include_path=include_path,
                partition_format=partition_format,
                path_glob=path_glob,
                set_column_types=set_column_types,
            )
        )

    def read_parquet_files(
        self,
        include_path: bool = False,
        partition_format: str | None = None,
        path_glob: str | None = None,
        set_column_types: Types = None,
    ) -> OutputTabularDatasetConfig:
        """The output as a table of Parquet files."""
        return self._read(
            _reading.parquet(
                include_path=include_path,
                partition_format=partition_format,
                path_glob=path_glob,
                set_column_types=set_column_types,
            )
        )

    def _read(self, reading: TableReading) -> OutputTabularDatasetConfig:
        from airloom.data._output_tables import OutputTabularDatasetConfig

        return OutputTabularDatasetConfig(files=self, reading=reading)
