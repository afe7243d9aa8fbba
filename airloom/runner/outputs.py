"""Outputs: the script writes to a hidden place, and what is whole at the end appears at its own.

That place is on the same datastore if this is on the machine's disk, so that publishing is a rename. For a remote
datastore it is in the work folder; what was uploaded then stays in the content cache of this machine, where the next
step that reads it finds it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from airloom.errors import AlreadyExists, NotFound, StepFailed, UnsafePath
from airloom.graph.canonical import digest_value
from airloom.graph.results import OutputRef
from airloom.runner.spec import StagedOutput, StepSpec
from airloom.storage.content_cache import ContentCache
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.durable import PRIVATE_PREFIX, make_dirs, remove_tree
from airloom.storage.paths import check_name, confined
from airloom.storage.tree import TreeManifest, scan_tree
from airloom.storage.workspace import WorkspaceStore

STAGING_PREFIX = f"{PRIVATE_PREFIX}staging-"


@dataclass(frozen=True)
class OpenOutput:
    """An output in the making: `path` is where the script writes, `staged` where it waits to be published."""

    spec: StagedOutput
    datastore: DatastoreHandle
    staged: Path
    path: Path


class OutputStager:
    """The outputs of one attempt. Nothing of them is visible before `publish`, and `discard` leaves nothing behind."""

    def __init__(
        self,
        store: WorkspaceStore,
        cache: ContentCache,
        spec: StepSpec,
        folder: Path,
        working_folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._cache = cache
        self._spec = spec
        self._remote_folder = folder
        self._working_folder = working_folder
        self._say = say
        self._folders: list[Path] = []

    def prepare(self, output: StagedOutput) -> OpenOutput:
        """Make the place for one output: the folder itself if it is a directory, else only its parent."""
        datastore = self._store.datastore(output.datastore)
        self._check_place(datastore, output)
        folder = self._folder(datastore)
        staged = folder / check_name("output", output.name)
        path = staged if output.path_on_compute is None else self._chosen(output)
        make_dirs(folder.parent)  # durable, as published outputs will lie there too
        place = path if output.is_directory else path.parent
        place.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._say(f"output {output.name}: written at {path}")
        return OpenOutput(output, datastore, staged, path)

    def publish(self, outputs: list[OpenOutput]) -> dict[str, OutputRef]:
        """Check all outputs, then move each to its final path. Raises StepFailed naming an output that is missing."""
        for output in outputs:
            _collect(output, self._spec.step_name)
        manifests = [scan_tree(output.staged, self._store.cache) for output in outputs]
        references = {}
        for output, manifest in zip(outputs, manifests, strict=True):
            self._publish(output, manifest)
            references[output.spec.name] = _reference(output.spec, manifest)
            self._say(
                f"output {output.spec.name}: {len(manifest.entries)} files, {manifest.total_size} bytes, "
                f"published at {output.spec.datastore}:{output.spec.path}"
            )
        return references

    def _publish(self, output: OpenOutput, manifest: TreeManifest) -> None:
        overwrite = output.spec.mode == "mount" or output.spec.overwrite
        if not overwrite and self._is_there(output, manifest):
            return
        path = output.spec.path
        if output.datastore.local_path() is not None:
            output.datastore.publish(output.staged, path, overwrite=overwrite, manifest=manifest)
            return
        with self._cache.offered(output.staged, manifest):
            output.datastore.publish(output.staged, path, overwrite=overwrite, manifest=manifest)

    def _is_there(self, output: OpenOutput, manifest: TreeManifest) -> bool:
        """True if the very same was published before, as by an attempt that was killed then."""
        try:
            return output.datastore.digest(output.spec.path) == manifest.digest
        except NotFound:
            return False

    def _check_place(self, datastore: DatastoreHandle, output: StagedOutput) -> None:
        """Refuse an unsafe path, and find out if the datastore can be reached, now rather than after hours of work."""
        if datastore.local_path(output.path) is not None and output.mode == "mount":
            return
        if datastore.exists(output.path) and output.mode == "upload" and not output.overwrite:
            self._say(
                f"output {output.name}: there is something at {output.datastore}:{output.path}; the step fails when it "
                "has written anything else, as the output is not to overwrite it"
            )

    def discard(self) -> None:
        """Remove what was not published."""
        for folder in self._folders:
            remove_tree(folder)

    def _folder(self, datastore: DatastoreHandle) -> Path:
        """The hidden folder of this attempt on a datastore. What killed attempts of the same step left is removed."""
        parent = datastore.local_path("azureml")
        if parent is None:
            return self._remote_folder / check_name("datastore", datastore.config.name)
        step = staging_stem(self._spec.run_id, self._spec.step_id)
        folder = parent / f"{step}-{digest_value(self._spec.attempt)[:16]}"
        if folder not in self._folders:
            _remove_all(parent, step)
            self._folders.append(folder)
        return folder

    def _chosen(self, output: StagedOutput) -> Path:
        """The place that the author chose. A folder that is there already becomes part of an output folder."""
        path = confined(self._working_folder, str(output.path_on_compute))
        is_root = path == self._working_folder
        if not os.path.lexists(path) or (output.is_directory and path.is_dir() and not is_root):
            return path
        if is_root or not output.overwrite:
            raise AlreadyExists(
                f"Output {output.name!r} cannot be written at {output.path_on_compute!r}: something is there already.",
                hint="Choose another path_on_compute, or set overwrite.",
                target=output.name,
            )
        remove_tree(path)
        return path


def staging_stem(run_id: str, step_id: str) -> str:
    """How the names of the hidden folders of all attempts of a step of a run begin, up to their last '-'."""
    return f"{STAGING_PREFIX}{digest_value([run_id, step_id])[:16]}"


def remove_remains(store: WorkspaceStore, datastores: Iterable[str], run_id: str, step_id: str) -> None:
    """Remove what killed attempts of a step have left unpublished on these datastores."""
    for name in set(datastores):
        parent = store.datastore(name).local_path("azureml")
        if parent is not None:  # what is written for a remote datastore lies in the work folder of the attempt
            _remove_all(parent, staging_stem(run_id, step_id))


def _remove_all(parent: Path, step: str) -> None:
    for remains in parent.glob(f"{step}-*"):
        remove_tree(remains)


def _collect(output: OpenOutput, step: str) -> None:
    """Bring an output to its staging place. Raises StepFailed if the script did not write it."""
    name, path = output.spec.name, output.path
    if not os.path.lexists(path):
        kind = "folder" if output.spec.is_directory else "file or folder"
        raise StepFailed(
            f"Step {step!r} ended without writing its output {name!r}: there is no {kind} at {path}.",
            hint="Write it to the path that the script is given for this output, or remove the output from the step.",
            target=name,
        )
    if path.is_symlink():
        raise UnsafePath(
            f"The output {name!r} is a symbolic link ({path}).", hint="Write a real file or folder there.", target=name
        )
    if path != output.staged:
        shutil.move(path, output.staged)


def _reference(output: StagedOutput, manifest: TreeManifest) -> OutputRef:
    return OutputRef(
        datastore=output.datastore,
        path=output.path,
        digest=manifest.digest,
        size=manifest.total_size,
        is_file=manifest.is_file,
    )
