"""Makes the inputs of a step ready: data on local disks is used where it lies, or copied if the step asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from airloom.errors import AlreadyExists, InvalidGraph, NotFound
from airloom.graph.model import DataLocation
from airloom.runner.spec import StagedInput
from airloom.storage.datastores import on_disk
from airloom.storage.durable import remove_tree
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import confined, validate_relative
from airloom.storage.workspace import WorkspaceStore

Files = dict[str, Path]
"""Files by their path within the input, with forward slashes."""


@dataclass(frozen=True)
class ReadyInput:
    """An input as the script finds it. `files` are listed only for what the script gets as a dataset."""

    spec: StagedInput
    path: Path
    files: Files = field(default_factory=dict)

    @property
    def argument(self) -> str:
        """What stands for the input in the script's arguments and environment."""
        return self.spec.dataset_id if self.spec.mode == "direct" else str(self.path)


class InputStager:
    """Stages inputs into `folder`; those with a path of their own choice below `working_folder`.

    `say` takes lines about the progress, `check` is called between files, to raise if the step was cancelled.
    """

    def __init__(
        self,
        store: WorkspaceStore,
        folder: Path,
        working_folder: Path,
        say: Callable[[str], None],
        check: Callable[[], None],
    ) -> None:
        self._store = store
        self._folder = folder
        self._working_folder = working_folder
        self._say = say
        self._check = check

    def stage(self, spec: StagedInput) -> ReadyInput:
        """Make one input ready. Raises NotFound naming datastore and path if there is no data."""
        whole = self._whole(spec)
        files = self._files(spec) if whole is None or spec.mode == "download" or spec.is_dataset else {}
        place = self._place(spec)
        if spec.mode == "download":
            is_file = whole is not None and whole.is_file()
            path = place / next(iter(files)) if is_file and spec.path_on_compute is None else place
            files = self._copy(files, {name: path if is_file else path / name for name in files})
            if not files:
                path.mkdir(parents=True)
        elif whole is None:
            path = self._link_all(place, files)
        elif spec.path_on_compute is not None:
            path = self._link(place, whole)
        else:
            path = whole
        self._say(f"input {spec.name}: {spec.mode} {_describe(spec)} at {path}")
        return ReadyInput(spec, path, files if spec.is_dataset else {})

    def _place(self, spec: StagedInput) -> Path:
        """Where the input is put, if it is not used where it lies. Nothing is there yet."""
        if spec.path_on_compute is None:
            return confined(self._folder, spec.name)
        place = confined(self._working_folder, spec.path_on_compute)
        if place == self._working_folder or os.path.lexists(place):
            if not spec.overwrite or place == self._working_folder:
                raise AlreadyExists(
                    f"Input {spec.name!r} cannot be put at {spec.path_on_compute!r}: the step has something there.",
                    hint="Choose another path_on_compute, or set overwrite.",
                    target=spec.name,
                )
            remove_tree(place)
        return place

    def _whole(self, spec: StagedInput) -> Path | None:
        """The one file or folder that is the whole input; None if it must be put together."""
        if not spec.paths:
            raise InvalidGraph(f"Input {spec.name!r} has no data location.", target=spec.name)
        if len(spec.paths) > 1:
            return None
        return self._literal(spec.name, spec.paths[0])

    def _literal(self, name: str, location: DataLocation) -> Path | None:
        """The file or folder at a location; None if it is a pattern."""
        path = on_disk(self._store.datastore(location.datastore), location.path)
        if path.exists():
            return path
        if is_glob(location.path):
            return None
        raise _missing(name, location)

    def _files(self, spec: StagedInput) -> Files:
        """All files of the input, named relative to the deepest folder that holds all its locations."""
        bases = [self._base(spec.name, location) for location in spec.paths]
        several = len({location.datastore for location in spec.paths}) > 1
        common = "" if several else os.path.commonpath(bases)
        files: Files = {}
        for location in spec.paths:
            datastore = self._store.datastore(location.datastore)
            found = datastore.list(location.path)
            if not found and self._literal(spec.name, location) is None:
                raise _missing(spec.name, location)
            for info in found:
                name = info.path[len(common) :].lstrip("/")
                files[f"{location.datastore}/{name}" if several else name] = on_disk(datastore, info.path)
        return files

    def _base(self, name: str, location: DataLocation) -> str:
        """The folder that the files of a location are named relative to."""
        path = self._literal(name, location)
        if path is None:
            return Glob(location.path).base
        normal = validate_relative(location.path)
        return normal if path.is_dir() else normal.rpartition("/")[0]

    def _copy(self, files: Files, targets: Files) -> Files:
        for name, source in files.items():
            self._check()
            targets[name].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, targets[name])
        return targets

    def _link_all(self, place: Path, files: Files) -> Path:
        place.mkdir(parents=True)
        for name, source in files.items():
            self._link(place / name, source)
        return place

    def _link(self, link: Path, target: Path) -> Path:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        return link


def _describe(spec: StagedInput) -> str:
    return ", ".join(f"{location.datastore}:{location.path or '/'}" for location in spec.paths)


def _missing(name: str, location: DataLocation) -> NotFound:
    what = "no file matches" if is_glob(location.path) else "there is nothing at"
    return NotFound(
        f"Input {name!r}: {what} {location.path!r} on datastore {location.datastore!r}.",
        hint="Check the path; was the data uploaded, and is the folder of the datastore reachable from this machine?",
        target=name,
    )
