"""Datastores in a folder that all workers see."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from airloom.errors import AlreadyExists, NotFound, UnsafePath
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.datastores import Download, EachFile, FileInfo, FileInfos, FoundFiles
from airloom.storage.durable import (
    copy_stream,
    is_private,
    make_dirs,
    new_file,
    remove_tree,
    sync_dir,
    sync_tree,
    take_place,
    temporary_name,
)
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import confined, validate_relative
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import TreeManifest, digest_files, digest_tree
from airloom.storage.walk import FoundFile, walk
from airloom.storage.watched import Survey, survey_folder


class LocalDatastore:
    """A folder of this machine, or of a file system that all workers share, as a datastore."""

    def __init__(self, config: LocalConfig, cache: StatCache) -> None:
        self.config = config
        self._root = Path(config.root)
        self._cache = cache

    def list(self, path: str = "") -> FileInfos:
        """The files at a path, which is a file, a folder (all below it) or a glob; sorted, empty if there are none."""
        base, files = self._find(path)
        infos = [_info("/".join(filter(None, (base, file.path))), file) for file in files]
        return sorted(infos, key=lambda info: info.path)

    def scan(self, path: str = "") -> TreeManifest:
        """What a file, folder or glob contains; for a glob relative to `Glob.base`. NotFound if there is nothing."""
        _, files = self._find(path)
        if not files and not self.exists(path):
            raise NotFound(
                f"The datastore {self.config.name!r} has nothing at {path!r} (looked in {self._root}).",
                hint="Check the path; was the data uploaded?",
                target=path,
            )
        return digest_files(files, self._cache)

    def digest(self, path: str = "") -> str:
        """The digest of `scan`: of names and contents, so one file has the same digest under any name."""
        root = self.local_path(path)
        if not root.exists():
            return self.scan(path).digest  # of the files that match, if it is a pattern
        return digest_tree(root, self._cache, boundary=self._root)

    def survey(self, path: str = "") -> Survey:
        """The state of each file at a path (a file, or a folder and all below it), by which changes are told."""
        return survey_folder(self._root, validate_relative(path), self.local_path(path))

    def exists(self, path: str) -> bool:
        """True if there is a file or folder of this name; the root always exists."""
        return validate_relative(path) == "" or self.local_path(path).exists()

    def local_path(self, path: str = "") -> Path:
        """Where a file or folder lies, or would lie."""
        _refuse_private(path)
        return confined(self._root, path)

    def open_read(self, path: str) -> BinaryIO:
        """A file as a stream, to be closed by the caller; NotFound if there is none."""
        try:
            return self.local_path(path).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound(
                f"The datastore {self.config.name!r} has no file {path!r}.", hint="Check the path.", target=path
            ) from None

    def fetch(self, files: Sequence[Download], each: EachFile) -> None:
        """Copy files to other places of this machine; each is whole at its place or not there at all."""
        for file in files:
            source = self.local_path(file.info.path)
            with source.open("rb") as stream, new_file(file.target.parent) as (target, temporary):
                copy_stream(stream, target)
            temporary.replace(file.target)
            each(file.info)

    def write(self, path: str, stream: BinaryIO, *, overwrite: bool = True) -> FileInfo:
        """Make a file from a stream; it is visible once it is complete. AlreadyExists unless `overwrite`.

        A folder is never replaced by a file: that is AlreadyExists too.
        """
        target = self._vacant(path, overwrite)
        if target.is_dir():
            raise self._taken(path)
        with new_file(target.parent) as (file, temporary):
            copy_stream(stream, file)
        try:
            self._place(temporary, target, path, overwrite)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        status = target.stat()
        return FileInfo(path=validate_relative(path), size=status.st_size, modified=_time(status.st_mtime))

    def publish(
        self, staged: Path, path: str, *, overwrite: bool = False, manifest: TreeManifest | None = None
    ) -> None:
        """Move a complete file or folder of this machine to a path, in one step. AlreadyExists unless `overwrite`.

        UnsafePath, and nothing is moved, if it holds a link that leaves it. Absolute links inside become relative.
        Where the file system cannot exchange two names, a folder that is replaced is, for an instant, not there.
        """
        target = self._vacant(path, overwrite)
        if staged.is_symlink():
            raise UnsafePath(f"{staged} is a symbolic link.", hint="Write a real file or folder there.", target=path)
        for _ in walk(staged):  # refuses missing files and unsafe links
            pass
        _make_links_relative(staged)
        sync_tree(staged)
        make_dirs(target.parent)
        try:
            self._place(staged, target, path, overwrite)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._publish_copy(staged, target, path, overwrite)

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all in it, in one step for readers; no error if there is none."""
        parent, _, name = validate_relative(path).rpartition("/")
        if not name:
            raise UnsafePath(
                f"The root of the datastore {self.config.name!r} cannot be deleted.", hint="Name a path in it."
            )
        _refuse_private(path)
        target = self.local_path(parent) / name
        doomed = target.with_name(temporary_name())
        try:
            target.rename(doomed)
        except (FileNotFoundError, NotADirectoryError):
            if target.parent.is_dir():
                sync_dir(target.parent)  # whoever removed it may have died before
            return
        sync_dir(target.parent)  # first, or a loss of power might bring back the name without all that it held
        remove_tree(doomed)

    def _find(self, path: str) -> tuple[str, FoundFiles]:
        """The base that found paths are relative to, and the files. A name with wildcards may also be literal."""
        if is_glob(path) and not self.local_path(path).exists():
            glob = Glob(path)
            return glob.base, self._walk(glob.base, glob)
        return validate_relative(path), self._walk(path, None)

    def _walk(self, path: str, glob: Glob | None) -> FoundFiles:
        root = self.local_path(path)
        if not root.exists():
            return []
        found = list(walk(root, exclude=glob.excludes if glob else None, boundary=self._root))
        return [file for file in found if file.path or not glob]

    def _vacant(self, path: str, overwrite: bool) -> Path:
        """Where `path` is to be made; AlreadyExists if something is there that may not be replaced."""
        if not validate_relative(path):
            raise UnsafePath(
                f"The root of the datastore {self.config.name!r} cannot be replaced.", hint="Name a path in it."
            )
        target = self.local_path(path)
        if not overwrite and os.path.lexists(target):
            raise self._taken(path)
        return target

    def _taken(self, path: str) -> AlreadyExists:
        return AlreadyExists(
            f"The datastore {self.config.name!r} already has {path!r}.",
            hint="Choose another path, or ask for overwriting.",
            target=path,
        )

    def _publish_copy(self, staged: Path, target: Path, path: str, overwrite: bool) -> None:
        """Publish from another file system: copy beside the target first, so that the last move is one step."""
        near = target.with_name(temporary_name())
        try:
            if staged.is_dir():
                shutil.copytree(staged, near, symlinks=True)
            else:
                shutil.copyfile(staged, near)
            sync_tree(near)
            self._place(near, target, path, overwrite)
        finally:
            remove_tree(near)
        remove_tree(staged)

    def _place(self, source: Path, target: Path, path: str, overwrite: bool) -> None:
        """Give complete bytes their name, durably."""
        try:
            if overwrite:
                take_place(source, target)
                return
            if source.is_dir():
                source.rename(target)
            else:
                os.link(source, target)  # unlike a rename, fails if the name was taken meanwhile
                source.unlink()
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise self._taken(path) from None
        sync_dir(target.parent)


def _refuse_private(path: str) -> None:
    if any(map(is_private, path.split("/"))):
        raise UnsafePath(
            f"The path {path!r} has a name that Airloom keeps for itself.", hint="Choose another name.", target=path
        )


def _make_links_relative(root: Path) -> None:
    """Rewrite absolute links below `root` (all known to stay inside) so that they hold after it is moved."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            link = Path(folder, name)
            if link.is_symlink() and os.path.isabs(os.readlink(link)):
                aim = os.path.relpath(os.path.realpath(link), os.path.realpath(folder))
                link.unlink()
                link.symlink_to(aim)


def _info(path: str, file: FoundFile) -> FileInfo:
    return FileInfo(path=path, size=file.stat.size, modified=_time(file.stat.mtime_ns / 1e9))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
