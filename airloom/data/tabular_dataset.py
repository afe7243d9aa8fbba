"""Datasets that are tables in delimited text files."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from airloom.core._compat import not_yet, refuse_unless_default
from airloom.data._paths import StoredPath
from airloom.data.abstract_dataset import AbstractDataset
from airloom.exceptions import UserErrorException
from airloom.graph.model import TabularSource
from airloom.graph.suggest import did_you_mean

if TYPE_CHECKING:
    from pandas import DataFrame


class Format(NamedTuple):
    """How the files are to be read."""

    separator: str = ","
    header: bool = True
    encoding: str = "utf8"
    infer_types: bool = True


DEFAULT_FORMAT = Format()


class TabularDataset(AbstractDataset):
    """One table in one or more delimited text files, read whenever it is asked for."""

    def __init__(
        self,
        paths: tuple[StoredPath, ...] = (),
        form: Format = DEFAULT_FORMAT,
        columns: tuple[str, ...] | None = None,
        rows: tuple[int, int | None] = (0, None),
    ) -> None:
        super().__init__(paths)
        self._form = form
        self._columns = columns
        self._rows = rows

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> DataFrame:
        """The table as a pandas DataFrame; needs the package pandas."""
        refuse_unless_default(
            "TabularDataset.to_pandas_dataframe",
            {"on_error": (on_error, "null"), "out_of_range_datetime": (out_of_range_datetime, "null")},
        )
        pandas = _pandas()
        skip, limit = self._rows
        frames, wanted = [], None if limit is None else skip + limit
        for file in self._files():
            frames.append(self._read(file.place, pandas.read_csv, wanted))
            if wanted is not None and (wanted := wanted - len(frames[-1])) <= 0:
                break
        table: DataFrame = pandas.concat(frames, ignore_index=True)
        return table.iloc[skip : None if limit is None else skip + limit].reset_index(drop=True)

    def take(self, count: int) -> TabularDataset:
        """The first `count` rows, for looking at; see `skip`."""
        start, limit = self._rows
        kept = _count(count) if limit is None else min(limit, _count(count))
        return TabularDataset(self._paths, self._form, self._columns, (start, kept))

    def skip(self, count: int) -> TabularDataset:
        """All rows but the first `count`.

        A dataset cut in rows can be read here, but not be an input of a step: there, cut the DataFrame.
        """
        start, limit = self._rows
        left = None if limit is None else max(limit - _count(count), 0)
        return TabularDataset(self._paths, self._form, self._columns, (start + _count(count), left))

    def keep_columns(self, columns: str | list[str], validate: bool = False) -> TabularDataset:
        """The table with these columns only; `validate` checks at once that it has them."""
        wanted = (columns,) if isinstance(columns, str) else tuple(columns)
        if validate or self._columns is not None:
            self._check_columns(wanted)
        return TabularDataset(self._paths, self._form, wanted, self._rows)

    def drop_columns(self, columns: str | list[str]) -> TabularDataset:
        """The table without these columns. Reads the first file's header to know the others."""
        unwanted = (columns,) if isinstance(columns, str) else tuple(columns)
        present = self._check_columns(unwanted)
        kept = tuple(name for name in present if name not in unwanted)
        return TabularDataset(self._paths, self._form, kept, self._rows)

    def _check_columns(self, wanted: tuple[str, ...]) -> list[str]:
        first = TabularDataset(self._paths[:1], self._form, self._columns)
        present = [str(name) for name in first._read(first._files()[0].place, _pandas().read_csv, 0).columns]
        for name in wanted:
            if name not in present:
                raise UserErrorException(f"{self!r} has no column {name!r}. {did_you_mean(name, present)}")
        return present

    def _read(self, place: StoredPath, read_csv: Callable[..., DataFrame], rows: int | None) -> DataFrame:
        datastore, form = place.datastore, self._form
        blocks = datastore._client.download_file(datastore.workspace.name, datastore.name, place.path)
        try:
            table = read_csv(
                io.BytesIO(b"".join(blocks)),
                sep=form.separator,
                header=0 if form.header else None,
                encoding=form.encoding,
                dtype=None if form.infer_types else str,
                nrows=rows,
            )
        except ValueError as error:
            raise UserErrorException(f"{datastore.name}/{place.path} cannot be read as a table: {error}") from error
        if not form.header:
            # As in v1, columns without names are Column1, Column2, ...
            table.columns = [f"Column{number}" for number in range(1, len(table.columns) + 1)]
        if self._columns is None:
            return table
        missing = [name for name in self._columns if name not in table.columns]
        if missing:
            raise UserErrorException(
                f"{datastore.name}/{place.path} has no column {missing[0]!r}. {did_you_mean(missing[0], table.columns)}"
            )
        return table[list(self._columns)]

    def _to_source(self) -> TabularSource:
        if self._rows != (0, None):
            raise not_yet("A tabular dataset cut by take() or skip() as input of a step", "Cut the DataFrame there.")
        if not self._form.infer_types:
            raise not_yet("infer_column_types=False for an input of a step", "Convert the columns in the script.")
        return TabularSource(
            locations=tuple(path.location for path in self._paths),
            separator=self._form.separator,
            header=self._form.header,
            encoding=self._form.encoding,
            keep_columns=self._columns,
        )


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise UserErrorException("Reading a table needs the package pandas: pip install pandas") from error
    return pandas


def _count(count: int) -> int:
    if not isinstance(count, int) or count < 0:
        raise UserErrorException(f"count must be a number of rows, not {count!r}.")
    return count
