"""Paths on datastores in the many forms that v1 accepts, brought to one: `DataLocation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from airloom.data._clean import clean_path
from airloom.data.data_reference import DataReference
from airloom.data.datapath import DataPath
from airloom.exceptions import UserErrorException
from airloom.graph.model import DataLocation
from airloom.storage.globs import Glob, is_glob

if TYPE_CHECKING:
    from airloom.data.abstract_datastore import AbstractDatastore

PathLike = Any
"""A DataReference (`datastore.path(...)`), a DataPath, a pair (datastore, path), or a list of these."""


class StoredPath(NamedTuple):
    """A file, folder or glob pattern on a datastore."""

    datastore: AbstractDatastore
    path: str

    @property
    def location(self) -> DataLocation:
        """The same as the graph writes it down."""
        return DataLocation(datastore=self.datastore.name, path=self.path)

    @property
    def base(self) -> str:
        """The folder that relative paths of the files start from."""
        return Glob(self.path).base if is_glob(self.path) else self.path


def stored_paths(path: PathLike, what: str) -> tuple[StoredPath, ...]:
    """All paths that the argument `path` of `what` names; there is at least one."""
    if isinstance(path, list):
        found = tuple(one for entry in path for one in stored_paths(entry, what))
        if not found:
            raise UserErrorException(f"{what} needs at least one path.")
        return found
    if isinstance(path, DataReference):
        return (_stored(path.datastore, path.path_on_datastore or "", what),)
    if isinstance(path, DataPath) and path.datastore is not None:
        return (_stored(path.datastore, path.path_on_datastore or "", what),)
    if isinstance(path, tuple) and len(path) == 2:
        datastore, inside = path
        inside = inside if isinstance(inside, Sequence) and not isinstance(inside, str) else [inside]
        return tuple(_stored(datastore, one, what) for one in inside)
    raise UserErrorException(_explain(path, what))


def _stored(datastore: Any, path: Any, what: str) -> StoredPath:
    if not hasattr(datastore, "_client") or not isinstance(path, str):
        raise UserErrorException(
            f"{what}: a pair must be (datastore, 'path'), not ({type(datastore).__name__}, {type(path).__name__})."
        )
    return StoredPath(datastore, clean_path(path, what))


def _explain(path: Any, what: str) -> str:
    if isinstance(path, str) and "://" in path:
        return (
            f"{what}: {path!r} is a web address, and data must lie on a datastore. Download the file, then "
            "upload it with datastore.upload_files([...], target_path=...), and use datastore.path(...)."
        )
    if isinstance(path, str):
        return (
            f"{what}: {path!r} is a local path, and data must lie on a datastore. Upload it with "
            "Dataset.File.upload_directory(src_dir, target=(datastore, 'path')) or datastore.upload_files([...])."
        )
    return f"{what} needs (datastore, 'path') or datastore.path('path'), or a list of these, not {path!r}."
