"""Watching a place on a datastore: which files are there, and in what state, without reading one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pydantic import field_validator

from airloom.errors import StoreUnavailable
from airloom.graph.model import Model
from airloom.storage.durable import is_private
from airloom.storage.file_digests import RACY_NS
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import check_name, validate_relative
from airloom.storage.walk import FoundFolder, walk_folders


class WatchedPlace(Model):
    """A folder (with all below it), a file, or a pattern such as `incoming/**/*.csv`, on a datastore."""

    datastore: str
    path: str = ""

    @field_validator("datastore")
    @classmethod
    def _is_name(cls, datastore: str) -> str:
        return check_name("datastore", datastore)

    @field_validator("path")
    @classmethod
    def _is_confined(cls, path: str) -> str:
        normal = validate_relative(path)
        if any(map(is_private, normal.split("/"))):
            raise ValueError(f"the path {path!r} has a name that Airloom keeps for itself")
        return normal

    @property
    def folder(self) -> str:
        """What is listed: for a pattern, the folder above its first part with a wildcard."""
        return self._glob.base if self._glob else self.path

    @cached_property
    def selects(self) -> Callable[[str], bool]:
        """Tells whether a file of the folder counts; it is named by its path on the datastore."""
        glob = self._glob
        if glob is None:
            return lambda path: True
        skipped = len(glob.base) + 1 if glob.base else 0
        return lambda path: glob.matches(path[skipped:])

    @cached_property
    def _glob(self) -> Glob | None:
        return Glob(self.path) if is_glob(self.path) else None


class Survey(NamedTuple):
    """The files of a folder at one moment: for each path on the datastore, a mark that is another after each change.

    Those in `young` have changed so lately that they may still be written to, or change again without their mark
    telling.
    """

    marks: dict[str, str]
    young: frozenset[str] = frozenset()


def survey_folder(root: Path, path: str, folder: Path) -> Survey:
    """The files at `path` of a local datastore, which lie in `folder`. Nothing at all is no error.

    StoreUnavailable if the datastore's own root is not there: a disk that is not mounted holds no empty folder.
    """
    if not root.is_dir():
        raise StoreUnavailable(
            f"The folder {root} of the datastore is not there.", hint="Is its disk mounted?", target=str(root)
        )
    if not folder.exists():
        return Survey({})
    marks: dict[str, str] = {}
    young: list[str] = []
    now_ns = time.time_ns()
    for found in walk_folders(folder, boundary=root):
        stem = f"{path}/{found.stem}" if path else found.stem
        _mark(found, [stem + name if name else path for name in found.names], now_ns, marks, young)
    return Survey(marks, frozenset(young))


def _mark(found: FoundFolder, paths: list[str], now_ns: int, marks: dict[str, str], young: list[str]) -> None:
    """Enter the files of one folder."""
    rows = zip(paths, found.sizes, found.mtimes_ns, found.ctimes_ns, found.inodes, strict=True)
    for path, size, mtime_ns, ctime_ns, inode in rows:
        marks[path] = f"{size:x}.{mtime_ns:x}.{ctime_ns:x}.{inode:x}"
        # Times in the future are those of another clock, or were set by hand. To wait for them would be to wait long.
        if abs(now_ns - ctime_ns) <= RACY_NS or abs(now_ns - mtime_ns) <= RACY_NS:
            young.append(path)
