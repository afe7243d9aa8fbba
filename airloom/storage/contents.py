"""What a dataset consists of at one moment, so that it can be told later whether its content has moved on."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from airloom.errors import AirloomError, NotFound
from airloom.graph.canonical import digest_value
from airloom.graph.model import DatasetSource, Model
from airloom.storage.envelope import seal, unseal
from airloom.storage.globs import Glob, is_glob
from airloom.storage.tree import TreeEntry, TreeManifest
from airloom.storage.workspace import WorkspaceStore

MOST_FILES_LISTED = 10_000
"""Of larger datasets only the digest is kept: they say that they have changed, but not which of their files."""

State = Literal["unchanged", "changed", "missing"]


class Content(Model):
    """The content of a dataset. `digest` is what counts for reuse too, `modified` the latest change of a file."""

    digest: str
    files: int
    size: int
    modified: datetime | None = None


class Comparison(NamedTuple):
    """What has become of a content. The names of files are known where their list was kept."""

    state: State
    now: Content | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def content_of(storage: WorkspaceStore, source: DatasetSource) -> Content:
    """The content that a source has now; nothing is downloaded. Raises NotFound if a place has nothing."""
    return _read(storage, source)[0]


def pin(storage: WorkspaceStore, source: DatasetSource) -> Content:
    """The content that a source has now, whose list of files is kept for later comparisons."""
    content, manifests = _read(storage, source)
    if content.files <= MOST_FILES_LISTED:
        trees = [manifest.model_dump(mode="json") for manifest in manifests]
        storage.store.put(_key(storage, content.digest), seal({"trees": trees}))
    return content


def compare(storage: WorkspaceStore, source: DatasetSource, pinned: str) -> Comparison:
    """What the source holds now, beside the content whose digest was pinned."""
    try:
        now, manifests = _read(storage, source)
    except NotFound:
        return Comparison("missing", None)
    if now.digest == pinned:
        return Comparison("unchanged", now)
    before = _entries(source, _kept(storage, pinned))
    if before is None:
        return Comparison("changed", now)
    after = _entries(source, manifests) or {}
    return Comparison(
        "changed",
        now,
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(path for path in after.keys() & before.keys() if after[path] != before[path])),
    )


def _read(storage: WorkspaceStore, source: DatasetSource) -> tuple[Content, list[TreeManifest]]:
    manifests: list[TreeManifest] = []
    times: list[datetime] = []
    for location in source.locations:
        datastore = storage.datastore(location.datastore)
        manifests.append(datastore.scan(location.path))
        times += [info.modified for info in datastore.list(location.path)]
    content = Content(
        digest=digest_value([manifest.digest for manifest in manifests]),
        files=sum(len(manifest.entries) for manifest in manifests),
        size=sum(manifest.total_size for manifest in manifests),
        modified=max(times, default=None),
    )
    return content, manifests


def _entries(source: DatasetSource, manifests: list[TreeManifest] | None) -> dict[str, TreeEntry] | None:
    """All files by datastore and path. None if the list was not kept, or not for these places."""
    if manifests is None or len(manifests) != len(source.locations):
        return None
    return {
        "/".join(filter(None, (location.datastore, _base(location.path), entry.path))): entry
        for location, manifest in zip(source.locations, manifests, strict=True)
        for entry in manifest.entries
    }


def _base(path: str) -> str:
    """What the files of a place are named relative to."""
    return Glob(path).base if is_glob(path) else path


def _kept(storage: WorkspaceStore, digest: str) -> list[TreeManifest] | None:
    try:
        body = unseal(storage.store.get(_key(storage, digest)), "The list of a dataset's files")
        return [TreeManifest.model_validate(tree) for tree in body["trees"]]
    except (AirloomError, ValueError, KeyError):
        return None  # it only says more than the digest does


def _key(storage: WorkspaceStore, digest: str) -> str:
    return storage.key("datasets", "contents", f"{digest}.json")
