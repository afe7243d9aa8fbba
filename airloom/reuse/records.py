"""Reuse records: what was computed for a key, and where it lies.

A record is written last, put-if-absent, after all its outputs are published: whoever sees a record may trust that
the outputs were whole. It is believed only if it is intact itself and every output still has the recorded digest;
otherwise it is dropped and the step runs again. Corruption is never an error for the user, and never reused.

Every record carries the version of its form. One of an older form is read or dropped; one of a newer form is left
alone, as the version that wrote it may still work with it, beside this one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from airloom.errors import AirloomError, IntegrityError, NotFound, StoreUnavailable
from airloom.graph.canonical import digest_value
from airloom.graph.model import Model
from airloom.graph.results import Origin, OutputRef
from airloom.storage.envelope import seal, unseal
from airloom.storage.freshness import freshen
from airloom.storage.object_store import ObjectStore

log = logging.getLogger(__name__)

RECORD_FORMAT = 1
"""Raised, here and in the models, whenever what a record holds changes. Older versions leave newer records alone."""

HISTORY_LENGTH = 20
"""How many attempts of a step are remembered for explanations."""

DigestOf = Callable[[str, str], str]
"""(datastore, path) -> digest of what lies there now. Raises NotFound."""


class Record(Model):
    """One successful attempt of a step: its key with named parts, and its outputs."""

    format: Literal[1] = 1
    key: str
    parts: dict[str, Any]
    outputs: dict[str, OutputRef]
    origin: Origin
    step_name: str
    created_at: str


class PipelineRecord(Model):
    """A whole pipeline of which nothing had to run: the record key and the outputs of each step.

    It holds copies of records, so it counts only as long as none was replaced: until `RecordStore.refreshed` changes.
    """

    format: Literal[1] = 1
    key: str
    steps: dict[str, Record]
    refreshed: str = ""


class LostRecord(Exception):
    """A record that exists but cannot be used. `cause` says why, in words for the user.

    `keep` is set if it may well be good, but not for this version or not now: then it is not dropped.
    """

    def __init__(self, cause: str, *, output_lost: bool = False, keep: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.output_lost = output_lost
        self.keep = keep


class RecordStore:
    """The reuse records of one workspace, below `prefix` in an object store."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix.rstrip("/")

    def find(self, key: str, digest_of: DigestOf) -> Record | None:
        """The record of a key, proven: intact, and all outputs are what they were. None if there is none.

        It is marked as used before its outputs are looked at, so that the collector leaves them alone from then on.
        Raises LostRecord if there is one that cannot be used; it has been dropped then, unless it may be good.
        """
        path = self._record_path(key)
        data = self._data(path)
        if data is None:
            return None
        try:
            record = _record(data, key)
            if not freshen(self._store, path):
                return None
            verify_outputs(record.outputs, digest_of)
            return record
        except LostRecord as lost:
            self._drop(path, data, lost)
            raise

    def add(self, record: Record, *, replace: bool = False) -> bool:
        """Publish a record. False if another attempt's record is there already and `replace` is not set.

        A record that a newer version wrote is never replaced.
        """
        data = seal(record)
        path = self._record_path(record.key)
        if replace and not self._is_newer(path):
            self._store.put(path, data)
            self._store.put(self._refreshed_path(), digest_value(record).encode())
            return True
        return self._store.put_if_absent(path, data)

    def refreshed(self) -> str:
        """A text that is another after each replaced record; to be read before the records that rely on it."""
        try:
            return self._store.get(self._refreshed_path()).decode(errors="replace")
        except NotFound:
            return ""

    def remember(self, record: Record) -> None:
        """Keep a record for explanations, even after the record itself was dropped or replaced."""
        self._store.put(self._history_path(record), seal(record))
        for old in sorted(self._store.list(self._history_folder(record.step_name) + "/"))[:-HISTORY_LENGTH]:
            self._store.delete(old)

    def history(self, step_name: str, key: str) -> Iterator[Record]:
        """The remembered attempts of all steps with this name: those of the key, then the others, newest first.

        Each is read when it is asked for. Unreadable ones are left out.
        """
        paths = sorted(self._store.list(self._history_folder(step_name) + "/"), reverse=True)
        for path in sorted(paths, key=lambda path: not path.endswith(f"-{key[:16]}.json")):
            try:
                record = self.read(path)
            except LostRecord as lost:
                log.info("The remembered attempt %s is left out: %s", path, lost.cause)
                continue
            if record is not None and self._history_path(record) == path:
                yield record

    def find_pipeline(self, key: str, digest_of: DigestOf) -> PipelineRecord | None:
        """The record of a whole pipeline, proven like single records; None if there is none to be believed."""
        path = self._pipeline_path(key)
        try:
            data = self._data(path)
        except LostRecord:
            return None
        if data is None:
            return None
        try:
            record = _pipeline_record(data, key)
            if not freshen(self._store, path):
                return None
            if record.refreshed != self.refreshed():
                raise LostRecord("Records were replaced since.")
            for step in record.steps.values():
                verify_outputs(step.outputs, digest_of)
            return record
        except LostRecord as lost:
            log.info("The record %s of a whole pipeline is not used: %s", path, lost.cause)
            self._drop(path, data, lost)
            return None

    def add_pipeline(self, record: PipelineRecord) -> None:
        """Publish the record of a whole pipeline; one that is there already is left alone."""
        self._store.put_if_absent(self._pipeline_path(record.key), seal(record))

    def records(self) -> Iterator[str]:
        """The names in the store of all records."""
        return self._store.list(f"{self._prefix}/records/")

    def pipelines(self) -> Iterator[str]:
        """The names in the store of all records of whole pipelines."""
        return self._store.list(f"{self._prefix}/pipelines/")

    def histories(self) -> Iterator[str]:
        """The names in the store of all attempts that are remembered for explanations."""
        return self._store.list(f"{self._prefix}/history/")

    def read(self, path: str) -> Record | None:
        """The record of this name in the store, not proven; None if there is none. Raises LostRecord."""
        data = self._data(path)
        return _record(data) if data is not None else None

    def read_pipeline(self, path: str) -> PipelineRecord | None:
        """The record of a whole pipeline of this name in the store, not proven. Raises LostRecord."""
        data = self._data(path)
        return _pipeline_record(data) if data is not None else None

    def _data(self, path: str) -> bytes | None:
        """The bytes of a record, or None if there is none."""
        try:
            return self._store.get(path)
        except NotFound:
            return None
        except OSError as error:
            raise LostRecord(f"The reuse record cannot be read: {error}.", keep=True) from error

    def _drop(self, path: str, data: bytes, lost: LostRecord) -> None:
        """Delete a record that cannot be used; but not one that has taken its place since it was read."""
        if lost.keep:
            return
        try:
            self._store.delete_exactly(path, data)
        except (AirloomError, OSError) as error:
            log.warning("The record %s cannot be dropped: %s", path, error)

    def _is_newer(self, path: str) -> bool:
        try:
            data = self._data(path)
            if data is not None:
                _body(data)
        except LostRecord as lost:
            return lost.keep
        return False

    def _record_path(self, key: str) -> str:
        return f"{self._prefix}/records/{key[:2]}/{key}.json"

    def _pipeline_path(self, key: str) -> str:
        return f"{self._prefix}/pipelines/{key[:2]}/{key}.json"

    def _refreshed_path(self) -> str:
        return f"{self._prefix}/refreshed"

    def _history_folder(self, step_name: str) -> str:
        return f"{self._prefix}/history/{digest_value(step_name)[:32]}"

    def _history_path(self, record: Record) -> str:
        return f"{self._history_folder(record.step_name)}/{record.created_at}-{record.key[:16]}.json"


