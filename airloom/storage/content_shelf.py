"""The files of the content cache on a machine's disk: one for each content, read-only, and checked before it is used.

A file's name is the digest of its content where that is known before it is read, as it is for all that Airloom wrote.
Files of others are named by their version (place, path, ETag and size); what they contained when they came is noted
beside them, in a link that leads nowhere and whose text is the digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from airloom.errors import IntegrityError
from airloom.graph.canonical import digest_value
from airloom.storage.datastores import DatastoreHandle, FileInfo
from airloom.storage.stat_cache import FileStat, StatCache, digest_file

_NOTE = ".is"
_READ_ONLY = 0o444


class Content(NamedTuple):
    """A file of a datastore in one version; `identity` is its name on the shelf."""

    identity: str
    info: FileInfo
    datastore: DatastoreHandle

    @classmethod
    def of(cls, datastore: DatastoreHandle, info: FileInfo) -> Content:
        """The content of a file as it was listed."""
        if info.digest is not None:
            return cls(info.digest, info, datastore)
        version = info.etag or info.modified.isoformat()
        place = datastore.config.model_dump(mode="json", exclude={"name", "connection"})
        return cls(digest_value(["version", place, info.path, version, info.size]), info, datastore)


class Shelf:
    """The files below a folder. Who may add and remove them, and when, is not decided here."""

    def __init__(self, root: Path, stats: StatCache) -> None:
        self._root = root
        self._stats = stats

    def path(self, identity: str) -> Path:
        """Where a file lies, or would lie."""
        return self._root / identity[:2] / identity

    def sound(self, contents: Iterable[Content]) -> set[str]:
        """Those of the contents that are there, whole and unaltered. Unchanged files are not read again for that."""
        found = [(content, stat) for content in contents if (stat := self._stat(content)) is not None]
        digested = self._stats.digests([stat for _, stat in found])
        return {
            content.identity
            for (content, _), done in zip(found, digested, strict=True)
            if done.digest == self._expected(content)
        }

    def put(self, content: Content, arrived: Path) -> None:
        """Take a whole file of the same file system, whose digest was checked if it was known."""
        size = arrived.stat().st_size
        if size != content.info.size:
            raise IntegrityError(
                f"Of the file {content.info.path!r} came {size} bytes, and not {content.info.size}.",
                hint="Try again.",
                target=content.info.path,
            )
        if content.info.digest is None:
            self._note(self.path(content.identity), digest_file(arrived), arrived)
        self.place(content.identity, arrived)

    def place(self, identity: str, arrived: Path) -> None:
        """Take a whole file of the same file system under its name."""
        path = self.path(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrived.chmod(_READ_ONLY)
        arrived.replace(path)

    def sizes(self) -> dict[str, int]:
        """All files with their sizes."""
        return {entry.name: entry.stat().st_size for entry in self._entries() if not entry.name.endswith(_NOTE)}

    def remove(self, identities: Iterable[str]) -> None:
        """Remove files; absent ones are fine."""
        for identity in identities:
            path = self.path(identity)
            path.unlink(missing_ok=True)
            _note_of(path).unlink(missing_ok=True)

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        for folder in sorted(self._root.glob("??")):
            with os.scandir(folder) as entries:
                yield from entries

    def _stat(self, content: Content) -> FileStat | None:
        path = os.path.abspath(self.path(content.identity))
        try:
            status = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return FileStat.of(path, status) if status.st_size == content.info.size else None

    def _expected(self, content: Content) -> str | None:
        """The digest that a file must have; None if nobody knows, as nothing was noted."""
        if content.info.digest is not None:
            return content.info.digest
        try:
            return os.readlink(_note_of(self.path(content.identity)))
        except OSError:
            return None

    def _note(self, path: Path, digest: str, arrived: Path) -> None:
        """The note comes before the file: one without a file says nothing, a file without one is fetched again."""
        made = _note_of(arrived)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.symlink_to(digest)
        made.replace(_note_of(path))


def _note_of(path: Path) -> Path:
    return path.with_name(path.name + _NOTE)


def each_once(contents: Sequence[Content]) -> list[Content]:
    """The contents without those that are there twice."""
    return list({content.identity: content for content in contents}.values())


def total_size(contents: Iterable[Content]) -> int:
    """Bytes in all of them together."""
    return sum(content.info.size for content in contents)


def by_datastore(contents: Iterable[Content]) -> dict[int, list[Content]]:
    """The contents of each datastore."""
    groups: dict[int, list[Content]] = {}
    for content in contents:
        groups.setdefault(id(content.datastore), []).append(content)
    return groups
