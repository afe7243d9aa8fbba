"""What is wrong with one object: its content is read and held against the digests that it should have.

Each check answers in words, with None if nothing is wrong or if the object is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, TypeVar

from blake3 import blake3

from airloom.errors import IntegrityError, InvalidName, NotFound
from airloom.graph.canonical import digest_value
from airloom.graph.results import OutputRef
from airloom.reuse.records import LostRecord, PipelineRecord, Record, RecordStore
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.definitions import DefinitionStore, shard_of
from airloom.storage.paths import check_digest
from airloom.storage.schedules import ScheduleStore
from airloom.storage.stat_cache import digest_file
from airloom.storage.workspace import WorkspaceStore

Found = TypeVar("Found")

_BUFFER = 1 << 20


class Checks:
    """The checks of all that one workspace stores. `recorded` gathers the digests that sound records name, by place."""

    def __init__(self, workspace: WorkspaceStore) -> None:
        self._workspace = workspace
        self._store = workspace.store
        self._definitions = DefinitionStore(workspace.store)
        self._schedules = ScheduleStore(workspace.store)
        self._records = RecordStore(workspace.store, workspace.key("reuse"))
        self.recorded: dict[tuple[str, str], set[str]] = {}

    def record(self, key: str) -> str | None:
        """The record of a step: its seal, its name, and that its key is the digest of its parts."""
        record = self._record_at(key)
        if not isinstance(record, Record):
            return record
        wrong = _wrong_name(key, record.key) or _wrong_key(record)
        if wrong is None:
            self._expect(record)
        return wrong

    def history(self, key: str) -> str | None:
        """What is remembered of an attempt: the same as for a record."""
        record = self._record_at(key)
        if not isinstance(record, Record):
            return record
        folder = f"{self._workspace.key('reuse', 'history')}/{digest_value(record.step_name)[:32]}"
        if key != f"{folder}/{record.created_at}-{record.key[:16]}.json":
            return "It lies under the name of another attempt."
        return _wrong_key(record)

    def pipeline(self, key: str) -> str | None:
        """The record of a whole pipeline, and all records in it."""
        record = self._pipeline_at(key)
        if not isinstance(record, PipelineRecord):
            return record
        wrong = _wrong_name(key, record.key)
        for step in record.steps.values():
            wrong = wrong or _wrong_key(step)
        if wrong is None:
            for step in record.steps.values():
                self._expect(step)
        return wrong

    def _record_at(self, key: str) -> Record | str | None:
        """The record; why it cannot be believed, in words; None if it is gone, or for a newer version to judge."""
        return self._at(lambda: self._records.read(key))

    def _pipeline_at(self, key: str) -> PipelineRecord | str | None:
        """The record of a pipeline, in the same way."""
        return self._at(lambda: self._records.read_pipeline(key))

    def _at(self, read: Callable[[], Found | None]) -> Found | str | None:
        try:
            return read()
        except LostRecord as lost:
            return None if lost.keep else lost.cause

    def _expect(self, record: Record) -> None:
        for output in record.outputs.values():
            self.recorded.setdefault((output.datastore, output.path), set()).add(output.digest)

    def outputs_of_record(self, key: str) -> list[OutputRef]:
        """The outputs that a sound record names; none of another."""
        record = self._record_at(key)
        return list(record.outputs.values()) if isinstance(record, Record) else []

    def outputs_of_pipeline(self, key: str) -> list[OutputRef]:
        """The outputs that a sound record of a pipeline names; none of another."""
        record = self._pipeline_at(key)
        if not isinstance(record, PipelineRecord):
            return []
        return [output for step in record.steps.values() for output in step.outputs.values()]

    def snapshot(self, key: str) -> str | None:
        """The manifest of a source folder, and that its files are there."""
        try:
            digest = check_digest(key.rpartition("/")[2].removesuffix(".json"))
            manifest = self._workspace.snapshot(digest)
        except NotFound:
            return None
        except (IntegrityError, InvalidName) as error:
            return error.message
        for entry in manifest.entries:
            if not self._store.exists(self._workspace.blob_key(entry.digest)) and self._store.exists(key):
                return f"The content of its file {entry.path!r} ({entry.digest}) is not in the store."
        return None

    def blob(self, key: str) -> str | None:
        """A file of source folders."""
        digest = key.rpartition("/")[2]
        try:
            check_digest(digest)
            found = self._digest(key)
        except (FileNotFoundError, NotFound):
            return None
        except (InvalidName, OSError) as error:
            return str(error)
        return None if found == digest else f"Its content has the digest {found}."

    def _digest(self, key: str) -> str:
        path = self._store.local_path(key)
        if path is not None:
            return digest_file(path)
        with self._store.open_read(key) as stream:
            return _digest_of(stream)

    def definition(self, key: str) -> str | None:
        """A stored pipeline."""
        try:
            self._definitions.get(key.rpartition("/")[2].removesuffix(".json"))
        except NotFound:
            return None
        except IntegrityError as error:
            return error.message
        return None

    def schedule(self, key: str) -> str | None:
        """The document of a schedule."""
        try:
            self._schedules.get(key.rpartition("/")[2].removesuffix(".json"))
        except NotFound:
            return None
        except IntegrityError as error:
            return error.message
        return None

    def index(self, number: int) -> str | None:
        """The index of one shard."""
        stored, listed = self.stored_in(number), self._definitions.listed(number)
        if listed is None:
            return "It is gone or cannot be read." if stored else None
        missing, foreign = sorted(stored - {*listed}), sorted({*listed} - stored)
        if missing:
            return f"It does not list {', '.join(missing)}, which is stored."
        if foreign:
            return f"It lists {', '.join(foreign)}, which is not stored."
        return None

    def stored_in(self, number: int) -> set[str]:
        """The short digests of the pipelines that a shard should list."""
        return {digest for digest in self._definitions.stored() if shard_of(digest) == number}


def wrong_content(datastore: DatastoreHandle, path: str) -> str | None:
    """Read what a remote datastore has at a path: what differs from the digests in its listing, in words."""
    for info in datastore.list(path):
        if info.digest is not None:
            with datastore.open_read(info.path) as stream:
                found = _digest_of(stream)
            if found != info.digest:
                return f"Its file {info.path!r} has the digest {found}, written was {info.digest}."
    return None


def _digest_of(stream: BinaryIO) -> str:
    hasher = blake3()
    while chunk := stream.read(_BUFFER):
        hasher.update(chunk)
    return hasher.hexdigest()


def _wrong_name(path: str, key: str) -> str | None:
    name = path.rpartition("/")[2]
    if name == f"{key}.json" and path.split("/")[-2] == key[:2]:
        return None
    return f"It lies under the name of another key than its own, {key}."


def _wrong_key(record: Record) -> str | None:
    found = digest_value(record.parts)
    return None if found == record.key else f"Its key is {record.key}, but its parts have the digest {found}."
