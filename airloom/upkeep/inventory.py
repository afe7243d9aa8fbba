"""What a workspace holds: all that the collector may free, with its size, its last use and what it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter

from airloom.errors import AirloomError, NotFound
from airloom.graph.model import DataSource, Definition, source_locations
from airloom.graph.results import Origin, OutputRef
from airloom.reuse.records import LostRecord, Record, RecordStore
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.definitions import DefinitionStore, dag_id
from airloom.storage.freshness import ObjectInfo
from airloom.storage.paths import check_name
from airloom.storage.workspace import WorkspaceStore
from airloom.upkeep.places import OUTPUTS, Attempt, Places, is_remote, output_folder
from airloom.upkeep.progress import Progress, Work


@dataclass(frozen=True)
class StoredRecord:
    """A record of a step as the collector sees it. One that cannot be read refers to nothing and answers nothing."""

    info: ObjectInfo
    key: str = ""
    origin: Origin | None = None
    outputs: tuple[OutputRef, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class StoredPipeline:
    """A record of a whole pipeline, with the records of its steps."""

    info: ObjectInfo
    steps: tuple[StoredRecord, ...] = ()


@dataclass(frozen=True)
class StoredDefinition:
    """A definition of this workspace, or of one that is no more."""

    info: ObjectInfo
    dag_id: str
    here: bool
    snapshots: frozenset[str]
    paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StoredSnapshot:
    """The manifest of a source folder, and the digests of its files."""

    info: ObjectInfo
    blobs: frozenset[str]


@dataclass
class StoredRun:
    """The files in the store of one run: those of each attempt, and its marks of having been stopped."""

    attempts: dict[Attempt, dict[str, ObjectInfo]] = field(default_factory=dict)
    marks: dict[str, ObjectInfo] = field(default_factory=dict)

    @property
    def last_used(self) -> datetime:
        """When something of it was last written."""
        infos = [info for files in self.attempts.values() for info in files.values()]
        return max(info.modified for info in (*infos, *self.marks.values()))


@dataclass(frozen=True)
class Outputs:
    """The outputs that one attempt has published on one datastore."""

    datastore: DatastoreHandle
    attempt: Attempt
    place: str
    size: int


class Inventory:
    """Reads all that belongs to a workspace. `problems` says what could not be read.

    `complete` is False if a datastore, a pipeline or a source folder is among that: what cannot be read may refer to
    any output and any source folder, so none of these may be taken then.
    """

    def __init__(self, workspace: WorkspaceStore, existing: frozenset[str]) -> None:
        self.workspace = workspace
        self.records_of = RecordStore(workspace.store, workspace.key("reuse"))
        self.definitions_of = DefinitionStore(workspace.store)
        self.places = Places(workspace)
        self.problems: list[str] = list(self.places.problems)
        self.complete = not self.places.problems
        self.records: dict[str, StoredRecord] = {}
        self.histories: dict[str, StoredRecord] = {}
        self.pipelines: dict[str, StoredPipeline] = {}
        self.runs: dict[str, StoredRun] = {}
        self.outputs: list[Outputs] = []
        self.unsure: set[Attempt] = set()
        self.definitions: dict[str, StoredDefinition] = {}
        self.published: frozenset[str] = frozenset()
        self.snapshots: dict[str, StoredSnapshot] = {}
        self.blobs: dict[str, ObjectInfo] = {}
        self._existing = existing

    def read(self) -> Work[None]:
        """Read everything."""
        yield from self._read_records()
        yield from self._read_runs()
        yield from self._read_outputs()
        yield from self.read_definitions()
        yield from self.read_snapshots()
        for key, info in self.objects("blobs"):
            self.blobs[key.rpartition("/")[2]] = info
            yield Progress(phase="reading source files", done=len(self.blobs))

    def objects(self, *folder: str) -> Iterator[tuple[str, ObjectInfo]]:
        """The objects in a folder of the workspace."""
        for key in self.workspace.store.list(self.workspace.key(*folder, "")):
            info = self.workspace.store.info(key)
            if info is not None:
                yield key, info

    # --- records ----------------------------------------------------------------------------------------------

    def _read_records(self) -> Work[None]:
        for found, keys in (
            (self.records, self.records_of.records()),
            (self.histories, self.records_of.histories()),
        ):
            for key in keys:
                self.read_record(found, key)
                yield Progress(phase="reading records", done=len(self.records) + len(self.histories))
        for key in self.records_of.pipelines():
            self.read_pipeline(key)
            yield Progress(phase="reading records of pipelines", done=len(self.pipelines))

    def read_record(self, into: dict[str, StoredRecord], key: str) -> None:
        """Read one record, again if it was read before; forget it if it is gone."""
        info = self.workspace.store.info(key)
        into.pop(key, None)
        try:
            record = self.records_of.read(key) if info is not None else None
            if record is not None and info is not None:
                into[key] = _stored(record, info)
        except LostRecord as lost:
            into[key] = StoredRecord(info or ObjectInfo(0, _NEVER))
            self._unknown_if_good(key, lost)

    def read_pipeline(self, key: str) -> None:
        """Read the record of one pipeline, again if it was read before; forget it if it is gone."""
        info = self.workspace.store.info(key)
        self.pipelines.pop(key, None)
        try:
            record = self.records_of.read_pipeline(key) if info is not None else None
            if record is not None and info is not None:
                steps = tuple(_stored(step, info) for step in record.steps.values())
                self.pipelines[key] = StoredPipeline(info, steps)
        except LostRecord as lost:
            self.pipelines[key] = StoredPipeline(info or ObjectInfo(0, _NEVER))
            self._unknown_if_good(key, lost)

    def _unknown_if_good(self, key: str, lost: LostRecord) -> None:
        """What a record refers to that a newer version wrote is not known here."""
        if lost.keep:
            self.complete = False
            self.problems.append(f"No outputs and source folders are removed, as {key} is not understood. {lost.cause}")

    # --- files and outputs of runs ----------------------------------------------------------------------------

    def _read_runs(self) -> Work[None]:
        prefix = self.workspace.key("runs", "")
        for key, info in self.objects("runs"):
            run_id, _, rest = key.removeprefix(prefix).partition("/")
            parts = rest.split("/")
            run = self.runs.get(run_id) or StoredRun()
            if len(parts) >= 3:
                run.attempts.setdefault(Attempt(run_id, parts[0], parts[1]), {})[key] = info
            elif len(parts) == 1 and parts[0].startswith("stopped-"):
                run.marks[key] = info
            else:
                continue  # not ours
            self.runs[run_id] = run
            yield Progress(phase="reading files of runs", done=len(self.runs))

    def attempts(self) -> set[Attempt]:
        """All attempts of this workspace of which there is a trace in its store."""
        found = {attempt for run in self.runs.values() for attempt in run.attempts}
        records = [*self.records.values(), *self.histories.values()]
        records += [step for pipeline in self.pipelines.values() for step in pipeline.steps]
        return found | {attempt_of(record.origin) for record in records if record.origin is not None}

    def _read_outputs(self) -> Work[None]:
        self._check_roots()
        runs = [(run_id, list(group)) for run_id, group in groupby(sorted(self.attempts()), key=attrgetter("run_id"))]
        for number, (run_id, attempts) in enumerate(runs):
            for handle in self.places.distinct():
                if is_remote(handle):
                    self._read_remote_outputs(run_id, attempts, handle)
                    continue
                for attempt in attempts:
                    self._read_outputs_of(attempt, handle)
            yield Progress(phase="measuring outputs", done=number + 1, total=len(runs))

    def _check_roots(self) -> None:
        """A datastore that has outputs but no root is not mounted: nothing can be said of them now."""
        records = [*self.records.values(), *self.histories.values()]
        used = {output.datastore for record in records for output in record.outputs}
        for name in sorted(used & self.places.absent):
            self.complete = False
            self.problems.append(f"The root of the datastore {name!r} is not there, so outputs and sources are kept.")

    def _read_outputs_of(self, attempt: Attempt, handle: DatastoreHandle) -> None:
        try:
            folder = output_folder(attempt)
            if not handle.exists(folder):
                return
            size = sum(file.size for file in handle.list(folder))
        except (AirloomError, OSError) as error:
            self._unsure_of([attempt], handle, error)
            return
        self.outputs.append(Outputs(handle, attempt, self.places.folder_of(handle, attempt), size))

    def _read_remote_outputs(self, run_id: str, attempts: list[Attempt], handle: DatastoreHandle) -> None:
        """All of a run at once, as every question to a remote datastore takes a while."""
        sizes: dict[str, int] = {}
        try:
            folders = {output_folder(attempt): attempt for attempt in attempts}
            for file in handle.list(f"{OUTPUTS}/{check_name('run', run_id)}"):
                folder = "/".join(file.path.split("/")[:4])
                sizes[folder] = sizes.get(folder, 0) + file.size
        except (AirloomError, OSError) as error:
            self._unsure_of(attempts, handle, error)
            return
        for folder in folders.keys() & sizes.keys():
            attempt = folders[folder]
            self.outputs.append(Outputs(handle, attempt, self.places.folder_of(handle, attempt), sizes[folder]))

    def _unsure_of(self, attempts: list[Attempt], handle: DatastoreHandle, error: Exception) -> None:
        self.unsure.update(attempts)
        of = "/".join(attempts[0] if len(attempts) == 1 else attempts[0][:1])
        self.problems.append(f"Outputs of {of} on {handle.config.name!r} are left alone. {error}")

    # --- pipelines and their source folders -------------------------------------------------------------------

    def read_definitions(self) -> Work[None]:
        """Read the definitions of this workspace, and of those that are no more."""
        for digest in self.definitions_of.stored():
            self._read_definition(digest)
            yield Progress(phase="reading pipelines", done=len(self.definitions))

    def _read_definition(self, digest: str) -> None:
        info = self.definitions_of.info(digest)
        if info is None:
            return
        try:
            definition = self.definitions_of.get(digest)
        except NotFound:
            return
        except AirloomError as error:
            self._not_readable(error)
            return
        here = definition.workspace == self.workspace.workspace
        if here or definition.workspace not in self._existing:
            self.definitions[digest] = StoredDefinition(
                info=info,
                dag_id=dag_id(definition),
                here=here,
                snapshots=frozenset(definition.graph.snapshots()),
                paths=tuple(_paths_of(definition)),
            )

    def read_snapshots(self) -> Work[None]:
        """Read the manifests of source folders that are not known yet, and forget those that are gone."""
        known, self.snapshots = self.snapshots, {}
        for key, info in self.objects("snapshots"):
            digest = key.rpartition("/")[2].removesuffix(".json")
            if digest in known:
                self.snapshots[digest] = replace(known[digest], info=info)
                continue
            try:
                entries = self.workspace.snapshot(digest).entries
            except NotFound:
                continue
            except AirloomError as error:
                self._not_readable(error)
                entries = ()
            self.snapshots[digest] = StoredSnapshot(info, frozenset(entry.digest for entry in entries))
            yield Progress(phase="reading source folders", done=len(self.snapshots))

    def _not_readable(self, error: AirloomError) -> None:
        self.complete = False
        self.problems.append(f"No outputs and source folders are removed until `airloom verify` is content. {error}")


_NEVER = datetime.fromtimestamp(0, UTC)


def attempt_of(origin: Origin) -> Attempt:
    """The attempt that an origin names."""
    return Attempt(origin.run_id, origin.step_id, origin.attempt)


def _stored(record: Record, info: ObjectInfo) -> StoredRecord:
    return StoredRecord(
        info=info,
        key=record.key,
        origin=record.origin,
        outputs=tuple(record.outputs.values()),
        source=str(record.parts.get("source", "")),
    )


def _paths_of(definition: Definition) -> Iterator[tuple[str, str]]:
    """Datastore and path of all data that a pipeline names: it may be an output of some run."""
    sources: list[DataSource] = list(definition.graph.sources.values())
    sources += [p.default for p in definition.graph.parameters if not isinstance(p.default, str | int | float | bool)]
    for source in sources:
        for location in source_locations(source):
            yield location.datastore, location.path
