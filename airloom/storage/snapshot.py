"""Snapshots: the source folder of a step, frozen at submission and laid out again where the step runs."""

from __future__ import annotations

import difflib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.errors import AlreadyExists, IntegrityError, InvalidName, LimitExceeded, NotFound
from airloom.storage.durable import remove_tree, temporary_name
from airloom.storage.file_digests import digest_file
from airloom.storage.paths import validate_relative
from airloom.storage.stat_cache import StatCache, null_cache, shared_cache
from airloom.storage.tree import TreeEntry, TreeManifest, digest_files, digest_tree, entries_digest
from airloom.storage.walk import Exclude, FoundFile, walk
from airloom.storage.workspace import WorkspaceStore

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

ALWAYS_EXCLUDED = frozenset({".git", "__pycache__", ".ipynb_checkpoints"})
_MEGABYTE = 1024 * 1024
_MAX_MB = "AIRLOOM_SNAPSHOT_MAX_MB"
_MAX_FILES = "AIRLOOM_SNAPSHOT_MAX_FILES"
_TRANSFERS = 8  # files on their way at once; each mostly waits for the disk to sync


@dataclass(frozen=True)
class SnapshotLimits:
    """How much a source folder may hold; more is usually data that was forgotten there."""

    max_bytes: int = 300 * _MEGABYTE
    max_files: int = 2000

    @classmethod
    def from_environment(cls) -> SnapshotLimits:
        """The limits, as AIRLOOM_SNAPSHOT_MAX_MB and AIRLOOM_SNAPSHOT_MAX_FILES may change them."""
        return cls(
            max_bytes=_positive(_MAX_MB, cls.max_bytes // _MEGABYTE) * _MEGABYTE,
            max_files=_positive(_MAX_FILES, cls.max_files),
        )

    def check(self, folder: Path, files: list[FoundFile]) -> None:
        """LimitExceeded if these files are too many or too large; it says how to mend that."""
        size = sum(file.stat.size for file in files)
        if len(files) > self.max_files:
            raise self._exceeded(folder, f"{len(files)} files", f"{self.max_files} files", _MAX_FILES)
        if size > self.max_bytes:
            largest = max(files, key=lambda file: file.stat.size)
            found = f"{size / _MEGABYTE:.1f} MB (the largest file is {largest.path!r})"
            raise self._exceeded(folder, found, f"{self.max_bytes / _MEGABYTE:.0f} MB", _MAX_MB)

    def _exceeded(self, folder: Path, found: str, limit: str, variable: str) -> LimitExceeded:
        return LimitExceeded(
            f"The source folder {folder} holds {found}, more than the limit of {limit} for a snapshot.",
            hint=f"List what the step does not need in {folder / '.amlignore'}, or set {variable} to a higher limit.",
            target=str(folder),
        )


def _positive(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise InvalidName(
            f"The environment variable {variable} is {text!r}.",
            hint="Set it to a whole number above 0.",
            target=variable,
        )
    return int(text)


# --- collecting -------------------------------------------------------------------------------------------------


def collect(
    source_directory: Path, *, limits: SnapshotLimits | None = None, cache: StatCache | None = None
) -> TreeManifest:
    """The manifest of a source folder, without what its `.amlignore` (if there is none: `.gitignore`) excludes.

    Both use gitignore syntax and count at the top of the folder only. `.git`, `__pycache__` and `.ipynb_checkpoints`
    are always left out, and limits are checked before anything is read. Links out of the folder are refused.
    """
    folder = Path(source_directory)
    if not folder.is_dir():
        raise NotFound(
            f"The source directory {folder} {'is not a folder' if folder.exists() else 'does not exist'}.",
            hint="Give source_directory as a folder that holds the step's script.",
            target=str(folder),
        )
    files = list(walk(folder, exclude=_ignored(folder)))
    (limits or SnapshotLimits.from_environment()).check(folder, files)
    return digest_files(files, cache or shared_cache())


def _always_excluded(path: str) -> bool:
    return path.rstrip("/").rpartition("/")[2] in ALWAYS_EXCLUDED


def _ignored(folder: Path) -> Exclude:
    for name in (".amlignore", ".gitignore"):
        file = folder / name
        if file.is_file():
            spec = _read_patterns(file)
            return lambda path: _always_excluded(path) or spec.match_file(path)
    return _always_excluded


def _read_patterns(file: Path) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # most folders have no such file

    try:
        return GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8-sig").splitlines())
    except ValueError as error:  # not UTF-8, or not a pattern
        raise InvalidName(
            f"The ignore file {file} cannot be read: {error}.",
            hint="Correct it; its syntax is that of .gitignore.",
            target=str(file),
        ) from None


# --- storing ----------------------------------------------------------------------------------------------------


def store_snapshot(store: WorkspaceStore, manifest: TreeManifest, source_directory: Path) -> str:
    """Store the files that the store lacks, then the manifest; returns its digest.

    IntegrityError if a file is no longer what the manifest says, NotFound if it is gone.
    """
    missing = set(store.missing_blobs(entry.digest for entry in manifest.entries))
    wanted = {entry.digest: entry for entry in manifest.entries if entry.digest in missing}

    def upload(entry: TreeEntry) -> None:
        try:
            store.put_blob(entry.digest, Path(source_directory, entry.path))
        except FileNotFoundError:
            raise NotFound(
                f"The file {entry.path!r} of {source_directory} vanished while the snapshot was stored.",
                hint="Submit again.",
                target=entry.path,
            ) from None

    with ThreadPoolExecutor(_TRANSFERS) as pool:
        list(pool.map(upload, wanted.values()))
    return store.put_snapshot(manifest)


# --- laying out -------------------------------------------------------------------------------------------------


def materialize(store: WorkspaceStore, digest: str, target: Path) -> TreeManifest:
    """Lay a snapshot out as the folder `target`, which appears complete and verified or not at all.

    The files are copies, as the script may alter them. If `target` already holds exactly this snapshot nothing is
    done; if it holds anything else, AlreadyExists. IntegrityError names the file whose stored content is not right.
    """
    manifest = store.snapshot(digest)
    if _occupied(target):
        return _verify_existing(manifest, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(temporary_name())
    try:
        _lay_out(store, manifest, temporary)
        temporary.rename(target)
    except OSError:
        if not _occupied(target):
            raise
        return _verify_existing(manifest, target)  # another process was faster
    finally:
        remove_tree(temporary)
    return manifest


def _occupied(target: Path) -> bool:
    return os.path.lexists(target) and not (target.is_dir() and next(target.iterdir(), None) is None)


def _verify_existing(manifest: TreeManifest, target: Path) -> TreeManifest:
    if digest_tree(target, null_cache(), exclude=_always_excluded) != manifest.digest:
        raise AlreadyExists(
            f"The folder {target} already exists and is not the snapshot {manifest.digest}.",
            hint="Remove it or choose another folder.",
            target=str(target),
        )
    return manifest


def _lay_out(store: WorkspaceStore, manifest: TreeManifest, folder: Path) -> None:
    folder.mkdir()
    for parent in sorted({entry.path.rpartition("/")[0] for entry in manifest.entries}):
        Path(folder, parent).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_TRANSFERS) as pool:
        list(pool.map(lambda entry: _fetch(store, entry, folder / entry.path), manifest.entries))


def _fetch(store: WorkspaceStore, entry: TreeEntry, target: Path) -> None:
    key = store.blob_key(entry.digest)
    try:
        local = store.store.local_path(key)
        if local is not None:
            shutil.copyfile(local, target)
        else:
            with store.store.open_read(key) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    except (FileNotFoundError, IsADirectoryError, NotFound):
        raise _damaged(entry, key, "is missing") from None
    if target.stat().st_size != entry.size or digest_file(target) != entry.digest:
        raise _damaged(entry, key, "was altered")


def _damaged(entry: TreeEntry, key: str, state: str) -> IntegrityError:
    return IntegrityError(
        f"The stored content of {entry.path!r} {state} ({key}).",
        hint="Delete it from the store if it is there, and submit the pipeline again.",
        target=entry.path,
    )


# --- parts of a snapshot ----------------------------------------------------------------------------------------


def digest_of_paths(manifest: TreeManifest, paths: list[str] | tuple[str, ...]) -> str:
    """The digest of only these files and folders of a tree; NotFound names a path at which there is nothing."""
    chosen = {entry for path in paths for entry in _entries_at(manifest, path)}
    return entries_digest(tuple(entry for entry in manifest.entries if entry in chosen))


def _entries_at(manifest: TreeManifest, path: str) -> list[TreeEntry]:
    wanted = validate_relative(path)
    found = [
        entry for entry in manifest.entries if not wanted or entry.path == wanted or entry.path.startswith(wanted + "/")
    ]
    if not found:
        close = difflib.get_close_matches(wanted, [entry.path for entry in manifest.entries])
        question = f"Did you mean {close[0]!r}? " if close else ""
        raise NotFound(
            f"The snapshot has no file or folder {path!r}.",
            hint=f"{question}Paths are relative to the source directory, and ignored files are not in it.",
            target=path,
        )
    return found
