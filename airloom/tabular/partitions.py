"""Columns that are made of the paths of files: `{year:yyyy}/{state}/data.csv`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote

from airloom.errors import InvalidGraph

PartitionValue = str | datetime

_FIELD = re.compile(r"\{([^{}:]+)(?::([^{}]+))?\}")
# The letters of a date in a format, and what stands for them in a path.
_DATE = {"yyyy": r"\d{4}", "MM": r"\d{1,2}", "dd": r"\d{1,2}", "HH": r"\d{1,2}", "mm": r"\d{1,2}", "ss": r"\d{1,2}"}
_DATE_PART = re.compile("yyyy|MM|dd|HH|mm|ss")
_DATE_ORDER = tuple(_DATE)


class _Column(NamedTuple):
    name: str
    date_parts: tuple[str, ...]


class PartitionFormat:
    """A format of paths. It is matched with the end of a path, from the folder that its first column is in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._columns: list[_Column] = []
        pattern, end = "", 0
        for field in _FIELD.finditer(text):
            pattern += _literal(text[end : field.start()]) + self._group(field.group(1), field.group(2))
            end = field.end()
        if not self._columns or "{" in text[end:] + _FIELD.sub("", text):
            raise InvalidGraph(
                f"The partition format {text!r} is not one.",
                hint="Write a path with columns in braces, such as '{state}/{day:yyyy/MM/dd}/data.csv'.",
            )
        lead = "" if text.startswith("/") else "(?:^|.*/)"
        self._pattern = re.compile(("(?:.*)" if text.startswith("/") else lead) + pattern + _literal(text[end:]))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self._columns)

    def values(self, path: str) -> dict[str, PartitionValue]:
        """The columns of a file. Raises InvalidGraph if its path is of another form."""
        found = self._pattern.fullmatch("/" + path.lstrip("/"))
        if found is None:
            raise InvalidGraph(
                f"The file {path!r} does not fit the partition format {self.text!r}.",
                hint="The format must describe the path from its first column to the end of the name; '*' stands for "
                "any part of a name.",
                target=path,
            )
        return {
            column.name: _date(found, number, column) if column.date_parts else unquote(found.group(f"c{number}"))
            for number, column in enumerate(self._columns)
        }

    def _group(self, name: str, date: str | None) -> str:
        number = len(self._columns)
        parts: Sequence[str] = _DATE_PART.findall(date) if date else ()
        if name in self.columns or (date and not parts) or len(set(parts)) < len(parts):
            raise InvalidGraph(
                f"The column {{{name}{':' + date if date else ''}}} of the partition format {self.text!r} is wrong.",
                hint="Name each column once; dates are made of yyyy, MM, dd, HH, mm and ss.",
            )
        self._columns.append(_Column(name, tuple(parts)))
        if not date:
            return f"(?P<c{number}>[^/]+)"
        pieces = _DATE_PART.split(date)
        group = re.escape(pieces[0])
        for part, literal in zip(parts, pieces[1:], strict=True):
            group += f"(?P<c{number}{part}>{_DATE[part]})" + re.escape(literal)
        return group


def _literal(text: str) -> str:
    return ".*".join("[^/]*".join(map(re.escape, piece.split("*"))) for piece in text.split("**"))


def _date(found: re.Match[str], number: int, column: _Column) -> datetime:
    given = {part: int(found.group(f"c{number}{part}")) for part in column.date_parts}
    numbers = [given.get(part, default) for part, default in zip(_DATE_ORDER, (1, 1, 1, 0, 0, 0), strict=True)]
    try:
        return datetime(*numbers)  # type: ignore[arg-type]  # three to six numbers
    except ValueError as error:
        raise InvalidGraph(
            f"The path {found.string!r} holds no date for the column {column.name!r}: {error}.", target=found.string
        ) from None
