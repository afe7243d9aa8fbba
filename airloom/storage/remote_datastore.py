"""Datastores on no disk of this machine: folders that appear as a whole, over a service that keeps single files."""

from __future__ import annotations

import builtins
import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from airloom.errors import AlreadyExists, NotFound, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage.datastore_config import DatastoreConfig
from airloom.storage.datastores import Download, EachFile, FileInfo, FileInfos
from airloom.storage.durable import copy_stream, is_private, remove_tree
from airloom.storage.file_digests import digest_file
from airloom.storage.globs import Glob, is_glob
from airloom.storage.paths import validate_relative
from airloom.storage.remote_cache import DigestMemory
from airloom.storage.remote_fetch import RemoteStream, fetch_all
from airloom.storage.remote_files import PIECE, RemoteFile, RemoteFiles, pieces_of, side_by_side
from airloom.storage.remote_publication import EMPTY, UNFINISHED, Publication, staged_files
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import TreeEntry, TreeManifest
from airloom.storage.watched import Survey

Files = builtins.list[RemoteFile]


class RemoteDatastore:
    """The files of a service as a datastore.

    A folder that is being published, or was when its writer died, holds a file of ours that says so; until that is
    gone, nobody who comes through here sees the folder.
    """

    def __init__(self, config: DatastoreConfig, files: RemoteFiles, cache: StatCache) -> None:
        self.config = config
        self._files = files
        self._cache = cache
        self._memory = DigestMemory(files, cache)

    def list(self, path: str = "") -> FileInfos:
        """The files at a path, which is a file, a folder (all below it) or a glob; sorted, empty if there are none."""
        _, found = self._find(path)
        return [_info(file) for file in self._memory.complete(found)]

    def scan(self, path: str = "") -> TreeManifest:
        """What a file, folder or glob contains; for a glob relative to `Glob.base`. NotFound if there is nothing."""
        base, found = self._find(path)
        if not found and not self.exists(path):
            raise NotFound(
                f"The datastore {self.config.name!r} has nothing at {path!r} (looked in {self._files.place}).",
                hint="Check the path; was the data uploaded?",
                target=path,
            )
        skipped = len(base) + 1 if base else 0
        return TreeManifest(
            entries=tuple(
                TreeEntry(path=file.path[skipped:], size=file.size, digest=file.identity)
                for file in self._memory.complete(found)
            )
        )

    def digest(self, path: str = "") -> str:
        """The digest of `scan`: of names and contents, so one file has the same digest under any name."""
        return self.scan(path).digest

    def survey(self, path: str = "") -> Survey:
        """The state of each file at a path (a file, or a folder and all below it), by which changes are told."""
        found = self._at(self._normal(path))
        return Survey({file.path: f"{file.size:x}.{file.modified.timestamp():.6f}.{file.etag}" for file in found or ()})

    def exists(self, path: str) -> bool:
        """True if there is a file or folder of this name; the root always exists."""
        normal = self._normal(path)
        return normal == "" or self._at(normal) is not None

    def local_path(self, path: str = "") -> Path | None:
        """None: nothing of it lies on this machine."""
        self._normal(path)
        return None

    def open_read(self, path: str) -> BinaryIO:
        """A file as a stream, to be closed by the caller; NotFound if there is none."""
        normal = self._normal(path)
        file = self._files.stat(normal) if normal else None
        if file is None or self._is_hidden(normal):
            raise NotFound(
                f"The datastore {self.config.name!r} has no file {path!r}.", hint="Check the path.", target=path
            )
        return io.BufferedReader(RemoteStream(self._files, file), PIECE // 8)

    def fetch(self, files: Sequence[Download], each: EachFile) -> None:
        """Copy files to this machine, several at a time; each is whole at its place or not there at all."""
        fetch_all(self._files, files, each)

    def write(self, path: str, stream: BinaryIO, *, overwrite: bool = True) -> FileInfo:
        """Make a file from a stream; it is visible once it is complete. AlreadyExists unless `overwrite`.

        A folder is never replaced by a file: that is AlreadyExists too.
        """
        normal = self._writable(path)
        self._files.check([normal])
        self._refuse_taken(normal, overwrite=overwrite, folders=True)
        with tempfile.TemporaryDirectory(prefix="airloom-") as folder:
            spooled = Path(folder, "file")
            with spooled.open("wb") as target:
                copy_stream(stream, target)
            size, digest = spooled.stat().st_size, digest_file(spooled)
            self._put(normal, pieces_of(spooled, size), size, digest, overwrite=overwrite)
        made = self._files.stat(normal)
        if made is None:
            raise NotFound(f"The datastore {self.config.name!r} has lost {path!r} again.", target=path)
        return _info(made)

    def publish(
        self, staged: Path, path: str, *, overwrite: bool = False, manifest: TreeManifest | None = None
    ) -> None:
        """Copy a complete file or folder of this machine to a path, then remove it here. AlreadyExists unless
        `overwrite`.

        UnsafePath, and nothing is copied, if it holds a link that leaves it. What a folder replaces is not there
        from the first of the new files to the last.
        """
        normal = self._writable(path)
        files = staged_files(staged, path, manifest, self._cache)
        self._files.check(["/".join(filter(None, (normal, file.path))) for file in files])
        self._refuse_taken(normal, overwrite=overwrite, folders=not overwrite)
        is_file = len(files) == 1 and files[0].path == ""
        if is_file:
            self._delete_folder(normal)
            self._put(normal, files[0].pieces(), files[0].size, files[0].digest, overwrite=overwrite)
        else:
            self._files.remove([normal])  # a file whose place the folder takes
            Publication(self._files, self.config.name, normal, overwrite=overwrite).run(files)
        remove_tree(staged)

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all in it, in one step for readers; no error if there is none."""
        normal = self._normal(path)
        if not normal:
            raise UnsafePath(
                f"The root of the datastore {self.config.name!r} cannot be deleted.", hint="Name a path in it."
            )
        self._delete_folder(normal)
        self._files.remove([normal])

    def unfinished(self, path: str = "") -> FileInfos:
        """The folders below a path that are hidden, each with the size and time of all that has come so far."""
        found = list(self._files.find(self._normal(path)))
        folders = [file.path.rpartition("/")[0] for file in found if file.path.endswith(f"/{UNFINISHED}")]
        infos = []
        for folder in folders:
            files = [file for file in found if file.path.startswith(f"{folder}/")]
            modified = max(file.modified for file in files)
            infos.append(FileInfo(path=folder, size=sum(file.size for file in files), modified=modified))
        return infos

    def _delete_folder(self, normal: str) -> None:
        """Hide a folder, then remove all in it."""
        marker = f"{normal}/{UNFINISHED}"
        below = [file.path for file in self._files.find(normal) if file.path != marker]
        if below:
            self._files.put(marker, [], 0, digest_bytes(b""))
            self._files.remove(below)
        self._files.remove([marker])

    # --- finding --------------------------------------------------------------------------------------------------

    def _find(self, path: str) -> tuple[str, Files]:
        """The base that found paths are relative to, and the files. A name with wildcards may also be literal."""
        normal = self._normal(path)
        literal = self._at(normal)
        if literal is not None or not is_glob(normal):
            return normal, sorted(literal or ())
        glob = Glob(normal)
        skipped = len(glob.base) + 1 if glob.base else 0
        matching = [
            file for file in self._at(glob.base) or () if file.path != glob.base and glob.matches(file.path[skipped:])
        ]
        return glob.base, sorted(matching)

    def _at(self, normal: str) -> Files | None:
        """The files at a path that readers may see; None if there is neither a file nor a folder."""
        found = list(self._files.find(normal))
        if not found:
            file = self._files.stat(normal) if normal else None
            return None if file is None or self._is_hidden(normal) else [file]
        unfinished = tuple(file.path.removesuffix(UNFINISHED) for file in found if file.path.endswith(f"/{UNFINISHED}"))
        seen = [file for file in found if not file.path.startswith(unfinished)] if unfinished else found
        if not seen or self._is_hidden(normal):
            return None
        shown = [file for file in seen if not any(map(is_private, file.path.split("/")))]
        if not shown and not any(file.path.endswith(f"/{EMPTY}") for file in seen):
            return None
        return self._checked(shown)

    def _checked(self, files: Files) -> Files:
        """Refuse what no folder could hold: a file whose name is that of a folder, or a path that climbs."""
        paths = {file.path for file in files}
        for path in paths:
            parent = path.rpartition("/")[0]
            if validate_relative(path) != path or parent in paths:
                raise UnsafePath(
                    f"The datastore {self.config.name!r} has a file {path!r}, which no folder could hold.",
                    hint="Rename it: its parts may not be empty or '..', nor be the names of other files.",
                    target=path,
                )
        return files

    def _is_hidden(self, normal: str) -> bool:
        """True if a folder above the path is unfinished."""
        return any(side_by_side(self._files.stat, [f"{folder}/{UNFINISHED}" for folder in _above(normal)]))

    def _is_folder(self, normal: str) -> bool:
        return next(iter(self._files.find(normal)), None) is not None

    # --- writing --------------------------------------------------------------------------------------------------

    def _writable(self, path: str) -> str:
        normal = self._normal(path)
        if not normal:
            raise UnsafePath(
                f"The root of the datastore {self.config.name!r} cannot be replaced.", hint="Name a path in it."
            )
        for folder in side_by_side(self._files.stat, _above(normal)):
            if folder is not None:
                raise AlreadyExists(
                    f"The folder {folder.path!r} cannot be made: a file has its name.",
                    hint="Choose another path.",
                    target=path,
                )
        return normal

    def _refuse_taken(self, normal: str, *, overwrite: bool, folders: bool) -> None:
        """AlreadyExists for a file, unless it may be overwritten, and with `folders` for a folder."""
        if not overwrite and self._files.stat(normal) is not None:
            raise self._taken(normal)
        if folders and self._is_folder(normal) and self._files.stat(f"{normal}/{UNFINISHED}") is None:
            raise self._taken(normal)

    def _put(self, normal: str, pieces: Iterable[bytes], size: int, digest: str, *, overwrite: bool) -> None:
        """Make a file. A large one that may not replace another can be told so only before its bytes travel."""
        if overwrite or size > PIECE:
            self._files.put(normal, pieces, size, digest)
        elif self._files.put_new(normal, b"".join(pieces), digest) is None:
            raise self._taken(normal)

    def _taken(self, path: str) -> AlreadyExists:
        return AlreadyExists(
            f"The datastore {self.config.name!r} already has {path!r}.",
            hint="Choose another path, or ask for overwriting.",
            target=path,
        )

    def _normal(self, path: str) -> str:
        """The path in normal form, if it may be named at all."""
        normal = validate_relative(path)
        if any(map(is_private, normal.split("/"))):
            raise UnsafePath(
                f"The path {path!r} has a name that Airloom keeps for itself.", hint="Choose another name.", target=path
            )
        return normal


def _above(normal: str) -> builtins.list[str]:
    """The folders above a path, without the root."""
    parts = normal.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _info(file: RemoteFile) -> FileInfo:
    return FileInfo(path=file.path, size=file.size, modified=file.modified, digest=file.digest, etag=file.etag)
