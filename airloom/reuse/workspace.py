"""What the planner and the operators need of a workspace: contents, sources, records and leases, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from airloom.errors import InvalidGraph, NotFound
from airloom.graph.canonical import digest_value
from airloom.graph.model import (
    DataSource,
    DataTransferSettings,
    FromParameter,
    FromSource,
    InputPort,
    OutputOf,
    PathSource,
    PipelineGraph,
    Step,
    is_query,
)
from airloom.graph.results import OutputRef, StepResult
from airloom.reuse.hashing import StepKey, step_key
from airloom.reuse.leases import LeaseStore
from airloom.reuse.records import RecordStore
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.object_store import open_store
from airloom.storage.secrets import Secrets
from airloom.storage.snapshot import digest_of_paths
from airloom.storage.tree import TreeManifest
from airloom.storage.workspace import WorkspaceStore

_DATA_SOURCE: TypeAdapter[DataSource] = TypeAdapter(DataSource)


class ReuseWorkspace:
    """The side of a workspace that decides about reuse."""

    def __init__(self, workspace: WorkspaceStore) -> None:
        self.storage = workspace

    @classmethod
    def open(cls, store: str, workspace: str, secrets: Secrets | None = None) -> ReuseWorkspace:
        """The workspace of this name in the deployment's store at an address."""
        return cls(WorkspaceStore(open_store(store), workspace, secrets=secrets))

    @cached_property
    def records(self) -> RecordStore:
        """The reuse records of the workspace."""
        return RecordStore(self.storage.store, self.storage.key("reuse"))

    @cached_property
    def leases(self) -> LeaseStore:
        """The leases of the workspace."""
        return LeaseStore(self.storage.store, self.storage.key("reuse"))

    @contextmanager
    def at_one_moment(self) -> Iterator[ReuseWorkspace]:
        """The workspace for many questions in a row: what was once read of it is not read again.

        Each question still gets an answer that was true after this began. For one thread.
        """
        with self.storage.cache.kept_open() as cache:
            yield _AtOneMoment(self.storage.with_cache(cache))

    def digest_of(self, datastore: str, path: str) -> str:
        """Digest of what lies at a path now. Raises NotFound."""
        return self.storage.datastore(datastore).digest(path)

    def files_of(self, snapshot: str) -> Mapping[str, str]:
        """The files of a source folder and their digests. Raises NotFound if the snapshot is gone."""
        return {entry.path: entry.digest for entry in self.snapshot(snapshot).entries}

    def snapshot(self, digest: str) -> TreeManifest:
        """The manifest of a source folder. Raises NotFound if it is gone."""
        return self.storage.snapshot(digest)

    def source_folder_digest(self, step: Step) -> str:
        """Digest of what counts of a step's source folder: all of it, or the script and its `hash_paths` only.

        Empty for a step that runs no script.
        """
        settings = step.script
        if settings is None:
            return ""
        if not settings.hash_paths:
            return settings.snapshot
        return self.digest_of_part(settings.snapshot, (settings.script_name, *settings.hash_paths))

    def digest_of_part(self, snapshot: str, paths: tuple[str, ...]) -> str:
        """Digest of some files and folders of a source folder. Raises NotFound if there is nothing at one of them."""
        return digest_of_paths(self.snapshot(snapshot), paths)

    def source_digest(self, source: DataSource) -> str:
        """Digest of the content of a data source. Raises NotFound if something that it names does not exist."""
        if is_query(source):
            raise NotFound("What a query returns is not known before it is run, so a step that reads it always runs.")
        if isinstance(source, PathSource):
            return self.digest_of(source.location.datastore, source.location.path)
        return digest_value([self.digest_of(location.datastore, location.path) for location in source.locations])

    def key_of(
        self, step: Step, graph: PipelineGraph, parameters: Mapping[str, Any], results: Mapping[str, StepResult]
    ) -> StepKey:
        """The key of a step, all of whose upstream results are known.

        Raises an AirloomError if any content that counts cannot be read: such a step runs, and is never reused.
        """
        _refuse_database(step)
        return step_key(
            step,
            source_digest=self.source_folder_digest(step),
            input_digests={port.name: self.input_digest(port, graph, parameters, results) for port in step.inputs},
            parameters=parameters,
            sources=graph.sources,
        )

    def input_digest(
        self,
        port: InputPort,
        graph: PipelineGraph,
        parameters: Mapping[str, Any],
        results: Mapping[str, StepResult],
    ) -> str:
        """Digest of what an input port will be given."""
        bound = bound_data(port, graph, parameters, results)
        return bound.digest if isinstance(bound, OutputRef) else self.source_digest(bound)


class _AtOneMoment(ReuseWorkspace):
    """Remembers every answer, but no error."""

    def __init__(self, workspace: WorkspaceStore) -> None:
        super().__init__(workspace)
        self._datastores: dict[str, DatastoreHandle] = {}
        self._contents: dict[tuple[str, str], str] = {}
        self._snapshots: dict[str, TreeManifest] = {}
        self._parts: dict[tuple[str, tuple[str, ...]], str] = {}

    def digest_of(self, datastore: str, path: str) -> str:
        known = self._contents.get((datastore, path))
        if known is None:
            handle = self._datastores.get(datastore)
            if handle is None:
                handle = self._datastores[datastore] = self.storage.datastore(datastore)
            known = self._contents[datastore, path] = handle.digest(path)
        return known

    def snapshot(self, digest: str) -> TreeManifest:
        known = self._snapshots.get(digest)
        if known is None:
            known = self._snapshots[digest] = super().snapshot(digest)
        return known

    def digest_of_part(self, snapshot: str, paths: tuple[str, ...]) -> str:
        known = self._parts.get((snapshot, paths))
        if known is None:
            known = self._parts[snapshot, paths] = super().digest_of_part(snapshot, paths)
        return known


def _refuse_database(step: Step) -> None:
    """NotFound for a step that reads rows of a database or writes a table: what these hold has no digest."""
    settings = step.settings
    if isinstance(settings, DataTransferSettings) and (settings.rows or settings.table):
        raise NotFound("It reads or writes a database, of whose content nothing is known before it is read.")


def bound_data(
    port: InputPort, graph: PipelineGraph, parameters: Mapping[str, Any], results: Mapping[str, StepResult]
) -> OutputRef | DataSource:
    """What an input port is bound to in this run: an output of a step that is known, or a data source."""
    match port.binding:
        case OutputOf(step=step, port=output):
            return results[step].outputs[output]
        case FromSource(source=name):
            return graph.sources[name]
        case FromParameter(parameter=name):
            return as_source(name, parameters[name])


def as_source(parameter: str, value: Any) -> DataSource:
    """The data source that a datapath or dataset parameter stands for; values come as JSON. Raises InvalidGraph."""
    try:
        return _DATA_SOURCE.validate_python(value)
    except ValidationError as error:
        raise InvalidGraph(
            f"Parameter {parameter!r} must be a data path or a dataset, got {value!r}.", target=parameter
        ) from error
