"""Where the outputs of steps lie: folders `azureml/<run>/<step>/<attempt>` of datastores, known by their real place.

Two datastores may have the same folder as root, or one a folder within the other's. What is needed through one of
them must not be taken through the other, so places are compared by where they really are. Of remote ones only the
container, bucket or share and what is in it counts, as one account may have many addresses: two that are taken for one
keep more than is needed, and nobody loses anything by that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph.canonical import digest_value
from airloom.storage.datastore_config import AzureBlobConfig, AzureFileShareConfig, ObjectStoreConfig
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import check_name
from airloom.storage.workspace import WorkspaceStore

OUTPUTS = "azureml"

_NOTHING = f"{OUTPUTS}/airloom-probe"
_SAME_KIND = {"az": "azure", "abfs": "azure", "abfss": "azure", "adl": "azure", "s3a": "s3", "s3n": "s3", "gcs": "gs"}


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
                self._add(name, workspace.datastore(name))
            except InvalidGraph:
                continue  # it holds no files
            except AirloomError as error:
                self.problems.append(
                    f"The datastore {name!r} cannot be used, so no outputs and source folders are removed. {error}"
                )

    def _add(self, name: str, handle: DatastoreHandle) -> None:
        root = handle.local_path()
        if root is None:
            ask(handle)
        self.handles[name] = handle
        self._roots[name] = os.path.realpath(root) if root is not None else remote_root(handle)
        if root is not None and not os.path.isdir(self._roots[name]):
            self.absent.add(name)

    def distinct(self) -> list[DatastoreHandle]:
        """The datastores, but only one of those that have the same root."""
        return list({self._identity(name): handle for name, handle in self.handles.items()}.values())

    def _identity(self, name: str) -> str:
        """Equal for datastores that show the same files for certain."""
        config = self.handles[name].config
        is_local = self.handles[name].local_path() is not None
        return self._roots[name] if is_local else digest_value(config.model_dump(exclude={"name", "connection"}))

    def place(self, datastore: str, path: str) -> str | None:
        """The real place of a path, for a glob that of the folder it begins in; None if the datastore is not known."""
        root = self._roots.get(datastore)
        if root is None:
            return None
        fixed = Glob(path).base if is_glob(path) else path
        place = os.path.join(root, fixed.lstrip("/"))
        return place.rstrip("/") if is_remote(self.handles[datastore]) else os.path.realpath(place)

    def folder_of(self, handle: DatastoreHandle, attempt: Attempt) -> str:
        """The place of the outputs of an attempt on a datastore."""
        return os.path.join(self._roots[handle.config.name], *output_folder(attempt).split("/"))


def is_remote(handle: DatastoreHandle) -> bool:
    """True for a datastore that is not on this machine's disk."""
    return handle.local_path() is None


def ask(handle: DatastoreHandle) -> None:
    """Raises an AirloomError unless a remote datastore answers."""
    handle.exists(_NOTHING)


def remote_root(handle: DatastoreHandle) -> str:
    """The place of a remote datastore's root, by names that do not depend on how it is reached."""
    match handle.config:
        case AzureBlobConfig(container=container, prefix=prefix):
            kind, parts = "azure", (container, prefix)
        case AzureFileShareConfig(share=share):
            kind, parts = "azurefile", (share, "")
        case ObjectStoreConfig(url=url):
            address = urlsplit(url)
            if address.scheme in ("", "file", "local"):
                return os.path.realpath(address.path)
            kind = _SAME_KIND.get(address.scheme, address.scheme)
            parts = (address.netloc.partition("@")[0], address.path.strip("/"))
        case other:
            kind, parts = other.type, (other.place, "")
    return "/".join(filter(None, (f"{kind}:", *parts)))


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
