"""What a transfer of files is to move: each file as it was listed, cut into pieces, under a name for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from airloom.errors import AlreadyExists, IntegrityError, NotFound, StepFailed
from airloom.graph.canonical import digest_value
from airloom.graph.model import DataLocation
from airloom.storage.datastores import DatastoreHandle, FileInfo
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import validate_relative
from airloom.storage.tree import TreeEntry, TreeManifest

PIECE = 8 * 1024 * 1024
"""How many bytes a piece has, unless a file is so large that it would have more than `MOST_PIECES`."""

MOST_PIECES = 50_000

Open = Callable[[str], DatastoreHandle]
"""Opens a datastore by name."""


@dataclass(frozen=True)
class PlannedFile:
    """A file to be moved: its path in the destination ("" if that is a file), and where it lies now.

    `identity` tells this version of it from others; `content` is the digest of its bytes, where that is known.
    """

    path: str
    source: DatastoreHandle
    info: FileInfo
    identity: str
    content: str | None

    @property
    def piece(self) -> int:
        """How many bytes each piece has but the last."""
        return max(PIECE, -(-self.info.size // MOST_PIECES))

    @property
    def pieces(self) -> int:
        """How many pieces it has; none if it is empty."""
        return -(-self.info.size // self.piece)

    def bounds(self, index: int) -> tuple[int, int]:
        """The first byte of a piece, and the one after its last."""
        return index * self.piece, min(self.info.size, (index + 1) * self.piece)


@dataclass(frozen=True)
class Plan:
    """All files of a transfer. Equal files that go to the same place make an equal `id`."""

    files: tuple[PlannedFile, ...]
    is_file: bool
    destination: str

    @cached_property
    def id(self) -> str:
        """Identifies what is moved, and where to."""
        return digest_value([self.destination, *([file.path, file.info.size, file.identity] for file in self.files)])

    @cached_property
    def manifest(self) -> TreeManifest | None:
        """What the destination will contain, if that is known before the bytes are read."""
        if any(file.content is None for file in self.files):
            return None
        return TreeManifest(
            entries=tuple(
                TreeEntry(path=file.path, size=file.info.size, digest=str(file.content)) for file in self.files
            )
        )

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(file.info.size for file in self.files)


def make_plan(locations: Sequence[DataLocation], open_datastore: Open, destination: str, *, single: bool) -> Plan:
    """The plan to move what lies at these places. `single` says that one file is meant, and no folder.

    NotFound if there is nothing at one of them, AlreadyExists if two files would get the same path.
    """
    files: dict[str, PlannedFile] = {}
    for location in locations:
        for file in _files_at(location, open_datastore(location.datastore)):
            if files.setdefault(file.path, file) is not file:
                raise AlreadyExists(
                    f"Two files of the source would both be {file.path!r} in the destination.",
                    hint="Give the folder that holds both, or move them one after the other.",
                    target=file.path,
                )
    if single and len(files) != 1:
        raise StepFailed(
            f"The source has {len(files)} files, but its type is 'file'.",
            hint="Set source_reference_type='directory', or leave it out.",
        )
    if single or (len(locations) == 1 and list(files) == [""]):
        (file,) = files.values()
        return Plan((PlannedFile("", file.source, file.info, file.identity, file.content),), True, destination)
    named = [
        PlannedFile(file.path or file.info.path.rpartition("/")[2], file.source, file.info, file.identity, file.content)
        for file in files.values()
    ]
    return Plan(tuple(sorted(named, key=lambda file: file.path)), False, destination)


def _files_at(location: DataLocation, source: DatastoreHandle) -> Iterator[PlannedFile]:
    """The files at a place. The one of a place that is itself a file has the path ""."""
    manifest, infos = source.scan(location.path), source.list(location.path)
    if len(manifest.entries) != len(infos):
        raise changed(location)
    if not infos:
        raise NotFound(
            f"The folder {location.path!r} of the datastore {location.datastore!r} is empty.",
            hint="Check the path; was the data uploaded?",
            target=location.path,
        )
    base = base_of(location, source)
    for entry, info in zip(manifest.entries, infos, strict=True):
        if "/".join(filter(None, (base, entry.path))) != info.path:
            raise changed(location)
        content = entry.digest if source.local_path(info.path) is not None else info.digest
        path = entry.path if entry.path or len(infos) == 1 else info.path.rpartition("/")[2]
        yield PlannedFile(path, source, info, entry.digest, content)


def base_of(location: DataLocation, source: DatastoreHandle) -> str:
    """The folder that the paths of what lies at a place are relative to."""
    if is_glob(location.path) and not source.exists(location.path):
        return Glob(location.path).base
    return validate_relative(location.path)


def changed(location: DataLocation) -> IntegrityError:
    """The error for a source that is not what it was when the transfer began."""
    return IntegrityError(
        f"What lies at {location.path!r} of the datastore {location.datastore!r} was changed while it was copied.",
        hint="Run the step again once nothing writes there.",
        target=location.path,
    )
