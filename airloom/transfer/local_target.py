"""Files that arrive on this machine's disk: in a hidden folder of their file system, with a journal of the pieces."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from blake3 import blake3

from airloom.errors import IntegrityError
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.durable import make_dirs, remove_tree
from airloom.storage.paths import confined
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import TreeManifest, scan_tree
from airloom.transfer.plan import Plan, PlannedFile

_JOURNAL = "pieces.jsonl"
_DATA = "data"

Known = dict[tuple[str, int], str]
"""The digest of each piece that has arrived, by the path of its file and its number."""


class LocalTarget:
    """Gathers the pieces of a plan in `folder`, and gives them to `destination` when all are there.

    `folder` is named after the plan, begins with `stem`, and is best on the file system of the destination.
    """

    def __init__(
        self, destination: DatastoreHandle, path: str, plan: Plan, parent: Path, stem: str, cache: StatCache
    ) -> None:
        self._destination, self._path, self._plan = destination, path, plan
        self._parent, self._stem, self._cache = parent, stem, cache
        self.folder = parent / f"{stem}-{plan.id[:16]}"
        self._known: Known = {}
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Find what an earlier attempt has left, and check it: a loss of power may have taken what was noted."""
        make_dirs(self._parent)
        for other in self._parent.glob(f"{self._stem}-*"):
            if other != self.folder:
                remove_tree(other)
        self.folder.mkdir(exist_ok=True)
        noted = _read_journal(self.folder / _JOURNAL)
        for file in self._plan.files:
            place = self._place(file)
            place.parent.mkdir(parents=True, exist_ok=True)
            kept = {index: noted[file.path, index] for index in range(file.pieces) if (file.path, index) in noted}
            if place.is_file():
                self._known |= {
                    (file.path, index): digest
                    for index, digest in kept.items()
                    if _digest_at(place, *file.bounds(index)) == digest
                }
            else:
                place.touch()

    def lacking(self, file: PlannedFile) -> Sequence[int]:
        """The pieces of a file that are not there yet."""
        return [index for index in range(file.pieces) if (file.path, index) not in self._known]

    def put(self, file: PlannedFile, index: int, data: bytes) -> None:
        """Write a piece to its place in the file, and note it after that."""
        descriptor = os.open(self._place(file), os.O_WRONLY)
        try:
            _pwrite(descriptor, data, file.bounds(index)[0])
        finally:
            os.close(descriptor)
        digest = blake3(data).hexdigest()
        line = json.dumps([file.path, index, digest]) + "\n"
        with self._lock:
            self._known[file.path, index] = digest
            with (self.folder / _JOURNAL).open("a", encoding="utf-8") as journal:
                journal.write(line)

    def publish(self) -> TreeManifest:
        """Compare what has arrived with what was to be moved, and give it its final name."""
        place = self.folder / _DATA
        place.mkdir(exist_ok=True) if not self._plan.is_file else None
        manifest = scan_tree(place, self._cache)
        arrived = {entry.path: entry for entry in manifest.entries}
        for file in self._plan.files:
            entry = arrived.get(file.path)
            if entry is None or entry.size != file.info.size or file.content not in (None, entry.digest):
                raise _differs(file)
        self._destination.publish(place, self._path, overwrite=True, manifest=manifest)
        remove_tree(self.folder)
        return manifest

    def discard(self) -> None:
        """Remove all pieces."""
        remove_tree(self.folder)

    def _place(self, file: PlannedFile) -> Path:
        data = self.folder / _DATA
        return data if self._plan.is_file else confined(data, file.path)


def _read_journal(path: Path) -> Known:
    """What was noted; the last line may have been cut."""
    noted: Known = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return noted
    for line in lines:
        try:
            name, index, digest = json.loads(line)
        except ValueError:
            continue
        noted[str(name), int(index)] = str(digest)
    return noted


def _digest_at(path: Path, start: int, end: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return blake3(file.read(end - start)).hexdigest()


def _pwrite(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _differs(file: PlannedFile) -> IntegrityError:
    return IntegrityError(
        f"The copy of {file.info.path!r} from the datastore {file.source.config.name!r} is not what was to be copied.",
        hint="Run the step again; if it stays so, the file was changed or damaged where it lies.",
        target=file.info.path,
    )
