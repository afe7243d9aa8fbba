"""A datastore that lies elsewhere as far as anybody can tell: a folder that is never given away, with a log of fetches.

It serves any number of processes. Tests may write to its folder behind its back, as other programs do to a container.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from airloom.errors import AlreadyExists, IntegrityError, NotFound
from airloom.graph.canonical import digest_bytes, digest_value
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.datastores import DatastoreHandle, Download, EachFile, FileInfo, FileInfos
from airloom.storage.durable import is_private, remove_tree, temporary_name
from airloom.storage.globs import Glob, is_glob
from airloom.storage.object_store import ObjectStore
from airloom.storage.paths import validate_relative
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import TreeEntry, TreeManifest, scan_tree
from airloom.storage.watched import Survey
from airloom.storage.workspace import WorkspaceStore

_PIECE = 1 << 16


class RemoteFolder:
    """The files below `root` as a remote datastore. `during` is called with the path at each piece of a fetch.

    Files that came by `write` or `publish` have a digest in listings, as long as they are what was written.
    """

    def __init__(self, root: Path, name: str = "far") -> None:
        self.config = AzureBlobConfig(name=name, account="far", container=root.name)
        self.root = root
        self.during: Callable[[str], None] = lambda path: None
        self.threads = 4
        self._known = root.with_name(f"{root.name}.digests")
        self._log = root.with_name(f"{root.name}.log")
        root.mkdir(parents=True, exist_ok=True)
        self._known.mkdir(exist_ok=True)

    @property
    def fetched(self) -> list[str]:
        """The paths of all files that were fetched, by any process, in order."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def put(self, path: str, content: str | bytes) -> None:
        """Write a file behind the datastore's back: its digest is not known."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    # --- what a datastore offers ------------------------------------------------------------------------------

    def list(self, path: str = "") -> FileInfos:
        return [self._info(name) for name in self._names(validate_relative(path))]

    def scan(self, path: str = "") -> TreeManifest:
        normal = validate_relative(path)
        infos = self.list(path)
        if not infos and not self.exists(path):
            raise NotFound(f"The datastore {self.config.name!r} has nothing at {path!r}.", target=path)
        whole = (self.root / normal).exists()
        base = normal if whole else Glob(normal).base
        entries = [
            TreeEntry(
                path=info.path[len(base) :].lstrip("/"),
                size=info.size,
                digest=info.digest or digest_value(["etag", info.etag, info.size]),
            )
            for info in infos
        ]
        return TreeManifest(entries=tuple(entries))

    def digest(self, path: str = "") -> str:
        return self.scan(path).digest

    def survey(self, path: str = "") -> Survey:
        return Survey({info.path: str(info.etag) for info in self.list(path)})

    def exists(self, path: str) -> bool:
        return (self.root / validate_relative(path)).exists()

    def local_path(self, path: str = "") -> Path | None:
        validate_relative(path)
        return None

    def open_read(self, path: str) -> BinaryIO:
        try:
            return (self.root / validate_relative(path)).open("rb")
        except (FileNotFoundError, IsADirectoryError):
            raise NotFound(f"The datastore {self.config.name!r} has no file {path!r}.", target=path) from None

    def fetch(self, files: Sequence[Download], each: EachFile) -> None:
        stopped = threading.Event()

        def work(file: Download) -> None:
            if not stopped.is_set():
                try:
                    self._fetch(file)
                    each(file.info)
                except BaseException:
                    stopped.set()
                    raise

        with ThreadPoolExecutor(self.threads) as pool:
            for done in [pool.submit(work, file) for file in files]:
                done.result()

    def write(self, path: str, stream: BinaryIO, *, overwrite: bool = True) -> FileInfo:
        with tempfile.TemporaryDirectory() as folder:
            staged = Path(folder, "file")
            with staged.open("wb") as file:
                shutil.copyfileobj(stream, file)
            self.publish(staged, path, overwrite=overwrite)
        return self._info(validate_relative(path))

    def publish(
        self, staged: Path, path: str, *, overwrite: bool = False, manifest: TreeManifest | None = None
    ) -> None:
        target = self.root / validate_relative(path)
        if target.exists() and not overwrite:
            raise AlreadyExists(f"The datastore {self.config.name!r} already has {path!r}.", target=path)
        near = self.root / temporary_name()
        (shutil.copytree if staged.is_dir() else shutil.copyfile)(staged, near)
        remove_tree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        near.rename(target)
        for entry in (manifest or scan_tree(target, null_cache())).entries:
            name = "/".join(filter(None, (validate_relative(path), entry.path)))
            self._note_of(name).write_text(f"{self._etag(name)} {entry.digest}")
        remove_tree(staged)

    def delete(self, path: str) -> None:
        remove_tree(self.root / validate_relative(path))

    # --- inside -----------------------------------------------------------------------------------------------

    def _names(self, path: str) -> list[str]:
        names = sorted(file.relative_to(self.root).as_posix() for file in self.root.rglob("*") if file.is_file())
        names = [name for name in names if not any(map(is_private, name.split("/")))]
        found = [name for name in names if path in ("", name) or name.startswith(f"{path}/")]
        if found or not is_glob(path):
            return found
        glob = Glob(path)
        return [
            name
            for name in names
            if (not glob.base or name.startswith(f"{glob.base}/")) and glob.matches(name[len(glob.base) :].lstrip("/"))
        ]

    def _info(self, path: str) -> FileInfo:
        status = (self.root / path).stat()
        etag, digest = self._etag(path), None
        note = self._note_of(path)
        if note.exists() and note.read_text().split()[0] == etag:
            digest = note.read_text().split()[1]
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return FileInfo(path=path, size=status.st_size, modified=modified, digest=digest, etag=etag)

    def _etag(self, path: str) -> str:
        status = (self.root / path).stat()
        return f"{status.st_ino:x}.{status.st_mtime_ns:x}.{status.st_ctime_ns:x}"

    def _note_of(self, path: str) -> Path:
        return self._known / digest_bytes(path.encode())

    def _fetch(self, file: Download) -> None:
        with self._log.open("a") as log:
            log.write(f"{file.info.path}\n")
        near = file.target.with_name(temporary_name())
        try:
            with (self.root / file.info.path).open("rb") as source, near.open("xb") as target:
                while piece := source.read(_PIECE):
                    self.during(file.info.path)
                    target.write(piece)
            if self._etag(file.info.path) != file.info.etag:
                raise IntegrityError(f"{file.info.path!r} was changed while it was read.", target=file.info.path)
            if file.info.digest not in (None, digest_bytes(near.read_bytes())):
                raise IntegrityError(f"{file.info.path!r} is not what was written.", target=file.info.path)
            near.rename(file.target)
        finally:
            near.unlink(missing_ok=True)


class FarWorkspace(WorkspaceStore):
    """A workspace some of whose datastores are remote folders."""

    def __init__(self, store: ObjectStore, workspace: str, cache: StatCache | None = None) -> None:
        super().__init__(store, workspace, cache)
        self.far: dict[str, RemoteFolder] = {}

    def add(self, root: Path, name: str = "far") -> RemoteFolder:
        """One more remote datastore."""
        self.far[name] = RemoteFolder(root, name)
        self.put_datastore(self.far[name].config)
        return self.far[name]

    def datastore(self, name: str) -> DatastoreHandle:
        return self.far[name] if name in self.far else super().datastore(name)


def text_of(datastore: DatastoreHandle, path: str) -> str:
    """The text of a file."""
    with datastore.open_read(path) as stream:
        return io.TextIOWrapper(stream).read()
