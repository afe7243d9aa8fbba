"""The collector: frees what was not used for long, and what nothing refers to, beside running pipelines.

No lock is held on anything that runs. Three rules make that safe:

1. Whoever relies on an object marks it as used first (see `freshness`), and the collector deletes an object only if it
   has no younger mark, which it checks under the store's lock. A mark is set at most an hour after the last; nothing
   is taken within two hours of it.
2. It asks for the live runs before and after it reads what there is. A run that began since then has files that are
   too young to be taken, and relies on nothing else without marking it.
3. What refers goes before what it refers to, and what is still needed is found again after each kind. So a record
   always has its outputs, a listed pipeline its definition, a definition its source folders, a source folder its
   files: also when the collector is killed, at any moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airloom.errors import AirloomError
from airloom.runner.outputs import staging_stem
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.definitions import held_key, shard_of
from airloom.storage.workspace import WorkspaceStore
from airloom.upkeep.inventory import Inventory, StoredDefinition
from airloom.upkeep.leftovers import Leftover, staging, temporary, unfinished
from airloom.upkeep.places import OUTPUTS, Attempt, output_folder
from airloom.upkeep.progress import GcReport, Progress, Tally, Work
from airloom.upkeep.references import Kept, cutoff_that_fits, mark
from airloom.upkeep.runs import KnownRuns, RunUse

MINIMAL_AGE = timedelta(hours=2)
"""Nothing younger is ever taken: twice the time for which a mark of use holds."""

OLDER_THAN = timedelta(days=90)


@dataclass(frozen=True)
class Limits:
    """How long things are kept without being used, and how many bytes they may have together."""

    older_than: timedelta = OLDER_THAN
    max_bytes: int | None = None
    minimal_age: timedelta = MINIMAL_AGE


def collect(
    workspace: WorkspaceStore, runs: KnownRuns, limits: Limits, *, dry_run: bool = False, now: datetime | None = None
) -> Work[GcReport]:
    """Free what may go; in a dry run, find out what that would be. `now` is for tests of what time brings."""
    return (yield from _Collector(workspace, runs, limits, dry_run, now or datetime.now(UTC)).work())


class _Collector:
    """One collection of one workspace."""

    def __init__(
        self, workspace: WorkspaceStore, runs: KnownRuns, limits: Limits, dry_run: bool, now: datetime
    ) -> None:
        self._workspace = workspace
        self._store = workspace.store
        self._runs = runs
        self._limits = limits
        self._dry_run = dry_run
        self._now = now
        self._floor = now - limits.minimal_age
        self._cutoff = min(now - limits.older_than, self._floor)
        self._all = Inventory(workspace, frozenset(runs.workspaces()))
        self._uses: list[RunUse] = []
        self._gone: set[str] = set()
        self._swept: set[Path] = set()
        self._freed: dict[str, Tally] = {}

    def work(self) -> Work[GcReport]:
        """Read, decide, and free; then say what was done."""
        yield from self._read()
        for part in (
            self._pipelines,
            self._records,
            self._histories,
            self._outputs,
            self._staging,
            self._files_of_runs,
            self._definitions,
            self._held,
            self._snapshots,
            self._blobs,
            self._leases,
            self._temporary,
        ):
            yield from part(self._mark())
        return GcReport(
            workspace=self._workspace.workspace,
            dry_run=self._dry_run,
            unused_since=self._cutoff.isoformat(timespec="seconds"),
            max_bytes=self._limits.max_bytes,
            freed=self._freed,
            kept=tallies(self._all, self._mark()),
            problems=tuple(dict.fromkeys(self._all.problems)),
        )

    def _read(self) -> Work[None]:
        yield Progress(phase="asking for live runs")
        self._all.published = frozenset(self._runs.published())
        self._release_held()
        before = [use for use in self._runs.uses((), self._now) if use.live]
        yield from self._all.read()
        yield Progress(phase="asking for live runs")
        dags = [definition.dag_id for definition in self._all.definitions.values()]
        self._uses = [*before, *self._runs.uses(dags, self._cutoff)]
        if self._limits.max_bytes is not None:
            yield Progress(phase="weighing")
            self._cutoff = cutoff_that_fits(self._all, self._uses, self._cutoff, self._floor, self._fits)

    def _fits(self, kept: Kept) -> bool:
        limit = self._limits.max_bytes
        return limit is None or sum(tally.bytes for tally in tallies(self._all, kept).values()) <= limit

    def _mark(self) -> Kept:
        return mark(self._all, self._uses, self._cutoff, self._floor)

    # --- records ----------------------------------------------------------------------------------------------

    def _pipelines(self, kept: Kept) -> Work[None]:
        doomed = sorted(self._all.pipelines.keys() - kept.pipelines)
        for number, key in enumerate(doomed):
            yield Progress(phase="removing records of pipelines", done=number, total=len(doomed))
            if self._take("records of pipelines", key, self._all.pipelines[key].info.size, self._cutoff):
                self._forget(self._all.pipelines, key)
            else:
                self._all.read_pipeline(key)

    def _records(self, kept: Kept) -> Work[None]:
        doomed = sorted(self._all.records.keys() - kept.records)
        for number, key in enumerate(doomed):
            yield Progress(phase="removing records", done=number, total=len(doomed))
            if self._take("records", key, self._all.records[key].info.size, self._cutoff):
                self._forget(self._all.records, key)
            else:
                self._all.read_record(self._all.records, key)

    def _histories(self, kept: Kept) -> Work[None]:
        doomed = sorted(self._all.histories.keys() - kept.histories)
        for number, key in enumerate(doomed):
            yield Progress(phase="removing remembered attempts", done=number, total=len(doomed))
            if self._take("remembered attempts", key, self._all.histories[key].info.size, self._cutoff):
                self._forget(self._all.histories, key)

    # --- outputs and files of runs ----------------------------------------------------------------------------

    def _outputs(self, kept: Kept) -> Work[None]:
        doomed = [outputs for outputs in self._all.outputs if outputs.place not in kept.outputs]
        for number, outputs in enumerate(doomed):
            yield Progress(phase="removing outputs", done=number, total=len(doomed))
            if not self._dry_run:
                try:
                    outputs.datastore.delete(output_folder(outputs.attempt))
                except (AirloomError, OSError) as error:
                    self._all.problems.append(f"{output_folder(outputs.attempt)} cannot be removed. {error}")
                    continue
                around = outputs.datastore.local_path(OUTPUTS)
                if around is not None:
                    _remove_empty(around, Path(*outputs.attempt[:2]))
            self._gone.add(outputs.place)
            self._count("outputs", outputs.size)
        if not self._dry_run:
            self._all.outputs = [outputs for outputs in self._all.outputs if outputs.place not in self._gone]

    def _staging(self, _: Kept) -> Work[None]:
        live = {use.run_id for use in self._uses if use.live}
        dead = {
            staging_stem(attempt.run_id, attempt.step_id)
            for attempt in self._all.attempts()
            if attempt.run_id not in live
        }
        for handle in self._all.places.distinct():
            yield Progress(phase="looking for leftovers")
            root = handle.local_path()
            if root is not None:
                self._sweep(staging(root, dead))
            else:
                self._sweep_unfinished(handle, live)

    def _sweep_unfinished(self, handle: DatastoreHandle, live: set[str]) -> None:
        """What publishers that were killed have left on a remote datastore. Other workspaces may publish there too."""
        known = self._all.attempts()
        try:
            for found in unfinished(handle):
                before = self._floor if found.attempt in known else self._cutoff
                if found.attempt.run_id not in live and found.changed < before:
                    if not self._dry_run:
                        handle.delete(found.path)
                    self._count("leftovers", found.size)
        except (AirloomError, OSError) as error:
            self._all.problems.append(f"What is left unfinished on {handle.config.name!r} stays. {error}")

    def _files_of_runs(self, kept: Kept) -> Work[None]:
        # Outputs that could not be removed are found again by the files of their attempt.
        needed = kept.attempts | {found.attempt for found in self._all.outputs if found.place not in self._gone}
        live = {use.run_id for use in self._uses if use.live}
        for run_id, run in sorted(self._all.runs.items()):
            yield Progress(phase="removing files of runs")
            for attempt in run.attempts.keys() - needed:
                self._take_files(attempt)
            for key, info in list(run.marks.items()):
                if run_id not in live and self._take("marks of stopped runs", key, info.size, self._floor):
                    self._forget(run.marks, key)
            if not self._dry_run and not run.attempts and not run.marks:
                del self._all.runs[run_id]

    def _take_files(self, attempt: Attempt) -> None:
        files = self._all.runs[attempt.run_id].attempts[attempt]
        for key, info in list(files.items()):
            if self._take("files of runs", key, info.size, self._floor):
                self._forget(files, key)
        if not self._dry_run and not files:
            del self._all.runs[attempt.run_id].attempts[attempt]
            folder = self._store.local_path(self._workspace.key("runs"))
            if folder is not None:
                _remove_empty(folder, Path(*attempt))

    # --- pipelines and source folders -------------------------------------------------------------------------

    def _definitions(self, kept: Kept) -> Work[None]:
        self._list_kept(kept)
        doomed = sorted(self._all.definitions.keys() - kept.definitions)
        for number, digest in enumerate(doomed):
            yield Progress(phase="removing pipelines", done=number, total=len(doomed))
            definition = self._all.definitions[digest]
            if self._dry_run or self._take_definition(digest, definition):
                self._count("pipelines", definition.info.size)
                self._forget(self._all.definitions, digest)
            else:
                yield from self._all.read_definitions()

    def _release_held(self) -> None:
        """A server may have died after it had published a pipeline, but before it had released the definition."""
        definitions = self._all.definitions_of
        for digest in definitions.held():
            if digest in self._all.published and not self._dry_run:
                definitions.release(digest)

    def _held(self, _: Kept) -> Work[None]:
        """What was to be published, but was not when its server died."""
        for digest in self._all.definitions_of.held():
            yield Progress(phase="looking for leftovers")
            info = self._store.info(held_key(digest))
            if info is not None and digest not in self._all.published and info.modified < self._floor:
                self._take("leftovers", held_key(digest), info.size, self._floor)

    def _list_kept(self, kept: Kept) -> None:
        """A collection that was killed may have left a pipeline unlisted that somebody uses since."""
        definitions = self._all.definitions_of
        for digest in kept.definitions:
            if not self._dry_run and digest not in definitions.shard(shard_of(digest)):
                definitions.settle(digest)  # it may be unlisted because another collector is taking it

    def _take_definition(self, digest: str, definition: StoredDefinition) -> bool:
        """Out of the index first, so that Airflow drops the DAG. Whoever submits it meanwhile, or runs it, keeps it."""
        definitions = self._all.definitions_of
        definitions.unlist(digest)
        before = self._cutoff if definition.here else self._floor
        if self._runs.retire(definition.dag_id):
            if definitions.delete_if_unused(digest, before):
                definitions.settle(digest)
                return True
            self._runs.revive(definition.dag_id)
        definitions.settle(digest)
        self._uses = [*self._uses, *self._runs.uses((definition.dag_id,), self._cutoff)]
        return False

    def _snapshots(self, kept: Kept) -> Work[None]:
        doomed = sorted(self._all.snapshots.keys() - kept.snapshots)
        for number, digest in enumerate(doomed):
            yield Progress(phase="removing source folders", done=number, total=len(doomed))
            key = self._workspace.snapshot_key(digest)
            if self._take("source folders", key, self._all.snapshots[digest].info.size, self._cutoff):
                self._forget(self._all.snapshots, digest)

    def _blobs(self, kept: Kept) -> Work[None]:
        if not self._dry_run:
            yield from self._all.read_snapshots()  # some may have been stored meanwhile
            kept = self._mark()
        doomed = sorted(self._all.blobs.keys() - kept.blobs)
        for number, digest in enumerate(doomed):
            yield Progress(phase="removing source files", done=number, total=len(doomed))
            if self._take("source files", self._workspace.blob_key(digest), self._all.blobs[digest].size, self._floor):
                self._forget(self._all.blobs, digest)

    # --- what nobody owns -------------------------------------------------------------------------------------

    def _leases(self, _: Kept) -> Work[None]:
        """A live lease is written every few seconds; one as old as the minimal age is void."""
        for key, info in self._all.objects("reuse", "leases"):
            yield Progress(phase="removing void leases")
            if info.modified < self._floor:
                self._take("void leases", key, info.size, self._floor)

    def _temporary(self, _: Kept) -> Work[None]:
        for found in self._temporary_files():
            yield Progress(phase="looking for leftovers")
            self._sweep([found] if found is not None else [])

    def _temporary_files(self) -> Iterator[Leftover | None]:
        for handle in self._all.places.distinct():
            root = handle.local_path()
            if root is not None:
                yield from temporary(root)
        for key, skip in ((self._workspace.key(), "data"), ("definitions", ""), ("held", ""), ("index", "")):
            folder = self._store.local_path(key)
            if folder is not None:
                yield from temporary(folder, skip=skip)

    def _sweep(self, found: Iterable[Leftover]) -> None:
        for leftover in found:
            if leftover.changed < self._floor and leftover.path not in self._swept:
                self._swept.add(leftover.path)
                if not self._dry_run:
                    leftover.remove()
                self._count("leftovers", leftover.size)

    # --- counting ---------------------------------------------------------------------------------------------

    def _take(self, kind: str, key: str, size: int, before: datetime) -> bool:
        """Remove an object that was not used since `before`, and count it. False if it was used."""
        if not self._dry_run and not self._store.delete_if_unused(key, before):
            return False
        self._count(kind, size)
        return True

    def _forget(self, items: dict[str, Any], key: str) -> None:
        """Drop what is gone, so that what it referred to is free to go too. A dry run decided on all at once."""
        if not self._dry_run:
            del items[key]

    def _count(self, kind: str, size: int) -> None:
        self._freed[kind] = self._freed.get(kind, Tally()).plus(size)


def tallies(inventory: Inventory, kept: Kept) -> dict[str, Tally]:
    """How much is kept, by kind."""
    sizes = {
        "records of pipelines": [inventory.pipelines[key].info.size for key in kept.pipelines],
        "records": [inventory.records[key].info.size for key in kept.records],
        "remembered attempts": [inventory.histories[key].info.size for key in kept.histories],
        "outputs": [outputs.size for outputs in inventory.outputs if outputs.place in kept.outputs],
        "files of runs": [
            info.size
            for run in inventory.runs.values()
            for attempt, files in run.attempts.items()
            if attempt in kept.attempts
            for info in files.values()
        ],
        "pipelines": [inventory.definitions[digest].info.size for digest in kept.definitions],
        "source folders": [inventory.snapshots[digest].info.size for digest in kept.snapshots],
        "source files": [inventory.blobs[digest].size for digest in kept.blobs],
    }
    return {kind: Tally(count=len(found), bytes=sum(found)) for kind, found in sizes.items()}


def _remove_empty(root: Path, below: Path) -> None:
    """Remove the folder `below` of `root`, and those around it, as far as nothing is in them."""
    while below != Path():
        try:
            os.rmdir(root / below)
        except OSError:
            return
        below = below.parent
