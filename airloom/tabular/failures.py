"""What goes wrong while tables are read, said in terms of files, lines and columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph.suggest import did_you_mean
from airloom.graph.tables import TableReading
from airloom.tabular.parts import Part

_LONGEST_REASON = 300


class UnreadableTable(AirloomError):
    """The files are not the table that they are said to be."""

    code = "UnreadableTable"


@contextmanager
def explained(parts: Sequence[Part], reading: TableReading) -> Iterator[None]:
    """Turn what polars raises into an UnreadableTable that names the file and the line, where they can be found."""
    import polars

    try:
        yield
    except polars.exceptions.ColumnNotFoundError as error:
        raise InvalidGraph(f"The table has no column {_first_line(error)}.", hint="Check the names.") from None
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise _fault(error, parts, reading) or UnreadableTable(
            f"{describe(parts)} cannot be read as {_form(reading)}: {_first_line(error)}",
            hint="Check how the dataset was made, and the files.",
        ) from error


def missing_column(name: str, known: Sequence[str]) -> InvalidGraph:
    """The error for a column that the table does not have."""
    return InvalidGraph(f"The table has no column {name!r}.", hint=did_you_mean(name, known), target=name)


def _fault(error: BaseException, parts: Sequence[Part], reading: TableReading) -> UnreadableTable | None:
    """Look for what is broken, line by line. None if each file is sound in itself."""
    find = {"json_lines": _broken_line, "parquet": _broken_footer}.get(reading.format)
    if reading.format == "delimited" and "more fields" in str(error):
        find = _broken_row
    if find is None:
        return None
    return next((fault for part in parts if (fault := find(part, reading)) is not None), None)


def describe(parts: Sequence[Part]) -> str:
    """The files of a table, for messages."""
    return parts[0].name if len(parts) == 1 else f"{parts[0].name} and {len(parts) - 1} more file(s)"


def _broken_row(part: Part, reading: TableReading) -> UnreadableTable | None:
    """The first row that has more values than the first one."""
    wanted = 0
    for number, line, row in _rows(part, reading):
        if number == 1:
            wanted = len(row)
        elif len(row) > wanted:
            return UnreadableTable(
                f"{part.name}, line {line}: the row has {len(row)} values, but there are {wanted} columns.",
                hint="Quote values that hold the separator, check the separator, or read with on_error='null', which "
                "drops the values that are too many.",
                target=part.name,
            )
    return None


def _rows(part: Part, reading: TableReading) -> Iterator[tuple[int, int, list[str]]]:
    csv.field_size_limit(1 << 30)
    with part.path.open(encoding=reading.encoding, errors="replace", newline="") as stream:
        rows = csv.reader(stream, delimiter=reading.separator)
        before = 0
        for number, row in enumerate(rows, start=1):
            yield number, before + 1, row
            before = rows.line_num


def _broken_line(part: Part, reading: TableReading) -> UnreadableTable | None:
    """The first line that is no JSON object."""
    for number, line in enumerate(json_lines(part.path, reading.encoding), start=1):
        if line.strip() and not is_object(line):
            return UnreadableTable(
                f"{part.name}, line {number} is not a JSON object.",
                hint="Mend the line, or read with invalid_lines='drop'.",
                target=part.name,
            )
    return None


def _broken_footer(part: Part, reading: TableReading) -> UnreadableTable | None:
    import polars as pl

    try:
        pl.read_parquet_schema(part.path)
    except pl.exceptions.PolarsError as error:
        return UnreadableTable(
            f"{part.name} cannot be read as {_form(reading)}: {_first_line(error)}.",
            hint="Was it written to its end?",
            target=part.name,
        )
    return None


def json_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of a text file."""
    with path.open(encoding=encoding, errors="replace") as stream:
        yield from stream


def is_object(line: str) -> bool:
    """True if a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _form(reading: TableReading) -> str:
    forms = {"delimited": "delimited text", "parquet": "Parquet", "json_lines": "JSON lines", "sql": "a query"}
    return forms[reading.format]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]
