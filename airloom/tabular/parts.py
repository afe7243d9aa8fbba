"""The files of a table: where each lies on this machine, and what it is called on its datastore."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from airloom.graph.model import DataLocation
from airloom.storage.globs import Glob, is_glob


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
    base = os.path.commonpath([_base(location.path, names) for location in locations])
    return ["/".join(filter(None, (base, name))) for name in names]


def _base(path: str, names: Sequence[str]) -> str:
    if is_glob(path):
        return Glob(path).base
    parent, _, last = path.rpartition("/")
    is_file = any(name == last or name.endswith("/" + last) for name in names)
    return parent if is_file else path
