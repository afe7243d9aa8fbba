"""What an input consists of: the files at its locations, wherever these are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from airloom.errors import InvalidGraph, NotFound
from airloom.graph.model import DataLocation
from airloom.runner.spec import StagedInput
from airloom.storage.datastores import DatastoreHandle, FileInfo, FileInfos
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import validate_relative
from airloom.storage.workspace import WorkspaceStore


class InputFile(NamedTuple):
    """A file of an input, with where it lies."""

    datastore: DatastoreHandle
    info: FileInfo

    @property
    def local_path(self) -> Path | None:
        """Its place on this machine's disk; None if the datastore is elsewhere."""
        return self.datastore.local_path(self.info.path)


class Location:
    """A file, a folder or a pattern on a datastore. It is listed when that is asked for, and only once."""

    def __init__(self, name: str, datastore: DatastoreHandle, location: DataLocation) -> None:
        self._name = name
        self._location = location
        self.datastore = datastore
        self.path = validate_relative(location.path)
        self.local_path = datastore.local_path(location.path)

    @cached_property
    def infos(self) -> FileInfos:
        """The files. Raises NotFound if there is neither a file nor an empty folder."""
        found = self.datastore.list(self._location.path)
        if not found and not self.datastore.exists(self._location.path):
            raise self._missing()
        return found

    @cached_property
    def kind(self) -> Literal["file", "folder", "pattern"]:
        """What is there; a name with wildcards may also be literal. Raises NotFound if there is nothing."""
        if self.local_path is not None and self.local_path.exists():
            return "folder" if self.local_path.is_dir() else "file"
        if self.local_path is not None and not is_glob(self.path):
            raise self._missing()
        paths = {info.path for info in self.infos}
        if self.path in paths:
            return "file"
        if is_glob(self.path) and not any(path.startswith(f"{self.path}/") for path in paths):
            return "pattern"
        return "folder"

    @property
    def base(self) -> str:
        """The folder that the files are named relative to."""
        if self.kind == "pattern":
            return Glob(self.path).base
        return self.path if self.kind == "folder" else self.path.rpartition("/")[0]

    def _missing(self) -> NotFound:
        what = "no file matches" if is_glob(self.path) else "there is nothing at"
        return NotFound(
            f"Input {self._name!r}: {what} {self._location.path!r} on datastore {self._location.datastore!r}.",
            hint="Check the path; was the data uploaded, and can this machine reach the datastore?",
            target=self._name,
        )


def locations_of(store: WorkspaceStore, spec: StagedInput) -> list[Location]:
    """The locations of an input; those of one datastore share its handle."""
    if not spec.paths:
        raise InvalidGraph(f"Input {spec.name!r} has no data location.", target=spec.name)
    handles = {name: store.datastore(name) for name in dict.fromkeys(path.datastore for path in spec.paths)}
    return [Location(spec.name, handles[path.datastore], path) for path in spec.paths]


def files_of(locations: Sequence[Location]) -> dict[str, InputFile]:
    """All files, named relative to the deepest folder that holds all locations; of several datastores, below theirs."""
    several = len({location.datastore.config.name for location in locations}) > 1
    common = "" if several else os.path.commonpath([location.base for location in locations])
    files = {}
    for location in locations:
        for info in location.infos:
            name = info.path[len(common) :].lstrip("/")
            if several:
                name = f"{location.datastore.config.name}/{name}"
            files[name] = InputFile(location.datastore, info)
    return files
