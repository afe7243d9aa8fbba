"""What a file or folder contains, as a value: the sorted list of its files with their sizes and digests."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import NonNegativeInt, field_validator

from airloom.errors import NotFound, UnsafePath
from airloom.graph.canonical import digest_value
from airloom.graph.model import Model
from airloom.storage.durable import is_private
from airloom.storage.paths import check_digest, is_inside, validate_relative
from airloom.storage.stat_cache import FileStat, StatCache

Exclude = Callable[[str], bool]
"""Tells whether a path relative to the root is left out. Folders are asked about with a trailing slash; what lies
below an excluded folder is not visited."""


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
    return digest_value([{"path": entry.path, "size": entry.size, "digest": entry.digest} for entry in entries])


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


class FoundFile(NamedTuple):
    """A file met in a walk: its path relative to the root ("" is the root itself), and its state."""

    path: str
    stat: FileStat


def scan_tree(
    root: Path, cache: StatCache, *, exclude: Exclude | None = None, boundary: Path | None = None
) -> TreeManifest:
    """The manifest of a file or folder. The rules for links and for what is left out are those of `walk`."""
    return digest_files(list(walk(root, exclude=exclude, boundary=boundary)), cache)


def digest_files(files: list[FoundFile], cache: StatCache) -> TreeManifest:
    """The manifest of files that a walk has found."""
    digested = cache.digests([file.stat for file in files])
    return TreeManifest(
        entries=tuple(
            TreeEntry(path=file.path, size=done.stat.size, digest=done.digest)
            for file, done in zip(files, digested, strict=True)
        )
    )


def walk(root: Path, *, exclude: Exclude | None = None, boundary: Path | None = None) -> Iterator[FoundFile]:
    """All files of a tree in a fixed order. Empty folders leave no trace.

    Symbolic links are followed if they stay inside `boundary` (default: the root); one that leaves it, or that leads
    back to a folder around it, is refused with UnsafePath. NotFound if the root, or the target of a link, is missing.
    What others remove during the walk is either in it or not.
    """
    real = os.path.realpath(root)
    limit = os.path.realpath(boundary) if boundary else real
    absolute = os.path.abspath(root)
    try:
        status = os.stat(real)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no file or folder {root}.", hint="Check the path.", target=str(root)) from None
    if stat.S_ISDIR(status.st_mode):
        yield from _Walk(limit, exclude or _nothing).folder(absolute, "", (real,))
    else:
        yield FoundFile("", _regular(absolute, status))


class _Walk(NamedTuple):
    boundary: str
    exclude: Exclude

    def folder(self, absolute: str, stem: str, around: tuple[str, ...]) -> Iterator[FoundFile]:
        """Files below one folder. `stem` is its relative path with a slash, `around` it and the folders above it."""
        for entry in _entries(absolute):
            path = stem + entry.name
            is_folder = _is_folder(entry)
            if is_private(entry.name) or self.exclude(path + "/" if is_folder else path):
                continue
            real = self.target(entry, path) if entry.is_symlink() else f"{around[-1]}/{entry.name}"
            if not is_folder:
                yield from self.file(entry, path)
            elif real in around:
                raise UnsafePath(
                    f"The symbolic link {entry.path} leads back to a folder around it.",
                    hint="Remove or exclude it.",
                    target=path,
                )
            else:
                yield from self.folder(entry.path, path + "/", (*around, real))

    def file(self, entry: os.DirEntry[str], path: str) -> Iterator[FoundFile]:
        """The file, unless it has vanished since it was listed."""
        validate_relative(path)
        try:
            status = entry.stat()
        except FileNotFoundError:
            return
        yield FoundFile(path, _regular(entry.path, status))

    def target(self, entry: os.DirEntry[str], path: str) -> str:
        """Where a link leads, if it may be followed."""
        real = os.path.realpath(entry.path)
        if not is_inside(real, self.boundary):
            raise UnsafePath(
                f"The symbolic link {entry.path} leads to {real}, outside of {self.boundary}.",
                hint="Replace it by what it points to, or exclude it.",
                target=path,
            )
        if not os.path.exists(real):
            raise NotFound(
                f"The symbolic link {entry.path} leads to {real}, which does not exist.",
                hint="Remove or exclude it.",
                target=path,
            )
        return real


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except FileNotFoundError:  # it has vanished since it was met
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that lead to each other in a circle
        return False


def _regular(absolute: str, status: os.stat_result) -> FileStat:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafePath(
            f"{absolute} is neither a file nor a folder (a device, pipe or socket).",
            hint="Remove or exclude it.",
            target=absolute,
        )
    return FileStat.of(absolute, status)


def _nothing(path: str) -> bool:
    return False
