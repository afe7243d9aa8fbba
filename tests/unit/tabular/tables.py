"""Small files for tables to be read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airloom.graph.tables import TableReading, Transform
from airloom.tabular import Part, Table

PLAIN = TableReading()


def part(folder: Path, name: str, text: str | bytes, encoding: str = "utf8") -> Part:
    """A file, called as on its datastore."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return Part(path, name)


def rows(parts: list[Part], reading: TableReading = PLAIN, on_error: Any = "null") -> list[tuple[Any, ...]]:
    """All rows of a table."""
    with Table(parts, reading, on_error) as table:
        return table.collect().rows()


def columns(parts: list[Part], reading: TableReading = PLAIN) -> dict[str, str]:
    """The columns of a table, and the names of their types."""
    with Table(parts, reading) as table:
        return {name: str(kind) for name, kind in table.columns().items()}


def numbers(source: Part, *transforms: Transform) -> list[int]:
    """What is left of a file with one number a line."""
    found = rows([source], TableReading(header=False, transforms=transforms))
    return [row[0] for row in found]
