"""How files and folders appear on a datastore in Azure Blob Storage: whole, or not at all.

A file is one atomic request. A folder has a marker before its first file is visible and until its last one is, and a
folder with a marker is not there for any reader. What replaces a folder is sent in full before the marker is put, as
blocks that nobody sees, so that a transfer which fails leaves the old folder as it was. Whoever is killed leaves
the marker; the next to publish there begins by removing all that it hides.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from azure.core import MatchConditions
from blake3 import blake3

from airloom.errors import AlreadyExists, IntegrityError
from airloom.storage.azure_access import BLOCK
from airloom.storage.azure_bytes import StagedBlob, put_bytes, side_by_side
from airloom.storage.azure_container import AzureContainer
from airloom.storage.azure_errors import ConditionFailed
from airloom.storage.azure_listing import DIGEST, UNFINISHED, find, is_folder
from airloom.storage.tree import TreeManifest
from airloom.storage.walk import walk


class Sent(NamedTuple):
    """What a file that was sent must look like."""

    size: int
    digest: str


def write_stream(container: AzureContainer, path: str, stream: BinaryIO, *, overwrite: bool) -> Sent:
    """Make a file from a stream. AlreadyExists for a folder of this name, and for a file unless `overwrite`."""
    container.check(path)
    first = _read_block(stream)
    if overwrite and len(first) < BLOCK:
        sent = Sent(len(first), blake3(first).hexdigest())
        put_bytes(container, path, first, sent.digest)
        return sent
    staged = StagedBlob(container, path)
    staged.stage(stream, first)
    _commit(container, staged, overwrite)
    return Sent(staged.size, staged.digest)


def _read_block(stream: BinaryIO) -> bytes:
    """A block, or less at the end of the stream; a pipe may give less at a time."""
    parts = io.BytesIO()
    while (missing := BLOCK - parts.tell()) and (data := stream.read(missing)):
        parts.write(data)
    return parts.getvalue()


def _commit(container: AzureContainer, staged: StagedBlob, overwrite: bool) -> None:
    if overwrite:
        staged.commit()
        return
    try:
        staged.commit(match_condition=MatchConditions.IfMissing)
    except ConditionFailed:
        if not staged.is_committed():
            raise taken(container, staged.key) from None


def taken(container: AzureContainer, path: str) -> AlreadyExists:
    """The error for a name that is not free."""
    return AlreadyExists(
        f"The datastore {container.config.name!r} already has {path!r}.",
        hint="Choose another path, or ask for overwriting.",
        target=path,
    )


def publish_folder(container: AzureContainer, root: Path, path: str, known: TreeManifest | None) -> None:
    """Make or replace the folder at `path` by one of this machine."""
    files = {file.path: Path(file.stat.path) for file in walk(root)}
    for name in files:
        container.check(f"{path}/{name}")
    digests = {entry.path: entry.digest for entry in known.entries} if known else {}
    if find(container, path).there:
        staged = _stage(container, path, files)
        publication = Publication(container, path)
        publication.begin()
        side_by_side(StagedBlob.commit, staged)
        sent = {each.key: Sent(each.size, each.digest) for each in staged}
    else:
        publication = Publication(container, path)
        publication.begin()
        sent = _send(container, path, files)
    for name, digest in digests.items():
        if (found := sent.get(f"{path}/{name}")) is None or found.digest != digest:
            raise IntegrityError(
                f"The file {name!r} was changed or removed while it was published to {path!r}.",
                hint="Let nothing write to a folder once it is complete.",
                target=name,
            )
    publication.finish(sent)


def _send(container: AzureContainer, path: str, files: dict[str, Path]) -> dict[str, Sent]:
    """Put files at their places: many small ones at a time, large ones one after the other in blocks."""
    sent: dict[str, Sent] = {}

    def send_small(name: str) -> None:
        data = files[name].read_bytes()
        digest = blake3(data).hexdigest()
        put_bytes(container, f"{path}/{name}", data, digest)
        sent[f"{path}/{name}"] = Sent(len(data), digest)

    large = {name for name, source in files.items() if source.stat().st_size > BLOCK}
    side_by_side(send_small, [name for name in files if name not in large])
    for name in sorted(large):
        with files[name].open("rb") as stream:
            sent[f"{path}/{name}"] = write_stream(container, f"{path}/{name}", stream, overwrite=True)
    return sent


def _stage(container: AzureContainer, path: str, files: dict[str, Path]) -> list[StagedBlob]:
    """Send files so that nobody sees them yet."""
    blobs = {name: StagedBlob(container, f"{path}/{name}") for name in files}

    def stage(name: str) -> None:
        with files[name].open("rb", buffering=0) as stream:
            blobs[name].stage(stream)

    large = [name for name, source in files.items() if source.stat().st_size > BLOCK]
    side_by_side(stage, [name for name in files if name not in large])
    for name in large:
        stage(name)
    return list(blobs.values())


class Publication:
    """A folder that is being made or replaced; hidden between `begin` and `finish`."""

    def __init__(self, container: AzureContainer, path: str) -> None:
        self._container, self._path = container, path
        self._marker = f"{path}/{UNFINISHED}"

    def begin(self) -> None:
        """Hide the folder; what a killed publisher left there goes."""
        abandoned = self._container.properties(self._marker) is not None
        self.hide()
        if abandoned:
            self._remove(self._blobs())

    def finish(self, sent: dict[str, Sent]) -> None:
        """Remove what is not part of the folder, check what is, and show it."""
        blobs = {self._container.key(blob.name): blob for blob in self._container.blobs(f"{self._path}/")}
        self._remove(key for key in blobs if key not in sent and key != self._marker)
        for key, expected in sent.items():
            blob = blobs.get(key)
            if blob is None or Sent(blob.size, (blob.metadata or {}).get(DIGEST, "")) != expected:
                raise IntegrityError(
                    f"The folder {self._path!r} of the datastore {self._container.config.name!r} was written to by "
                    f"others while it was published: {key!r} is not what was sent.",
                    hint="Publish it again.",
                    target=key,
                )
        if (file := self._container.properties(self._path)) is not None and not is_folder(file):
            self._container.delete(self._path)
        if not sent:
            self._container.make_folder(self._path)
        self._container.delete(self._marker)

    def hide(self) -> None:
        """Let no reader see what is in the folder."""
        put_bytes(self._container, self._marker, b"", blake3().hexdigest())

    def remove(self) -> None:
        """Remove a folder that is hidden, and its marker last."""
        self._remove(self._blobs())
        if (itself := self._container.properties(self._path)) is not None and is_folder(itself):
            self._container.delete(self._path)
        self._container.delete(self._marker)

    def _blobs(self) -> list[str]:
        """Everything in the folder but the marker; folders after what is in them."""
        keys = [self._container.key(blob.name) for blob in self._container.blobs(f"{self._path}/")]
        return sorted((key for key in keys if key != self._marker), reverse=True)

    def _remove(self, keys: Iterable[str]) -> None:
        side_by_side(self._container.delete, list(keys))
