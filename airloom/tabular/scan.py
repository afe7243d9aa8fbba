"""From files to a lazy frame, before anything is done to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.graph.tables import TableReading
from airloom.tabular.delimited import DelimitedFiles, as_utf8, is_utf8
from airloom.tabular.failures import UnreadableTable, is_object, json_lines
from airloom.tabular.partitions import PartitionFormat, PartitionValue
from airloom.tabular.parts import Part
from airloom.tabular.types import converted

if TYPE_CHECKING:
    import polars as pl

PATH_COLUMN = "Path"
_MAGIC = b"PAR1"
_SAMPLE_LINES = 10_000


def scan(parts: Sequence[Part], reading: TableReading, folder: Path, *, strict: bool) -> pl.LazyFrame:
    """All rows of all files, one file after the other. `folder` takes copies of what cannot be read as it is.

    Values that are not of their column's type are null, as are the missing ones; `strict` refuses broken rows.
    """
    if reading.format == "parquet":
        return _parquet(parts, reading, strict=strict)
    if reading.format == "json_lines":
        return _json_lines(parts, reading, folder, strict=strict)
    return delimited(parts, reading, folder, strict=strict)


def delimited(
    parts: Sequence[Part], reading: TableReading, folder: Path, *, strict: bool = False, marks: bool = False
) -> pl.LazyFrame:
    """Delimited files; with `marks`, there are columns more that tell which values were not of their column's type."""
    if not is_utf8(reading.encoding):
        parts = as_utf8(parts, reading.encoding, folder)
    files = DelimitedFiles(parts, reading, strict=strict)
    if files.alike() and not _names_count(reading):
        return files.frame(range(len(files.parts)), marks=marks)
    return _joined(files.parts, reading, lambda number: files.frame([number], marks=marks))


def _names_count(reading: TableReading) -> bool:
    return reading.options.include_path or reading.options.partition_format is not None


def _joined(parts: Sequence[Part], reading: TableReading, one: Callable[[int], pl.LazyFrame]) -> pl.LazyFrame:
    """The frames of single files, each with the columns that are made of its name, in one."""
    import polars as pl

    frames = [_named(one(number), part, reading) for number, part in enumerate(parts)]
    if len(frames) == 1:
        return frames[0]
    return pl.concat(frames, how="diagonal_relaxed")


def _named(frame: pl.LazyFrame, part: Part, reading: TableReading) -> pl.LazyFrame:
    import polars as pl

    if not _names_count(reading):
        return frame
    constants: dict[str, PartitionValue] = {}
    if reading.options.include_path:
        constants[PATH_COLUMN] = "/" + part.name.lstrip("/")
    if reading.options.partition_format is not None:
        constants.update(PartitionFormat(reading.options.partition_format).values(part.name))
    named = [pl.lit(value).alias(name) for name, value in constants.items()]
    own = [name for name in frame.collect_schema().names() if name not in constants]
    return frame.select([*named, *own])


def _parquet(parts: Sequence[Part], reading: TableReading, *, strict: bool) -> pl.LazyFrame:
    import polars as pl

    for part in parts:
        _check_parquet(part)
    if _names_count(reading):
        frame = _joined(parts, reading, lambda number: pl.scan_parquet(parts[number].path, glob=False))
    else:
        paths = [part.path for part in parts]
        frame = pl.scan_parquet(
            paths, glob=False, hive_partitioning=False, missing_columns="insert", extra_columns="ignore"
        )
    return _with_types(frame, reading, strict=strict)


def _check_parquet(part: Part) -> None:
    with part.path.open("rb") as stream:
        begin = stream.read(len(_MAGIC))
        size = stream.seek(0, 2)
        stream.seek(max(0, size - len(_MAGIC)))
        end = stream.read()
    if begin != _MAGIC or end != _MAGIC or size < 3 * len(_MAGIC):
        cut = begin == _MAGIC and size >= len(_MAGIC)
        raise UnreadableTable(
            f"{part.name} is {'the beginning of a Parquet file only' if cut else 'not a Parquet file'} ({size} bytes).",
            hint="Was it written to its end?" if cut else "Name the Parquet files only, such as 'folder/**/*.parquet'.",
            target=part.name,
        )


def _json_lines(parts: Sequence[Part], reading: TableReading, folder: Path, *, strict: bool) -> pl.LazyFrame:
    import polars as pl

    if not is_utf8(reading.encoding):
        parts = as_utf8(parts, reading.encoding, folder)
    if reading.options.invalid_lines == "drop":
        parts = [part._replace(path=_good_lines(part, folder / f"lines-{n}")) for n, part in enumerate(parts)]
    with_bytes = [part for part in parts if part.path.stat().st_size] or list(parts[:1])

    def one(number: int) -> pl.LazyFrame:
        return pl.scan_ndjson(with_bytes[number].path, infer_schema_length=_SAMPLE_LINES, ignore_errors=False)

    return _with_types(_joined(with_bytes, reading, one), reading, strict=strict)


def _good_lines(part: Part, target: Path) -> Path:
    """A copy of a file of JSON lines without those that are no objects."""
    with target.open("w", encoding="utf-8") as copy:
        copy.writelines(line for line in json_lines(part.path, "utf-8") if is_object(line))
    return target


def _with_types(frame: pl.LazyFrame, reading: TableReading, *, strict: bool) -> pl.LazyFrame:
    types = reading.options.column_types
    return frame.with_columns(converted(frame, types, strict=strict)) if types else frame
