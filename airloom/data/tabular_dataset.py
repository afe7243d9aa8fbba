"""Datasets that are tables."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from airloom.core._compat import not_yet
from airloom.data import _transfer
from airloom.data._paths import StoredPath
from airloom.data._reading import as_user_errors, parquet
from airloom.data.abstract_dataset import AbstractDataset, target_path
from airloom.data.file_dataset import FileDataset
from airloom.exceptions import DatasetTimestampMissingError, UserErrorException
from airloom.graph.model import TabularSource
from airloom.graph.tables import TableReading
from airloom.runner.standin._airloom_step.lazy_table import LazyTable

if TYPE_CHECKING:
    from pandas import DataFrame

    from airloom.core.workspace import Workspace
    from airloom.tabular import Table

PLAIN = TableReading()
WRITTEN_TABLES = "airloom-tables"
"""The folder of the default datastore in which `to_parquet_files` and `to_csv_files` write."""


class TabularDataset(LazyTable, AbstractDataset):
    """One table in one or more files. Nothing is read until it is asked for.

    What is done to a table (rows taken, columns left out, conditions) is part of the dataset, and is done where it is
    read: here, or in the script of a step whose input it is.
    """

    def __init__(self, paths: tuple[StoredPath, ...] = (), reading: TableReading = PLAIN) -> None:
        super().__init__(paths)
        self._reading = reading

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> DataFrame:
        """The table as a pandas DataFrame; needs the packages pandas and polars.

        With `on_error` "null", a value that is not of its column's type is missing; with "fail" it is an error, and so
        is a row with too many values. `out_of_range_datetime` is for times that an old pandas cannot hold.
        """
        from airloom.tabular.columns import pandas_columns

        pandas = _pandas()
        with self._open(on_error) as table:
            frame = table.collect()
        columns = dict(pandas_columns(frame))
        if out_of_range_datetime not in ("null", "fail"):
            raise UserErrorException(f"out_of_range_datetime must be 'null' or 'fail', not {out_of_range_datetime!r}.")
        made: DataFrame = pandas.DataFrame(columns, index=range(frame.height))
        return made

    def to_dask_dataframe(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises UserErrorException: use to_parquet_files() and dask.dataframe.read_parquet."""
        raise not_yet("to_dask_dataframe", "Download to_parquet_files() and use dask.dataframe.read_parquet.")

    def to_spark_dataframe(self) -> NoReturn:
        """Raises UserErrorException: use to_parquet_files() and spark.read.parquet."""
        raise not_yet("to_spark_dataframe", "Download to_parquet_files() and use spark.read.parquet.")

    def to_parquet_files(self) -> FileDataset:
        """The table written to a Parquet file on the default datastore, as a file dataset."""
        return self._written("part-00000.parquet", lambda table, file: table.write_parquet(file))

    def to_csv_files(self, separator: str = ",") -> FileDataset:
        """The table written to a file of delimited text on the default datastore, as a file dataset."""
        return self._written("part-00000.csv", lambda table, file: table.write_csv(file, separator))

    def _written(self, name: str, write: Any) -> FileDataset:
        """Each writing has a folder of its own, so that nobody's data is replaced."""
        store = self.workspace.get_default_datastore()
        place = StoredPath(store, f"{WRITTEN_TABLES}/{uuid.uuid4().hex}/{name}")
        with self._open() as table, tempfile.TemporaryDirectory(prefix="airloom-dataset-") as folder:
            file = Path(folder, name)
            write(table, file)
            _transfer.upload(store, [_transfer.LocalFile(file, place.path)], "", overwrite=False, show_progress=False)
        return FileDataset((place,))

    # --- partitions ----------------------------------------------------------------------------------------------

    @property
    def partition_keys(self) -> list[str]:
        """The columns that are made of the paths of the files."""
        from airloom.tabular.partitions import PartitionFormat

        form = self._reading.options.partition_format
        return list(PartitionFormat(form).columns) if form else []

    def get_partition_key_values(self, partition_keys: list[str] | None = None) -> list[dict[str, Any]]:
        """The values of columns that are made of paths, each combination once. Reads no file."""
        from airloom.tabular.partitions import PartitionFormat

        wanted = partition_keys if partition_keys is not None else self.partition_keys
        unknown = [key for key in wanted if key not in self.partition_keys]
        if unknown or not wanted:
            raise UserErrorException(f"{self!r} has the partition keys {self.partition_keys}, not {unknown or wanted}.")
        form = PartitionFormat(str(self._reading.options.partition_format))
        with as_user_errors():
            found = [form.values(file.place.path) for file in self._files()]
        each = {tuple(values[key] for key in wanted): None for values in found}
        return [dict(zip(wanted, values, strict=True)) for values in each]

    def partition_by(
        self,
        partition_keys: list[str],
        target: Any,
        name: str | None = None,
        show_progress: bool = True,
        partition_as_file_dataset: bool = False,
    ) -> TabularDataset | FileDataset:
        """The table written anew below a target, a folder per value of each key; registered if there is a `name`.

        Below the target, the copy has a folder of its own. The keys become text.
        """
        keys = self._listed(partition_keys)
        place = target_path(target, "The target of partition_by")
        root = "/".join(filter(None, (place.path, uuid.uuid4().hex)))
        with self._open() as table, tempfile.TemporaryDirectory(prefix="airloom-dataset-") as folder:
            files = [
                _transfer.LocalFile(path, "/".join([*_folders(values), "part-00000.parquet"]))
                for values, path in table.write_partitions(keys, Path(folder))
            ]
            _transfer.upload(place.datastore, files, root, overwrite=False, show_progress=show_progress)
        paths = (StoredPath(place.datastore, f"{root}/**/*.parquet"),)
        form = f"/{root}/" + "/".join(f"{{{key}}}" for key in keys) + "/*.parquet"
        made: TabularDataset | FileDataset = (
            FileDataset(paths) if partition_as_file_dataset else TabularDataset(paths, parquet(partition_format=form))
        )
        return made if name is None else made.register(self.workspace, name)

    # --- files that the table names ------------------------------------------------------------------------------

    def download(
        self,
        stream_column: str,
        target_path: str | None = None,
        overwrite: bool = False,
        ignore_not_found: bool = True,
    ) -> list[str]:
        """Copy the files that a column names into a folder (default: a new temporary one); returns their places."""
        from airloom.data._streams import named_files

        with self.keep_columns([stream_column])._open() as table:
            values = table.collect().to_series().drop_nulls().unique(maintain_order=True).to_list()
        found = named_files(self._paths[0].datastore, values, ignore_not_found)
        folder = target_path or tempfile.mkdtemp(prefix="airloom-dataset-")
        return found.download(folder, overwrite) if found is not None else []

    def mount(self, stream_column: str, mount_point: str | None = None) -> NoReturn:
        """Raises UserErrorException: use download()."""
        raise not_yet("TabularDataset.mount", "Use download(stream_column).")

    # --- profiles ------------------------------------------------------------------------------------------------

    def get_profile(self, workspace: Workspace | None = None) -> dict[str, Any]:
        """What is in the table, worked out by the server: {"rows", "columns": [...]}; see the REST interface."""
        server = workspace or self.workspace
        found: dict[str, Any] = server._client.profile_dataset(server.name, self.id)
        return found

    def submit_profile_run(self, compute_target: Any, experiment: Any, cache_datastore_name: str | None = None) -> Any:
        """Raises UserErrorException: get_profile() works the profile out at once."""
        raise not_yet("A run that makes a profile", "get_profile() works it out at once.")

    def get_profile_runs(self, workspace: Workspace | None = None) -> NoReturn:
        """Raises UserErrorException: get_profile() works the profile out at once."""
        raise not_yet("A run that makes a profile", "get_profile() works it out at once.")

    # --- what a lazy table needs ---------------------------------------------------------------------------------

    def _get_reading(self) -> dict[str, Any]:
        return self._reading.model_dump(mode="json")

    def _with_reading(self, reading: dict[str, Any]) -> TabularDataset:
        return TabularDataset(self._paths, TableReading.model_validate(reading))

    def _column_names(self) -> list[str]:
        with self._open(files=1) as table:
            return list(table.columns())

    def _wrong(self, message: str) -> Exception:
        return UserErrorException(message)

    def _no_timestamp(self, message: str) -> Exception:
        return DatasetTimestampMissingError(message)

    @contextmanager
    def _open(self, on_error: str = "null", files: int | None = None) -> Iterator[Table]:
        from airloom.data._evaluation import opened

        if self._reading.format == "sql":
            raise UserErrorException(
                "A query is run where the steps run, which have the credentials: make the dataset an input of a step."
            )
        with opened(self._files()[:files], self._reading, on_error) as table:
            yield table

    def _to_source(self) -> TabularSource:
        reading = {name: getattr(self._reading, name) for name in TableReading.model_fields}
        return TabularSource(locations=tuple(path.location for path in self._paths), **reading)


def _folders(values: dict[str, str]) -> list[str]:
    empty = next((key for key, value in values.items() if not value), None)
    if empty is not None:
        raise UserErrorException(f"The key {empty!r} has no value in some rows. First filter them out.")
    return [quote(value, safe=" ") for value in values.values()]


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise UserErrorException("Reading a table needs the package pandas: pip install pandas") from error
    return pandas
