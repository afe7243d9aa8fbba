"""Makes tabular datasets: `Dataset.Tabular`."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import Any, NoReturn

from airloom.core._compat import ignored_unless_default, not_yet
from airloom.data import _reading, _transfer
from airloom.data._paths import PathLike, StoredPath, stored_paths
from airloom.data.abstract_dataset import target_path
from airloom.data.data_type import DataType
from airloom.data.tabular_dataset import TabularDataset
from airloom.exceptions import UserErrorException
from airloom.graph.tables import ReadOptions, TableReading

Types = dict[str, DataType] | None


class TabularDatasetFactory:
    """Makes tabular datasets of files at one or more paths on datastores; `*` and `**` are understood.

    With `validate`, a path that matches nothing is an error. `include_path` gives the table a column `Path`, and
    `partition_format`, such as `/{land}/{day:yyyy/MM/dd}/data.csv`, columns of parts of the paths.
    """

    @staticmethod
    def from_delimited_files(
        path: PathLike,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: Types = None,
        separator: str = ",",
        header: Any = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
        """A table in delimited text files.

        With `header`, the first line of every file names the columns; see PromoteHeadersBehavior. Types are told from
        the first rows, unless set. Quoted values may always span lines, whatever `support_multi_line` says.
        """
        reading = _reading.delimited(
            separator=separator,
            header=header,
            encoding=encoding,
            include_path=include_path,
            infer_types=infer_column_types,
            set_column_types=set_column_types,
            partition_format=partition_format,
            empty_as_string=empty_as_string,
        )
        return _dataset(path, reading, validate, "from_delimited_files")

    @staticmethod
    def from_parquet_files(
        path: PathLike,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Types = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """A table in Parquet files. It has the columns of the first one; what others lack of them is missing there."""
        reading = _reading.parquet(
            include_path=include_path, set_column_types=set_column_types, partition_format=partition_format
        )
        return _dataset(path, reading, validate, "from_parquet_files")

    @staticmethod
    def from_json_lines_files(
        path: PathLike,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Types = None,
        partition_format: str | None = None,
        invalid_lines: str = "error",
        encoding: str = "utf8",
    ) -> TabularDataset:
        """A table in files with a JSON object on each line; `invalid_lines="drop"` leaves out what is none."""
        reading = _reading.json_lines(
            encoding=encoding,
            invalid_lines=invalid_lines,
            include_path=include_path,
            set_column_types=set_column_types,
            partition_format=partition_format,
        )
        return _dataset(path, reading, validate, "from_json_lines_files")

    @staticmethod
    def from_sql_query(
        query: Any, validate: bool = True, set_column_types: Types = None, query_timeout: int = 30
    ) -> TabularDataset:
        """The rows of a query on a SQL datastore, given as (datastore, 'SELECT ...'), as input of a step.

        The query is run when the step starts, which therefore always runs; here its rows cannot be read.
        """
        ignored_unless_default(
            "Dataset.Tabular.from_sql_query",
            {"query_timeout": (query_timeout, 30)},
            "the database decides how long a query may take.",
        )
        if not isinstance(query, tuple) or len(query) != 2 or not isinstance(query[1], str):
            raise UserErrorException(f"from_sql_query needs (datastore, 'SELECT ...'), not {query!r}.")
        options = ReadOptions(column_types=_reading.column_types(set_column_types), query=query[1])
        return TabularDataset((StoredPath(query[0], ""),), TableReading(format="sql", options=options))

    @staticmethod
    def register_pandas_dataframe(
        dataframe: Any,
        target: Any,
        name: str,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        show_progress: bool = True,
        row_group_size: int | None = None,
        make_target_path_unique: bool = True,
    ) -> TabularDataset:
        """Write a DataFrame to a Parquet file on a datastore, and register it; its index is not kept.

        With `make_target_path_unique` the file has a folder of its own below the target.
        """
        place = target_path(target, "The target of register_pandas_dataframe")
        unique = uuid.uuid4().hex if make_target_path_unique else ""
        root = "/".join(filter(None, (place.path, unique)))
        with tempfile.TemporaryDirectory(prefix="airloom-dataset-") as folder:
            file = Path(folder, "part-00000.parquet")
            dataframe.to_parquet(file, index=False, row_group_size=row_group_size)
            _transfer.upload(
                place.datastore,
                [_transfer.LocalFile(file, file.name)],
                root,
                overwrite=not make_target_path_unique,
                show_progress=show_progress,
            )
        path = "/".join(filter(None, (root, "part-00000.parquet")))
        dataset = TabularDatasetFactory.from_parquet_files((place.datastore, path))
        return dataset.register(place.datastore.workspace, name, description, tags, create_new_version=True)

    @staticmethod
    def register_spark_dataframe(*args: Any, **kwargs: Any) -> NoReturn:
        """Raises UserErrorException: write Parquet files with Spark and use from_parquet_files."""
        raise not_yet("register_spark_dataframe", "Write Parquet files and use from_parquet_files(...).register(...).")

    @staticmethod
    def register_dask_dataframe(*args: Any, **kwargs: Any) -> NoReturn:
        """Raises UserErrorException: write Parquet files with dask and use from_parquet_files."""
        raise not_yet("register_dask_dataframe", "Write Parquet files and use from_parquet_files(...).register(...).")


def _dataset(path: PathLike, reading: TableReading, validate: bool, how: str) -> TabularDataset:
    dataset = TabularDataset(stored_paths(path, f"Dataset.Tabular.{how}"), reading)
    if validate:
        dataset._files()
    return dataset
