"""From the SDK's arguments for reading tables to the graph's form of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airloom.data.data_type import DataType
from airloom.data.data_type import column_types as column_types
from airloom.data.dataset_type_definitions import PromoteHeadersBehavior
from airloom.errors import AirloomError
from airloom.exceptions import UserErrorException
from airloom.graph.tables import ReadOptions, TableReading

_HEADERS: dict[PromoteHeadersBehavior, tuple[bool, str]] = {
    PromoteHeadersBehavior.NO_HEADERS: (False, "each"),
    PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS: (True, "first"),
    PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS: (True, "combined"),
    PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS: (True, "each"),
}

# v1's names of encodings, and Python's.
_ENCODINGS = {
    "utf8": "utf8",
    "iso88591": "iso8859-1",
    "latin1": "iso8859-1",
    "ascii": "ascii",
    "utf16": "utf-16",
    "utf8bom": "utf-8-sig",
    "windows1252": "cp1252",
}


def delimited(*, separator: str = ",", header: Any = True, encoding: str = "utf8", **options: Any) -> TableReading:
    """How delimited text is read. `options` are those of `read_options`."""
    has_header, headers = _header(header)
    if not isinstance(separator, str) or len(separator.encode()) != 1:
        raise UserErrorException(f"The separator must be a single character, such as ',' or '\\t', not {separator!r}.")
    return TableReading(
        separator=separator,
        header=has_header,
        encoding=_encoding(encoding),
        options=read_options(headers=headers, **options),
    )


def parquet(**options: Any) -> TableReading:
    """How Parquet files are read."""
    return TableReading(format="parquet", options=read_options(**options))


def json_lines(*, encoding: str, invalid_lines: str, **options: Any) -> TableReading:
    """How files with a JSON object on each line are read."""
    if invalid_lines not in ("error", "drop"):
        raise UserErrorException(f"invalid_lines must be 'error' or 'drop', not {invalid_lines!r}.")
    checked = read_options(invalid_lines=invalid_lines, **options)
    return TableReading(format="json_lines", encoding=_encoding(encoding), options=checked)


def read_options(
    *,
    set_column_types: Mapping[str, DataType] | None = None,
    partition_format: str | None = None,
    **options: Any,
) -> ReadOptions:
    """The options that all formats share, checked."""
    if partition_format is not None:
        from airloom.tabular.partitions import PartitionFormat

        with as_user_errors():
            PartitionFormat(partition_format)
    return ReadOptions(column_types=column_types(set_column_types), partition_format=partition_format, **options)


@contextmanager
def as_user_errors() -> Iterator[None]:
    """Raise errors of Airloom's own layers as the SDK's."""
    try:
        yield
    except AirloomError as error:
        raise UserErrorException(str(error)) from error


def _header(header: Any) -> tuple[bool, str]:
    if isinstance(header, bool):
        return header, "each"
    if isinstance(header, PromoteHeadersBehavior):
        return _HEADERS[header]
    raise UserErrorException(
        f"header must be True (each file has one), False (none has) or a PromoteHeadersBehavior, not {header!r}."
    )


def _encoding(name: str) -> str:
    if name not in _ENCODINGS:
        raise UserErrorException(f"The encoding must be one of {', '.join(_ENCODINGS)}, not {name!r}.")
    return _ENCODINGS[name]
