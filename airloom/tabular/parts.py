"""The files of a table: where each lies on this machine, and what it is called on its datastore."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from airloom.errors import NotFound
from airloom.graph.model import DataLocation
from airloom.graph.tables import TableReading
from airloom.storage.globs import Glob, is_glob

FileT = TypeVar("FileT")


class Part(NamedTuple):
    """One file of a table. `name` is its path on the datastore, for columns that are made of it."""

    path: Path
    name: str


def full_names(locations: Sequence[DataLocation], names: Iterable[str]) -> list[str]:
    """The paths on the datastore of files that are named relative to what their locations have in common.

    Files of several datastores are named after their datastore already.
    """
    names = list(names)
    if len({location.datastore for location in locations}) != 1:
        return names
    if len(locations) == 1 and len(names) == 1 and locations[0].path.rpartition("/")[2] == names[0]:
        return [locations[0].path]
    base = os.path.commonpath([base_of(location.path, names) for location in locations])
    return ["/".join(filter(None, (base, name))) for name in names]


def base_of(path: str, names: Sequence[str]) -> str:
    """The folder that the files of a location are named relative to. `names` tell whether it is a file."""
    if is_glob(path):
        return Glob(path).base
    parent, _, last = path.rpartition("/")
    is_file = any(name == last or name.endswith("/" + last) for name in names)
    return parent if is_file else path


def chosen(reading: TableReading, files: Sequence[FileT], name_of: Callable[[FileT], str]) -> list[FileT]:
    """The files that belong to the table, where it is not made of all. Raises NotFound if none does."""
    pattern = reading.options.path_glob
    if pattern is None:
        return list(files)
    with_base = Glob(pattern if is_glob(pattern) else f"{pattern}/**")
    found = [file for file in files if _fits(with_base, name_of(file))]
    if not found:
        raise NotFound(f"No file of the table fits {pattern!r}.", hint="Check the pattern.", target=pattern)
    return found


def _fits(glob: Glob, name: str) -> bool:
    base = f"{glob.base}/" if glob.base else ""
    return name.startswith(base) and glob.matches(name[len(base) :])
