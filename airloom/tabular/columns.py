"""Columns as pandas takes them, the same in the SDK and in a script whose environment has nothing but pandas."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

COLUMNS_FILE = "columns.json"


def pandas_columns(table: pl.DataFrame) -> Iterator[tuple[str, Any]]:
    """The columns by name: numpy arrays for numbers and times, lists for the rest, with None for what is missing."""
    for column in table.iter_columns():
        yield column.name, _pandas_column(column)


def _pandas_column(column: pl.Series) -> Any:
    import polars as pl

    kind = column.dtype
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if isinstance(kind, pl.Date | pl.Datetime):
        return column.cast(pl.Datetime("us")).to_numpy()
    if isinstance(kind, pl.Decimal):
        column = column.cast(pl.Float64)
    if column.dtype.is_numeric() or isinstance(kind, pl.Duration):
        return column.to_numpy()
    if isinstance(kind, pl.Boolean) and not column.null_count():
        return column.to_numpy()
    if isinstance(kind, pl.Time):
        return column.cast(pl.String).to_list()
    return column.to_list()


def save_columns(table: pl.DataFrame, folder: Path) -> None:
    """Write columns down for `_airloom_step.tables.load_columns`: arrays as numpy does, lists as JSON."""
    import numpy

    described = []
    for number, (name, values) in enumerate(pandas_columns(table)):
        if isinstance(values, numpy.ndarray):
            numpy.save(folder / f"{number}.npy", values, allow_pickle=False)
            described.append([name, "array"])
        else:
            in_bytes = any(isinstance(value, bytes) for value in values)
            with (folder / f"{number}.json").open("w", encoding="ascii") as stream:
                json.dump([_plain(value) for value in values] if in_bytes else values, stream, default=str)
            described.append([name, "bytes" if in_bytes else "list"])
    (folder / COLUMNS_FILE).write_text(json.dumps({"rows": table.height, "columns": described}), encoding="ascii")


def _plain(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode("ascii")
