"""The source folders of a pipeline's steps, frozen once each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airloom.errors import AirloomError
from airloom.exceptions import SnapshotException, UserErrorException
from airloom.storage.paths import confined, validate_relative
from airloom.storage.snapshot import collect, digest_of_paths
from airloom.storage.tree import TreeManifest

UNREAD = "0" * 64
"""Stands for the digest of a folder that has not been read."""


class Snapshots:
    """Reads each source folder at most once, and remembers what it found for the upload."""

    def __init__(self) -> None:
        self.manifests: dict[Path, TreeManifest] = {}

    def digest(self, folder: Path, script_name: str, hash_paths: tuple[str, ...]) -> str:
        """The digest of a folder. Raises unless the script, and something at each of `hash_paths`, is part of it."""
        folder = folder.resolve()
        manifest = self.manifests.get(folder)
        try:
            if manifest is None:
                manifest = self.manifests[folder] = collect(folder)
            digest_of_paths(manifest, hash_paths)
        except (AirloomError, OSError) as error:
            raise SnapshotException(str(error), inner_exception=error) from error
        if all(entry.path != script_name for entry in manifest.entries):
            raise SnapshotException(
                f"The script '{script_name}' is in {folder}, but its .amlignore or .gitignore leaves it out. "
                "Change that file, or move the script."
            )
        return manifest.digest


class UnreadSnapshots(Snapshots):
    """Reads nothing: for checking a pipeline whose files may still change before it is submitted."""

    def digest(self, folder: Path, script_name: str, hash_paths: tuple[str, ...]) -> str:
        """A digest that stands for any content."""
        return UNREAD


def find_source_directory(given: str | None, default: Path | None, script_name: str, step: str) -> Path:
    """The source folder of a step: its own, the pipeline's, or the working directory.

    Raises UserErrorException unless it is a folder and holds the script, as a file that does not lead out of it.
    """
    folder = Path(given) if given is not None else default or Path.cwd()
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UserErrorException(f"The source_directory '{folder}' of {step} {problem}.")
    script = inside(folder, script_name, f"The script of {step}")
    if not script.is_file():
        raise UserErrorException(
            f"The script '{script_name}' of {step} is not a file in its source_directory '{folder.resolve()}'. "
            f"{_near(folder, script_name)}"
        )
    return folder


def inside(folder: Path, path: str, what: str) -> Path:
    """A path in a folder. Raises UserErrorException if it is absolute or leads out, by '..' or a symbolic link."""
    try:
        return confined(folder, path)
    except AirloomError as error:
        raise UserErrorException(f"{what} must lie in '{folder}': {error}") from error


def normal_path(folder: Path, path: str, what: str) -> str:
    """A path, relative to the folder or absolute but inside it, in normal form relative to the folder."""
    if Path(path).is_absolute() and Path(path).is_relative_to(folder.resolve()):
        path = str(Path(path).relative_to(folder.resolve()))
    inside(folder, path, what)
    return validate_relative(path)


def counting_paths(folder: Path, script: str, hash_paths: Sequence[str], what: str) -> tuple[str, ...]:
    """The paths that count for reuse, empty for all. The script is one of them: running another is no reuse."""
    if not hash_paths:
        return ()
    paths = {script}
    for path in hash_paths:
        normal = normal_path(folder, path, f"The hash_paths of {what}")
        if not (folder / normal).exists():
            raise UserErrorException(f"'{path}', one of hash_paths of {what}, is not in '{folder.resolve()}'.")
        if not normal:
            return ()
        paths.add(normal)
    return tuple(sorted(paths))


def _near(folder: Path, script_name: str) -> str:
    name = Path(script_name).name
    elsewhere = sorted(str(found.relative_to(folder)) for found in folder.glob(f"*/{name}"))
    if elsewhere:
        return f"There is '{elsewhere[0]}'; pass that as script_name."
    scripts = sorted(found.name for found in folder.glob("*.py"))[:5]
    return f"It holds {', '.join(scripts)}." if scripts else "It holds no Python files."
