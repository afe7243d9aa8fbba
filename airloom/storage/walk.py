"""Walking over a file or folder: which files are in it, and what the file system says of each.

Files come a folder at a time, in columns, as a tree may hold a million of them and most walks only find out that
nothing has changed.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from airloom.errors import NotFound, UnsafePath
from airloom.storage.durable import PRIVATE_PREFIX
from airloom.storage.file_digests import FileStat, signed
from airloom.storage.paths import is_inside, validate_relative

Exclude = Callable[[str], bool]
"""Tells whether a path relative to the root is left out. Folders are asked about with a trailing slash; what lies
below an excluded folder is not visited."""

_Status = tuple[int, int, int, int, int]
_STATUS: Callable[[os.stat_result], _Status] = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_mode")


class FoundFile(NamedTuple):
    """A file met in a walk: its path relative to the root ("" is the root itself), and its state."""

    path: str
    stat: FileStat


class FoundFolder(NamedTuple):
    """The files that lie directly in one folder, sorted by name; each column holds one number of all of them.

    A file's relative path is `stem` and its name, its absolute path `prefix` and its name. A root that is itself a
    file is a folder of its own, in which the file's name is "".
    """

    stem: str
    prefix: str
    names: list[str]
    sizes: Sequence[int]
    mtimes_ns: Sequence[int]
    ctimes_ns: Sequence[int]
    inodes: Sequence[int]

    @classmethod
    def of(cls, stem: str, prefix: str, names: list[str], statuses: list[_Status]) -> FoundFolder:
        """From what `os.stat` says of each file. Raises for what is no file, and for names that are not text."""
        sizes, mtimes_ns, ctimes_ns, inodes, modes = zip(*statuses, strict=True) if statuses else ((),) * 5
        if not all(map(stat.S_ISREG, set(modes))):
            special = next(name for name, mode in zip(names, modes, strict=True) if not stat.S_ISREG(mode))
            raise _not_a_file(prefix + special)
        _check_names(stem, names)
        return cls(stem, prefix, names, _packed(sizes), _packed(mtimes_ns), _packed(ctimes_ns), _packed_inodes(inodes))

    def files(self) -> Iterator[FoundFile]:
        """The files one by one."""
        rows = zip(self.names, self.sizes, self.mtimes_ns, self.ctimes_ns, self.inodes, strict=True)
        for name, *numbers in rows:
            yield FoundFile(self.stem + name, FileStat(self.prefix + name, *numbers))


def _packed_inodes(inodes: Sequence[int]) -> Sequence[int]:
    try:
        return array("q", inodes)
    except OverflowError:  # rare: file systems made of others mark the origin in the highest bits
        return array("q", map(signed, inodes))


def _packed(numbers: Sequence[int]) -> Sequence[int]:
    """The numbers in 8 bytes each, if they fit; times of the year 2300 do not."""
    try:
        return array("q", numbers)
    except OverflowError:
        return numbers


def walk(root: Path, *, exclude: Exclude | None = None, boundary: Path | None = None) -> Iterator[FoundFile]:
    """All files of a tree, by the rules of `walk_folders`."""
    for folder in walk_folders(root, exclude=exclude, boundary=boundary):
        yield from folder.files()


def walk_folders(root: Path, *, exclude: Exclude | None = None, boundary: Path | None = None) -> Iterator[FoundFolder]:
    """All files of a tree in a fixed order. Empty folders leave no trace.

    Symbolic links are followed if they stay inside `boundary` (default: the root); one that leaves it, or that leads
    back to a folder around it, is refused with UnsafePath. NotFound if the root, or the target of a link, is missing.
    What others remove during the walk is either in it or not.
    """
    absolute = os.path.abspath(root)
    try:
        status = os.stat(root)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no file or folder {root}.", hint="Check the path.", target=str(root)) from None
    if stat.S_ISDIR(status.st_mode):
        real = os.path.realpath(root)
        yield from _Walk(boundary or real, exclude).folder(absolute, "", (real,))
    else:
        yield FoundFolder.of("", absolute, [""], [_STATUS(status)])


class _Walk:
    def __init__(self, boundary: Path | str, exclude: Exclude | None) -> None:
        self._boundary = boundary
        self._exclude = exclude

    @cached_property
    def boundary(self) -> str:
        """The folder that no link may leave; looked up once a link is met."""
        return os.path.realpath(self._boundary)

    def folder(self, absolute: str, stem: str, around: tuple[str, ...]) -> Iterator[FoundFolder]:
        """One folder and those below it. `stem` is its relative path with a slash, `around` the real paths of it and
        of the folders above it."""
        names: list[str] = []
        statuses: list[_Status] = []
        below: list[tuple[os.DirEntry[str], str]] = []
        for entry in self.entries(absolute, stem):
            if entry.is_symlink():
                real = self.target(entry, stem + entry.name)
                is_folder = _is_folder(entry)
            else:
                is_folder = entry.is_dir()
                real = f"{around[-1]}/{entry.name}" if is_folder else ""
            if is_folder:
                below.append((entry, real))
                continue
            try:
                statuses.append(_STATUS(entry.stat()))
            except FileNotFoundError:  # it has vanished since it was listed
                continue
            names.append(entry.name)
        if names:
            yield FoundFolder.of(stem, absolute.rstrip("/") + "/", names, statuses)
        for entry, real in below:
            if real in around:
                raise _circle(entry, stem + entry.name)
            yield from self.folder(entry.path, f"{stem}{entry.name}/", (*around, real))

    def entries(self, folder: str, stem: str) -> list[os.DirEntry[str]]:
        """What is in a folder and not left out, by name."""
        try:
            with os.scandir(folder) as listing:
                entries = [entry for entry in listing if not entry.name.startswith(PRIVATE_PREFIX)]
        except FileNotFoundError:  # it has vanished since it was met
            return []
        entries.sort(key=attrgetter("name"))
        if self._exclude is None:
            return entries
        exclude = self._exclude
        return [entry for entry in entries if not exclude(stem + entry.name + "/" * _is_folder(entry))]

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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that lead to each other in a circle
        return False


def _check_names(stem: str, names: list[str]) -> None:
    """Refuse names that are not text. Nothing else can be wrong with names that a folder has."""
    try:
        (stem + "".join(names)).encode()
    except UnicodeEncodeError:
        for name in names:
            validate_relative(stem + name)
        raise


def _circle(entry: os.DirEntry[str], path: str) -> UnsafePath:
    return UnsafePath(
        f"The symbolic link {entry.path} leads back to a folder around it.", hint="Remove or exclude it.", target=path
    )


def _not_a_file(absolute: str) -> UnsafePath:
    return UnsafePath(
        f"{absolute} is neither a file nor a folder (a device, pipe or socket).",
        hint="Remove or exclude it.",
        target=absolute,
    )
