"""A table that can be asked for its columns and rows, and written to files."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from airloom.errors import InvalidGraph, NotFound
from airloom.graph.tables import TableReading
from airloom.tabular.delimited import MARK
from airloom.tabular.failures import explained, missing_column
from airloom.tabular.parts import Part
from airloom.tabular.scan import delimited, scan
from airloom.tabular.transforms import kept, transformed

if TYPE_CHECKING:
    import polars as pl

OnError = Literal["null", "fail"]


class Table:
    """Files read as one table. Use it as a context: on leaving it, temporary copies of files are removed.

    With `on_error` "null" a value that is not of its column's type is a missing one, and a row with too many values
    loses those that are too many; with "fail" both are an UnreadableTable, if they are read at all.
    """

    def __init__(self, parts: Sequence[Part], reading: TableReading, on_error: OnError = "null") -> None:
        if not parts:
            raise NotFound("The table has no files.", hint="Was the data uploaded?")
        if on_error not in ("null", "fail"):
            raise InvalidGraph(f"on_error must be 'null' or 'fail', not {on_error!r}.")
        _check_installed()
        self.parts = parts
        self.reading = reading
        self._strict = on_error == "fail"
        self._folder = tempfile.TemporaryDirectory(prefix="airloom-table-")
        self._frame: pl.LazyFrame | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    @property
    def frame(self) -> pl.LazyFrame:
        """The rows, not read yet. What is raised when they are read is not explained; see `collect`."""
        if self._frame is None:
            with explained(self.parts, self.reading):
                self._frame = self._done(scan(self.parts, self.reading, self._place(), strict=self._strict))
        return self._frame

    def marked(self) -> pl.LazyFrame:
        """The rows, with columns that tell which values were not of their type where that can be."""
        if self.reading.format != "delimited":
            return self.frame
        with explained(self.parts, self.reading):
            return self._done(delimited(self.parts, self.reading, self._place(), marks=True))

    def columns(self) -> dict[str, pl.DataType]:
        """The columns and their types."""
        with explained(self.parts, self.reading):
            return dict(self.frame.collect_schema())

    def collect(self, rows: int | None = None) -> pl.DataFrame:
        """The rows, or the first of them."""
        frame = self.frame if rows is None else self.frame.head(rows)
        with explained(self.parts, self.reading):
            return frame.collect(engine="streaming")

    def write_parquet(self, target: Path, *, row_group_size: int | None = None) -> None:
        """All rows as one Parquet file, without having them in memory."""
        frame = self.frame
        with explained(self.parts, self.reading):
            frame.sink_parquet(target, row_group_size=row_group_size)

    def write_csv(self, target: Path, separator: str = ",") -> None:
        """All rows as one file of delimited text with a header."""
        import polars as pl

        nested = [name for name, kind in self.columns().items() if kind.is_nested()]
        if nested:
            raise InvalidGraph(
                f"The column {nested[0]!r} holds lists or records, which delimited text cannot.",
                hint="Drop it, or write Parquet.",
                target=nested[0],
            )
        frame = self.frame.with_columns(pl.selectors.binary().bin.encode("base64"))
        with explained(self.parts, self.reading):
            frame.sink_csv(target, separator=separator)

    def write_partitions(self, keys: Sequence[str], folder: Path) -> list[tuple[dict[str, str], Path]]:
        """One Parquet file per combination of values of some columns; the values as text, and the file."""
        import polars as pl

        for key in keys:
            if key not in self.columns():
                raise missing_column(key, list(self.columns()))
        written: list[tuple[dict[str, str], Path]] = []

        def place(file: Any) -> Path:
            values = file.partition_keys.row(0, named=True)
            written.append(({key: _as_text(values[key]) for key in keys}, folder / f"{uuid.uuid4().hex}.parquet"))
            return written[-1][1]

        frame = self.frame
        with explained(self.parts, self.reading):
            frame.sink_parquet(
                pl.PartitionBy(
                    folder,
                    file_path_provider=place,
                    key=list(keys),
                    include_key=False,
                    approximate_bytes_per_file=None,
                )
            )
        return sorted(written, key=lambda entry: tuple(entry[0].values()))

    def _done(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        if any(name.startswith("__airloom_row") for name in frame.collect_schema()):
            raise InvalidGraph("The table has a column whose name begins with __airloom_row.", hint="Rename it.")
        if self.reading.keep_columns is not None:
            frame = kept(frame, self.reading.keep_columns)
        return transformed(frame, self.reading.transforms)

    def _place(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder.name))


def visible(columns: Sequence[str]) -> list[str]:
    """The columns that are the user's."""
    return [name for name in columns if not name.startswith(MARK)]


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def _check_installed() -> None:
    try:
        import polars  # noqa: F401
    except ImportError:
        raise NotFound(
            "Reading a table needs the package polars, which is not installed here.",
            hint="pip install 'airloom[tabular]'",
        ) from None