def _record(data: bytes, key: str | None = None) -> Record:
    """The record in sealed bytes. Raises LostRecord, also if it is not that of `key`."""
    try:
        record = Record.model_validate(_body(data))
    except ValidationError as error:
        raise LostRecord("The reuse record is of a format this version does not know.") from error
    if key is not None and record.key != key:
        raise LostRecord("The reuse record belongs to another key.")
    return record


def _pipeline_record(data: bytes, key: str | None = None) -> PipelineRecord:
    """The record of a whole pipeline in sealed bytes. Raises LostRecord, also if it is not that of `key`."""
    try:
        record = PipelineRecord.model_validate(_body(data))
    except ValidationError as error:
        raise LostRecord("It is of a format this version does not know.") from error
    if key is not None and record.key != key:
        raise LostRecord("It belongs to another key.")
    return record


def _body(data: bytes) -> dict[str, Any]:
    """What a sealed record of this or an older format holds."""
    try:
        body = unseal(data, "The reuse record")
    except IntegrityError as error:
        raise LostRecord(error.message) from error
    version = body.get("format")
    if isinstance(version, int) and version > RECORD_FORMAT:
        raise LostRecord("The reuse record was written by a newer version of Airloom.", keep=True)
    return body


def verify_outputs(outputs: Mapping[str, OutputRef], digest_of: DigestOf) -> None:
    """Check that every output still is what was recorded. Raises LostRecord naming the output that is not."""
    for port, output in outputs.items():
        where = f"output {port!r} at {output.path} on datastore {output.datastore!r}"
        try:
            found = digest_of(output.datastore, output.path)
        except NotFound as error:
            raise LostRecord(f"Its {where} no longer exists.", output_lost=True) from error
        except StoreUnavailable:
            raise  # this says nothing about the output
        except (AirloomError, OSError) as error:
            raise LostRecord(f"Its {where} cannot be read: {error}", output_lost=True) from error
        if found != output.digest:
            raise LostRecord(f"Its {where} was altered since.", output_lost=True)
