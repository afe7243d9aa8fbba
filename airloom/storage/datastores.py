"""Datastores: the named places in which the data of a workspace lies.

A reader of a datastore sees a published file or folder whole or not at all. All paths are relative to the datastore's
root, and confined to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

from airloom.graph.model import Model
from airloom.storage.datastore_config import DatastoreConfig
from airloom.storage.tree import TreeManifest
from airloom.storage.walk import FoundFile
from airloom.storage.watched import Survey


class FileInfo(Model):
    """A file of a datastore, as a listing shows it: path relative to the datastore's root, size, time of change.

    `digest` is that of the content where the listing knows it without reading the file, `etag` names the version of a
    file that is not on this machine's disk.
    """

    path: str
    size: int
    modified: datetime
    digest: str | None = None
    etag: str | None = None


class Download(NamedTuple):
    """A file as it was listed, and where on this machine its copy is to be."""

    info: FileInfo
    target: Path


EachFile = Callable[[FileInfo], None]

# Named here because inside the classes below `list` is their method.
FileInfos = list[FileInfo]
FoundFiles = list[FoundFile]


class DatastoreHandle(Protocol):
    """What steps, the server and the reuse layer may do with a datastore, of whatever type it is."""

    @property
    def config(self) -> DatastoreConfig:
        """The configuration it was made from."""

    def list(self, path: str = "") -> FileInfos:
        """The files at a path, which is a file, a folder (all below it) or a glob; sorted, empty if there are none."""

    def scan(self, path: str = "") -> TreeManifest:
        """What a file, folder or glob contains; for a glob relative to `Glob.base`. NotFound if there is nothing."""

    def digest(self, path: str = "") -> str:
        """The digest of `scan`."""

    def survey(self, path: str = "") -> Survey:
        """The state of each file at a path (a file, or a folder and all below it), by which changes are told."""

    def exists(self, path: str) -> bool:
        """True if there is a file or folder of this name."""

    def local_path(self, path: str = "") -> Path | None:
        """Where a file or folder lies, or would lie, on this machine's disk; None if the datastore is elsewhere."""

    def open_read(self, path: str) -> BinaryIO:
        """A file as a stream, to be closed by the caller; NotFound if there is none."""

    def fetch(self, files: Sequence[Download], each: EachFile) -> None:
        """Copy files to this machine, several at a time; each is whole at its place or not there at all.

        `each` is called, from any thread, when a file is there; what it raises ends the rest. IntegrityError if a
        file is no longer the version that was listed, or what arrived has another digest.
        """

    def write(self, path: str, stream: BinaryIO, *, overwrite: bool = True) -> FileInfo:
        """Make a file from a stream; it is visible once it is complete. AlreadyExists unless `overwrite`."""

    def publish(
        self, staged: Path, path: str, *, overwrite: bool = False, manifest: TreeManifest | None = None
    ) -> None:
        """Move a complete local file or folder to a path, in one step. AlreadyExists unless `overwrite`.

        `manifest`, if the caller has it, tells what `staged` contains.
        """

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all in it; no error if there is none."""


@runtime_checkable
class ShowsUnfinished(Protocol):
    """A datastore on which a folder appears file by file, hidden until its last one is there."""

    def unfinished(self, path: str = "") -> FileInfos:
        """The folders below a path that are being published, or were when their publisher was killed.

        Size and time of change of each are those of all that has come so far.
        """
