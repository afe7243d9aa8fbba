"""What a file or folder contains, as a value: the sorted list of its files with their sizes and digests."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from blake3 import blake3
from pydantic import NonNegativeInt, field_validator

from airloom.errors import UnsafePath
from airloom.graph.canonical import canonical_json
from airloom.graph.model import Model
from airloom.storage.file_digests import is_settled
from airloom.storage.paths import check_digest, validate_relative
from airloom.storage.stat_cache import StatCache
from airloom.storage.walk import Exclude, FoundFile, FoundFolder, walk, walk_folders

_SMALL_TREE = 32  # files; below this one look-up of them all is as fast as one of the tree
_DIGESTED_TOGETHER = 10_000


class TreeEntry(Model):
    """One file: its path relative to the tree's root, its size in bytes, the BLAKE3 digest of its content."""

    path: str
    size: NonNegativeInt
    digest: str

    @field_validator("digest")
    @classmethod
    def _is_digest(cls, digest: str) -> str:
        return check_digest(digest)


class TreeManifest(Model):
    """The files of a tree, sorted by path. Equal content gives an equal digest, wherever and whenever it was made.

    A tree that is a single file has one entry, whose path is "". Empty folders, permissions and times do not count.
    """

    format: Literal[1] = 1
    entries: tuple[TreeEntry, ...]

    @field_validator("entries")
    @classmethod
    def _in_order(cls, entries: tuple[TreeEntry, ...]) -> tuple[TreeEntry, ...]:
        _check_paths([entry.path for entry in entries])
        return tuple(sorted(entries, key=lambda entry: entry.path))

    @cached_property
    def digest(self) -> str:
        """The digest of the whole content."""
        return entries_digest(self.entries)

    @cached_property
    def total_size(self) -> int:
        """Bytes in all files together."""
        return sum(entry.size for entry in self.entries)

    @property
    def is_file(self) -> bool:
        """True if the tree is a single file rather than a folder."""
        return len(self.entries) == 1 and self.entries[0].path == ""


def entries_digest(entries: tuple[TreeEntry, ...]) -> str:
    """The digest of a sorted choice of a tree's entries."""
    return _digest((entry.path, entry.size, entry.digest) for entry in entries)


def _digest(rows: Iterable[tuple[str, int, str]]) -> str:
    """BLAKE3 of the canonical JSON of (path, size, digest) of all files, which is not built as a whole."""
    hasher = blake3(b"[")
    rows, comma = iter(rows), b""
    while some := [{"path": row[0], "size": row[1], "digest": row[2]} for row in islice(rows, _DIGESTED_TOGETHER)]:
        hasher.update(comma + canonical_json(some)[1:-1])
        comma = b","
    hasher.update(b"]")
    return hasher.hexdigest()


def _check_paths(paths: list[str]) -> None:
    """Refuse paths that cannot all be files of one folder: unsafe, not in normal form, twice, or below a file."""
    files = set(paths)
    if len(files) < len(paths):
        raise ValueError("the same path occurs twice")
    for path in paths:
        if validate_relative(path) != path:
            raise UnsafePath(f"The path {path!r} of a tree manifest is not in normal form.", target=path)
        parent = path
        while parent:
            parent = parent.rpartition("/")[0]
            if parent in files:
                raise ValueError(f"{parent!r} is both a file and the folder of {path!r}")


# --- scanning ---------------------------------------------------------------------------------------------------


def scan_tree(
    root: Path, cache: StatCache, *, exclude: Exclude | None = None, boundary: Path | None = None
) -> TreeManifest:
    """The manifest of a file or folder. The rules for links and for what is left out are those of `walk_folders`."""
    return digest_files(list(walk(root, exclude=exclude, boundary=boundary)), cache)


def digest_files(files: Sequence[FoundFile], cache: StatCache) -> TreeManifest:
    """The manifest of files that a walk has found."""
    digested = cache.digests([file.stat for file in files])
    return TreeManifest(
        entries=tuple(
            TreeEntry(path=file.path, size=done.stat.size, digest=done.digest)
            for file, done in zip(files, digested, strict=True)
        )
    )


def digest_tree(root: Path, cache: StatCache, *, exclude: Exclude | None = None, boundary: Path | None = None) -> str:
    """The digest of the manifest that `scan_tree` would make, without making it.

    An unchanged tree is answered by one look-up of its fingerprint, which covers, for every file that the walk has
    found, all that is compared when a single file is looked up: path, size, mtime, ctime and inode. So an equal
    fingerprint means that each file by itself would be answered from the cache, and with the digest that it had when
    the tree was remembered. A tree in which anything changed within the last two seconds has no fingerprint. It is
    read file by file, where the files that have long been unchanged are still not read again.
    """
    started_ns = time.time_ns()
    folders = list(walk_folders(root, exclude=exclude, boundary=boundary))
    fingerprint = _fingerprint(os.path.abspath(root), folders, started_ns)
    known = cache.tree(fingerprint) if fingerprint is not None else None
    if known is not None:
        return known
    files = [file for folder in folders for file in folder.files()]
    digested = cache.digests([file.stat for file in files])
    digest = _digest(
        sorted((file.path, done.stat.size, done.digest) for file, done in zip(files, digested, strict=True))
    )
    steady = all(file.stat == done.stat for file, done in zip(files, digested, strict=True))
    if fingerprint is not None and steady:
        cache.remember_tree(fingerprint, os.path.abspath(root), digest)
    return digest


def _fingerprint(root: str, folders: Sequence[FoundFolder], started_ns: int) -> bytes | None:
    """What identifies the state of a tree of many files; None if it is not settled, or small."""
    if sum(len(folder.names) for folder in folders) < _SMALL_TREE:
        return None
    hasher = blake3(os.fsencode(root))
    for folder in folders:
        columns = (folder.sizes, folder.mtimes_ns, folder.ctimes_ns, folder.inodes)
        oldest_ns = min(min(folder.mtimes_ns), min(folder.ctimes_ns))
        newest_ns = max(max(folder.mtimes_ns), max(folder.ctimes_ns))
        if not is_settled(oldest_ns, newest_ns, started_ns):
            return None
        names = "\0".join([folder.stem, *folder.names]).encode()
        hasher.update(b"%d %d\0" % (len(names), len(folder.names)))  # tells where each part ends
        hasher.update(names)
        for column in columns:
            hasher.update(array("q", column).tobytes())
    return hasher.digest()
