"""Files between this machine and a datastore."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

from airloom.core._console import say
from airloom.core._progress import Progress, transfer_progress
from airloom.errors import AirloomError
from airloom.exceptions import AlreadyExistsException, UserErrorException
from airloom.storage.paths import confined

if TYPE_CHECKING:
    from airloom.data.abstract_datastore import AbstractDatastore

Job = TypeVar("Job")

THREADS = 4
"""Transfers at the same time: enough to hide the latency of small files, few enough for a small server."""


class LocalFile(NamedTuple):
    """A file to be uploaded, and the relative path it is to have."""

    source: Path
    relative: str


def files_of(folder: str) -> list[LocalFile]:
    """All files below a folder, sorted. Raises UserErrorException if it is not one."""
    root = Path(folder)
    if not root.is_dir():
        raise UserErrorException(f"{folder!r} is not a folder. For single files there is upload_files([...]).")
    found = (Path(place) / name for place, _, names in os.walk(root) for name in names)
    return [LocalFile(file, file.relative_to(root).as_posix()) for file in sorted(found)]


def chosen_files(files: Sequence[str], relative_root: str | None) -> list[LocalFile]:
    """The named files with their paths relative to a folder, by default the deepest that they share."""
    if isinstance(files, str):
        raise UserErrorException("files must be a list of paths, such as ['data/train.csv'].")
    paths = [Path(os.path.abspath(file)) for file in files]
    for given, path in zip(files, paths, strict=True):
        if not path.is_file():
            raise UserErrorException(f"There is no file {given!r} to upload (the working folder is {os.getcwd()!r}).")
    if not paths:
        raise UserErrorException("There is nothing to upload: the list of files is empty.")
    root = Path(os.path.abspath(relative_root or os.path.commonpath([path.parent for path in paths])))
    for path in paths:
        if not path.is_relative_to(root):
            raise UserErrorException(f"{path} does not lie below the relative_root {root}.")
    return [LocalFile(path, path.relative_to(root).as_posix()) for path in paths]


def upload(
    datastore: AbstractDatastore, files: Sequence[LocalFile], target: str, *, overwrite: bool, show_progress: bool
) -> int:
    """Copy local files below `target`; returns how many were copied, not counting those that were there."""
    client, workspace, name = datastore._client, datastore.workspace.name, datastore.name
    placed = [(file.source, "/".join(part for part in (target, file.relative) if part)) for file in files]
    present = set() if overwrite else {entry["path"] for entry in client.list_files(workspace, name, target)}
    wanted = [(source, path) for source, path in placed if path not in present]
    skipped = len(placed) - len(wanted)

    def send(job: tuple[Path, str], progress: Progress) -> bool:
        source, path = job
        with source.open("rb") as stream:
            try:
                client.upload_file(workspace, name, path, _Counted(stream, progress), overwrite)
            except AlreadyExistsException:
                return False  # somebody else uploaded it since the listing
        progress.done(path)
        return True

    total = sum(source.stat().st_size for source, _ in wanted)
    with transfer_progress("Uploaded", len(wanted), total, show_progress) as progress:
        sent = _all(wanted, lambda job: send(job, progress))
    skipped += len(wanted) - sent
    if skipped and show_progress:
        say(f"Kept {skipped} file(s) that were on datastore {name!r} already; overwrite=True replaces them.")
    return sent


def download(
    datastore: AbstractDatastore, prefix: str, target_path: str, *, overwrite: bool, show_progress: bool
) -> int:
    """Copy the file, folder or glob `prefix` into a local folder with whole paths; returns the number of files."""
    listed = datastore._client.list_files(datastore.workspace.name, datastore.name, prefix)
    places = [(entry, entry["path"]) for entry in listed]
    return len(fetch(datastore, places, target_path, overwrite=overwrite, show_progress=show_progress))


def fetch(
    datastore: AbstractDatastore,
    places: Iterable[tuple[dict[str, Any], str]],
    target_path: str,
    *,
    overwrite: bool,
    show_progress: bool,
) -> list[Path]:
    """Copy files, each given by its listing and its path below `target_path`; returns those that were copied."""
    root = Path(target_path)
    jobs = [(entry, _local_place(root, relative)) for entry, relative in places]
    wanted = [(entry, path) for entry, path in jobs if overwrite or not path.exists()]

    def receive(job: tuple[dict[str, Any], Path], progress: Progress) -> bool:
        entry, path = job
        _receive(datastore, entry["path"], path, progress)
        progress.done(entry["path"])
        return True

    total = sum(int(entry["size"]) for entry, _ in wanted)
    with transfer_progress("Downloaded", len(wanted), total, show_progress) as progress:
        _all(wanted, lambda job: receive(job, progress))
    if len(wanted) < len(jobs) and show_progress:
        say(f"Kept {len(jobs) - len(wanted)} local file(s) of the same name; overwrite=True replaces them.")
    return [path for _, path in wanted]


def _local_place(root: Path, relative: str) -> Path:
    # The names come from the server: none of them may leave the folder that the user chose.
    try:
        return confined(root, relative)
    except AirloomError as error:
        raise UserErrorException(str(error)) from error


def _receive(datastore: AbstractDatastore, path: str, target: Path, progress: Progress) -> None:
    """Write a file beside its place and move it there when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:
            for block in datastore._client.download_file(datastore.workspace.name, datastore.name, path):
                stream.write(block)
                progress.advance(len(block))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _all(jobs: Sequence[Job], work: Callable[[Job], bool]) -> int:
    """Do all jobs, several at a time; returns how many returned True. The first failure ends the rest."""
    if len(jobs) < 2:
        return sum(work(job) for job in jobs)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        try:
            return sum(future.result() for future in futures)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


class _Counted:
    """A file that reports what is read from it, and takes it back when it is read again."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress

    def read(self, size: int = -1) -> bytes:
        """Read, and report."""
        block = self._stream.read(size)
        self._progress.advance(len(block))
        return block

    def seekable(self) -> bool:
        """Local files can be read again, when a request has to be repeated."""
        return self._stream.seekable()

    def tell(self) -> int:
        """How far it was read."""
        return self._stream.tell()

    def seek(self, position: int) -> int:
        """Go back, and report that."""
        self._progress.advance(position - self._stream.tell())
        return self._stream.seek(position)
