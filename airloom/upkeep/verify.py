"""The check of all that a workspace has stored: every byte is read again and compared with the digest it should have.

Runs may be working meanwhile. So what looks wrong is looked at again, and counts only if it did not change in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from airloom.errors import IntegrityError, InvalidName, NotFound, StoreUnavailable, UnsafePath
from airloom.graph.results import OutputRef
from airloom.reuse.records import RecordStore
from airloom.storage.datastore_config import DatastoreConfig
from airloom.storage.definitions import SHARDS, DefinitionStore, index_key
from airloom.storage.freshness import ObjectInfo
from airloom.storage.schedules import ScheduleStore, schedule_key
from airloom.storage.stat_cache import null_cache
from airloom.storage.workspace import WorkspaceStore
from airloom.upkeep.checks import Checks, wrong_content
from airloom.upkeep.places import ask
from airloom.upkeep.progress import Finding, Progress, Tally, VerifyReport, Work
from airloom.upkeep.quarantine import Quarantine
from airloom.upkeep.words import WORDS

Check = Callable[[str], str | None]
"""Says what is wrong with the object of a key; None if nothing is, or if there is none."""

_TRIES = 3
SETTLE_SECONDS = 1.0
"""A submission stores its pipeline first and lists it a moment later. Longer than that is wrong."""


def verify(
    workspace: WorkspaceStore,
    *,
    quarantine: bool = False,
    datastores: Mapping[str, DatastoreConfig] | None = None,
    settle_seconds: float = SETTLE_SECONDS,
) -> Work[VerifyReport]:
    """Check everything. `datastores` are the configurations that should be there, as the database has them.

    Nothing is changed without `quarantine`; with it, what is damaged is put aside and what can be mended is.
    """
    return (yield from _Verifier(workspace, quarantine, datastores or {}, settle_seconds).work())


@dataclass
class _Seen:
    """What was found so far."""

    checked: dict[str, Tally] = field(default_factory=dict)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    reachable: dict[str, bool] = field(default_factory=dict)


class _Verifier:
    def __init__(
        self,
        workspace: WorkspaceStore,
        quarantine: bool,
        datastores: Mapping[str, DatastoreConfig],
        settle_seconds: float,
    ) -> None:
        # No remembered digests: a file whose bytes rotted has the times that it had.
        self._workspace = workspace.with_cache(null_cache())
        self._store = workspace.store
        self._records = RecordStore(self._store, workspace.key("reuse"))
        self._definitions = DefinitionStore(self._store)
        self._quarantine = Quarantine(workspace) if quarantine else None
        self._datastores = datastores
        self._settle_seconds = settle_seconds
        self._checks = Checks(self._workspace)
        self._seen = _Seen()

    def work(self) -> Work[VerifyReport]:
        """All checks, one after the other."""
        yield from self._check_datastores()
        yield from self._check_definitions()
        yield from self._check_index()
        schedules = [schedule_key(short) for short in ScheduleStore(self._store).stored()]
        yield from self._check_all("schedule", schedules, self._checks.schedule)
        # Files first: a source folder of which one was put aside is put aside too, or it would not be uploaded again.
        folder = self._workspace.key("blobs", "")
        yield from self._check_all("source file", self._store.list(folder), self._checks.blob)
        folder = self._workspace.key("snapshots", "")
        yield from self._check_all("source folder", self._store.list(folder), self._checks.snapshot)
        yield from self._check_all("remembered attempt", self._records.histories(), self._checks.history)
        yield from self._check_all("record", self._records.records(), self._checks.record)
        yield from self._check_all("record of a pipeline", self._records.pipelines(), self._checks.pipeline)
        yield from self._check_outputs()
        return VerifyReport(
            workspace=self._workspace.workspace,
            quarantine=self._quarantine.folder if self._quarantine is not None else None,
            checked=self._seen.checked,
            findings=tuple(self._seen.findings.values()),
        )

    def _check_all(self, kind: str, keys: Iterable[str], check: Check) -> Work[None]:
        for key in keys:
            info, wrong = self._confirmed(key, check)
            if info is not None:
                self._count(kind, info.size)
                if wrong is not None:
                    self._found(kind, key, wrong, self._put_aside(key, info))
            yield Progress(phase=f"checking: {kind}", done=self._seen.checked.get(kind, Tally()).count)

    def _confirmed(self, key: str, check: Check) -> tuple[ObjectInfo | None, str | None]:
        """What is wrong with an object that stays the same while it is looked at; no info if there is none."""
        info = self._store.info(key)
        for _ in range(_TRIES):
            if info is None:
                return None, None
            wrong, before, info = check(key), info, self._store.info(key)
            if wrong is None or before == info:
                return before, wrong
        return info, None

    # --- records and outputs ----------------------------------------------------------------------------------

    def _check_outputs(self) -> Work[None]:
        """Read the outputs of all records that are sound themselves."""
        for keys, outputs_of in (
            (self._records.records(), self._checks.outputs_of_record),
            (self._records.pipelines(), self._checks.outputs_of_pipeline),
        ):
            for key in list(keys):
                yield from self._check_outputs_of(key, outputs_of)

    def _check_outputs_of(self, key: str, outputs_of: Callable[[str], list[OutputRef]]) -> Work[None]:
        for output in outputs_of(key):
            yield Progress(phase="checking: output", done=self._seen.checked.get("output", Tally()).count)
            if not self._is_reachable(output.datastore) or self._output(output) is None:
                continue
            info, wrong = self._confirmed(key, partial(self._output_anew, output, outputs_of))
            if info is not None and wrong is not None:
                self._found("output", f"{output.datastore}:{output.path}", wrong, self._put_aside(key, info))

    def _output_anew(self, output: OutputRef, outputs_of: Callable[[str], list[OutputRef]], key: str) -> str | None:
        """What is wrong with an output when it is read again; None if its record does not name it any more."""
        self._seen.outputs.pop((output.datastore, output.path), None)
        return self._output(output) if output in outputs_of(key) else None

    def _is_reachable(self, name: str) -> bool:
        """False for a datastore that is damaged, not mounted or not registered: its outputs are not lost by that."""
        if name not in self._seen.reachable:
            self._seen.reachable[name] = self._reach(name)
        return self._seen.reachable[name]

    def _reach(self, name: str) -> bool:
        try:
            handle = self._workspace.datastore(name)
            root = handle.local_path()
            if root is None:
                ask(handle)
                return True
        except (NotFound, IntegrityError, InvalidName):
            return False
        except StoreUnavailable as error:
            self._unreachable(name, f"It has outputs, but does not answer. {error.message}")
            return False
        if not root.is_dir():
            self._unreachable(name, f"It has outputs, but its root {root} is not there. Is it mounted?")
        return root.is_dir()

    def _unreachable(self, name: str, what: str) -> None:
        key = self._workspace.datastore_key(name)
        if ("datastore", key) not in self._seen.findings:
            self._found("datastore", key, what, "")

    def _output(self, output: OutputRef) -> str | None:
        place = (output.datastore, output.path)
        if place not in self._seen.outputs:
            self._seen.outputs[place] = self._read_output(output)
            self._count("output", output.size)
        found = self._seen.outputs[place]
        if found == output.digest:
            return None
        if found in self._checks.recorded.get(place, ()):
            return None  # a later run wrote its own output to the same place, as its author wished
        return found if " " in found else f"It has the digest {found}, recorded is {output.digest}."

    def _read_output(self, output: OutputRef) -> str:
        """The digest of an output as it is now, or why it has none, in words."""
        try:
            handle = self._workspace.datastore(output.datastore)
            digest = handle.digest(output.path)
            return digest if handle.local_path() is not None else wrong_content(handle, output.path) or digest
        except NotFound:
            return "It no longer exists."
        except (IntegrityError, StoreUnavailable, UnsafePath, OSError) as error:
            return f"It cannot be read: {error}"

    # --- pipelines --------------------------------------------------------------------------------------------

    def _check_definitions(self) -> Work[None]:
        for digest in list(self._definitions.stored()):
            key = f"definitions/{digest}.json"
            info, wrong = self._confirmed(key, self._checks.definition)
            if info is not None:
                self._count("pipeline", info.size)
                if wrong is not None:
                    self._found("pipeline", key, wrong, self._remove_definition(digest, key, info))
            yield Progress(phase="checking: pipeline", done=self._seen.checked.get("pipeline", Tally()).count)

    def _remove_definition(self, digest: str, key: str, info: ObjectInfo) -> str:
        """The index first, so that Airflow never looks for what is not there."""
        if self._quarantine is not None:
            self._definitions.unlist(digest)
        return self._put_aside(key, info)

    def _check_index(self) -> Work[None]:
        for number in range(SHARDS):
            yield Progress(phase="checking: index", done=number, total=SHARDS)
            wrong = self._checks.index(number)
            if wrong:
                time.sleep(self._settle_seconds)
                wrong = self._checks.index(number)
            if wrong:
                self._found("index", index_key(number), wrong, self._mend_index(number))
            self._count("index", 0)

    def _mend_index(self, number: int) -> str:
        if self._quarantine is None:
            return ""
        self._quarantine.copy(index_key(number))
        self._definitions.mend_shard(number)
        return "mended"

    # --- datastores -------------------------------------------------------------------------------------------

    def _check_datastores(self) -> Work[None]:
        folder = self._workspace.key("datastores", "")
        stored = {key.removeprefix(folder).removesuffix(".json") for key in self._store.list(folder)}
        for name in sorted(stored | self._datastores.keys()):
            key = f"{folder}{name}.json"
            yield Progress(phase="checking: datastore")
            info, wrong = self._confirmed(key, self._datastore)
            self._count("datastore", info.size if info is not None else 0)
            if info is None and name in self._datastores:
                wrong = "It is registered, but its configuration is not in the store."
            if wrong is not None:
                self._found("datastore", key, wrong, self._mend_datastore(name, key, info))

    def _datastore(self, key: str) -> str | None:
        name = key.rpartition("/")[2].removesuffix(".json")
        try:
            config = self._workspace.datastore(name).config
        except NotFound:
            return None
        except (IntegrityError, InvalidName) as error:
            return error.message
        expected = self._datastores.get(name)
        if config.name != name:
            return f"It is the configuration of {config.name!r}."
        if expected is not None and config != expected:
            return f"It lies at {config.place!r}, but {expected.place!r} is registered."
        return None

    def _mend_datastore(self, name: str, key: str, info: ObjectInfo | None) -> str:
        done = self._put_aside(key, info) if info is not None else ""
        if self._quarantine is not None and name in self._datastores:
            self._workspace.put_datastore(self._datastores[name])
            done = "; ".join(filter(None, (done, "written anew")))
        return done

    # --- findings ---------------------------------------------------------------------------------------------

    def _put_aside(self, key: str, info: ObjectInfo) -> str:
        """Move an object into quarantine, if that is asked for; says so in words."""
        if self._quarantine is None or not self._quarantine.move(key, info):
            return ""
        return f"moved to {self._quarantine.folder}/{key}"

    def _found(self, kind: str, where: str, what: str, done: str) -> None:
        """Note a finding. Of one that several objects show, what was done about each is kept."""
        earlier = self._seen.findings.get((kind, where))
        if earlier is not None:
            done = "; ".join(filter(None, (earlier.done, done)))
        words = WORDS[kind]
        self._seen.findings[(kind, where)] = Finding(
            kind=kind, where=where, what=what, means=words.means, mend=words.mend, done=done
        )

    def _count(self, kind: str, size: int) -> None:
        self._seen.checked[kind] = self._seen.checked.get(kind, Tally()).plus(size)
