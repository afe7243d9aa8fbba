"""How files and folders appear on a datastore in Azure Blob Storage: whole, or not at all.

A file is one atomic request. A folder has a marker before its first file is visible and until its last one is, and a
folder with a marker is not there for any reader. What replaces a folder is sent in full before the marker is put, as
blocks that nobody sees, so that a transfer which fails leaves the old folder as it was. Whoever is killed leaves
the marker; the next to publish there begins by removing all that it hides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from azure.core import MatchConditions
from blake3 import blake3

from airloom.errors import AlreadyExists, IntegrityError
from airloom.storage.azure_access import BLOCK
from airloom.storage.azure_bytes import StagedBlob, put_bytes, read_block, side_by_side, transfer_all
from airloom.storage.azure_container import AzureContainer
from airloom.storage.azure_errors import BlocksLost, ConditionFailed
from airloom.storage.azure_listing import DIGEST, find_literally, is_folder
from airloom.storage.azure_marker import Marker
from airloom.storage.azure_pages import Blob
from airloom.storage.tree import TreeManifest
from airloom.storage.walk import walk

_TRIES = 5


class Sent(NamedTuple):
    """What a file that was sent must look like; its digest is "" if nobody knows it."""

    size: int
    digest: str


def taken(container: AzureContainer, path: str) -> AlreadyExists:
    """The error for a name that is not free."""
    return AlreadyExists(
        f"The datastore {container.config.name!r} already has {path!r}.",
        hint="Choose another path, or ask for overwriting.",
        target=path,
    )


# --- files --------------------------------------------------------------------------------------------------------


def write_stream(container: AzureContainer, path: str, stream: BinaryIO, *, overwrite: bool) -> Sent:
    """Make a file from a stream, in one step for readers. AlreadyExists unless `overwrite`."""
    container.check(path)
    first = read_block(stream)
    if overwrite and len(first) < BLOCK:
        sent = Sent(len(first), blake3(first).hexdigest())
        put_bytes(container, path, first, sent.digest)
        return sent
    start = stream.tell() - len(first) if len(first) == BLOCK and stream.seekable() else None
    for _ in range(_TRIES):
        staged = StagedBlob(container, path)
        staged.stage(stream, first)
        if _is_committed(staged, overwrite):
            return Sent(staged.size, staged.digest)
        if len(first) == BLOCK:
            if start is None:
                break
            stream.seek(start + len(first))
    raise IntegrityError(
        f"Others wrote {path!r} of the datastore {container.config.name!r} at the same time.",
        hint="Write it again.",
        target=path,
    )


def _is_committed(staged: StagedBlob, overwrite: bool) -> bool:
    """Make a staged file visible. False if its blocks are lost, because another writer of the file came first."""
    try:
        if overwrite:
            staged.commit()
        else:
            staged.commit(match_condition=MatchConditions.IfMissing)
    except BlocksLost:
        return staged.is_committed()
    except ConditionFailed:
        if not staged.is_committed():
            raise taken(staged.container, staged.key) from None
    return True


# --- folders ------------------------------------------------------------------------------------------------------


class Publication:
    """A folder that is being made or replaced; hidden as long as its marker is there."""

    def __init__(self, container: AzureContainer, path: str) -> None:
        self.container, self.path = container, path
        self.marker = Marker(container, path)

    @contextmanager
    def hidden(self, *, overwrite: bool, keep: Callable[[Blob], bool] = lambda blob: False) -> Iterator[None]:
        """Let no reader see the folder; what a killed publisher left there is removed first, unless it is to `keep`.

        AlreadyExists if there is something that may not be replaced. After an error all that is there stays hidden,
        for the next publisher to remove.
        """

        def check() -> None:
            if not overwrite and find_literally(self.container, self.path).there:
                raise taken(self.container, self.path)

        fresh = self.marker.take(check)
        try:
            if not fresh:
                self._remove(key for key, blob in self._blobs().items() if not keep(blob))
            elif not overwrite and any(self._blobs()):  # somebody was faster, between the look and the marker
                self.marker.remove()
                raise taken(self.container, self.path)
            yield
        except BaseException:
            self.marker.leave()
            raise

    def show(self, sent: Mapping[str, Sent]) -> None:
        """Check that the folder is what was sent, remove the rest, and let readers see it."""
        blobs = self._blobs()
        self._remove(key for key in blobs if key not in sent)
        for key, expected in sent.items():
            if not _is_as_sent(blobs.get(key), expected):
                raise IntegrityError(
                    f"The folder {self.path!r} of the datastore {self.container.config.name!r} was written to by "
                    f"others while it was published: {key!r} is not what was sent.",
                    hint="Publish it again.",
                    target=key,
                )
        itself = self.container.find(self.path)
        if not sent:
            self.container.make_folder(self.path)
        elif itself is not None and not is_folder(itself):
            self.container.delete(self.path)
        self.marker.remove()

    def remove(self) -> None:
        """Remove the folder, which is hidden, and its marker last."""
        self._remove(self._blobs())
        itself = self.container.find(self.path)
        if itself is not None and is_folder(itself):
            self.container.delete(self.path)
        self.marker.remove()

    def _blobs(self) -> dict[str, Blob]:
        """Everything in the folder but the marker."""
        blobs = {self.container.key(blob.name): blob for blob in self.container.blobs(f"{self.path}/")}
        return {key: blob for key, blob in blobs.items() if key != self.marker.key}

    def _remove(self, keys: Iterable[str]) -> None:
        """Remove blobs, and those that stand for folders after what is in them."""
        self.marker.check()
        by_depth: dict[int, list[str]] = {}
        for key in keys:
            by_depth.setdefault(key.count("/"), []).append(key)
        for depth in sorted(by_depth, reverse=True):
            side_by_side(self.container.delete, by_depth[depth])


def _is_as_sent(blob: Blob | None, expected: Sent) -> bool:
    if blob is None or blob.size != expected.size:
        return False
    return expected.digest in ("", blob.metadata.get(DIGEST))


def publish_folder(
    container: AzureContainer, root: Path, path: str, *, overwrite: bool, known: TreeManifest | None
) -> None:
    """Make or replace the folder at `path` by one of this machine."""
    files = {f"{path}/{file.path}": Path(file.stat.path) for file in walk(root)}
    for key in files:
        container.check(key)
    expected = {f"{path}/{entry.path}": Sent(entry.size, entry.digest) for entry in known.entries} if known else None
    publication = Publication(container, path)
    if overwrite and find_literally(container, path).there:
        staged = _stage(container, files)
        sent = {each.key: Sent(each.size, each.digest) for each in staged}
        _check_sent(sent, expected, path)
        with publication.hidden(overwrite=True):
            side_by_side(StagedBlob.commit, staged)
            publication.show(sent)
        return
    with publication.hidden(overwrite=overwrite):
        sent = _send(publication, files)
        _check_sent(sent, expected, path)
        publication.show(sent)


def _check_sent(sent: Mapping[str, Sent], expected: Mapping[str, Sent] | None, path: str) -> None:
    """IntegrityError if the files are not those of the manifest, which was made before they were read."""
    if expected is None or expected == sent:
        return
    key = next(key for key in sorted({*sent, *expected}) if sent.get(key) != expected.get(key))
    name = key.removeprefix(f"{path}/")
    raise IntegrityError(
        f"The file {name!r} was changed, made or removed while its folder was published to {path!r}.",
        hint="Let nothing write to a folder once it is complete.",
        target=name,
    )


def _send(publication: Publication, files: Mapping[str, Path]) -> dict[str, Sent]:
    """Put files at their places."""
    sent: dict[str, Sent] = {}

    def send(key: str) -> None:
        publication.marker.check()
        with files[key].open("rb", buffering=0) as stream:
            sent[key] = write_stream(publication.container, key, stream, overwrite=True)

    transfer_all(send, files, lambda key: files[key].stat().st_size)
    return sent


def _stage(container: AzureContainer, files: Mapping[str, Path]) -> list[StagedBlob]:
    """Send files so that nobody sees them yet."""

    def stage(blob: StagedBlob) -> None:
        with files[blob.key].open("rb", buffering=0) as stream:
            blob.stage(stream, read_block(stream))

    blobs = [StagedBlob(container, key) for key in files]
    transfer_all(stage, blobs, lambda blob: files[blob.key].stat().st_size)
    return blobs
