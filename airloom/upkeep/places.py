"""Where the outputs of steps lie: folders `azureml/<run>/<step>/<attempt>` of datastores, known by their real place.

Two datastores may have the same folder as root, or one a folder within the other's. What is needed through one of
them must not be taken through the other, so places are compared by where they really are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from airloom.errors import AirloomError
from airloom.storage.datastores import DatastoreHandle, on_disk
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import check_name
from airloom.storage.workspace import WorkspaceStore

OUTPUTS = "azureml"


class Attempt(NamedTuple):
    """One attempt of a step of a run, by which its files are found."""

    run_id: str
    step_id: str
    attempt: str


class Places:
    """The datastores of a workspace. `problems` tells of those that cannot be used, `absent` has those without root."""

    def __init__(self, workspace: WorkspaceStore) -> None:
        self.problems: list[str] = []
        self.absent: set[str] = set()
        self.handles: dict[str, DatastoreHandle] = {}
        self._roots: dict[str, str] = {}
        folder = workspace.key("datastores", "")
        for key in workspace.store.list(folder):
            name = key.removeprefix(folder).removesuffix(".json")
            try:
                handle = workspace.datastore(name)
            except AirloomError as error:
                self.problems.append(
                    f"The datastore {name!r} cannot be used, so no outputs and source folders are removed. {error}"
                )
                continue
            self.handles[name] = handle
            self._roots[name] = os.path.realpath(on_disk(handle))
            if not os.path.isdir(self._roots[name]):
                self.absent.add(name)

    def distinct(self) -> list[DatastoreHandle]:
        """The datastores, but only one of those that have the same root."""
        return list({root: self.handles[name] for name, root in self._roots.items()}.values())

    def place(self, datastore: str, path: str) -> str | None:
        """The real place of a path, for a glob that of the folder it begins in; None if the datastore is not known."""
        root = self._roots.get(datastore)
        if root is None:
            return None
        fixed = Glob(path).base if is_glob(path) else path
        return os.path.realpath(os.path.join(root, fixed.lstrip("/")))

    def folder_of(self, handle: DatastoreHandle, attempt: Attempt) -> str:
        """The place of the outputs of an attempt on a datastore."""
        return os.path.join(self._roots[handle.config.name], *output_folder(attempt).split("/"))


def output_folder(attempt: Attempt) -> str:
    """Where an attempt publishes outputs for which nobody chose another place, relative to a datastore's root.

    Raises InvalidName for an attempt that nobody can have made, rather than name a folder above it.
    """
    return "/".join((OUTPUTS, *(check_name("attempt", part) for part in attempt)))


class Needed:
    """A set of places, with all that lies in them and around them."""

    def __init__(self, places: Iterable[str]) -> None:
        self._places = set(places)
        self._around = {parent for place in self._places for parent in _parents(place)}

    def covers(self, folder: str) -> bool:
        """True if a folder is needed, holds something that is, or lies in something that is."""
        return folder in self._places or folder in self._around or any(p in self._places for p in _parents(folder))


def _parents(path: str) -> Iterable[str]:
    while (parent := os.path.dirname(path)) != path:
        yield parent
        path = parent
