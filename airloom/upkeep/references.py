"""What refers to what, and so what is kept.

From the strongest to the weakest:

- runs that have not ended keep all that they use: their pipeline, their files, their outputs and those of other runs
  that their tasks were given;
- so do published pipelines, which may be run at any time;
- so do runs, records, pipelines and source folders that were used since a given time, the cutoff;
- the record of a whole pipeline keeps the records of its steps; a record keeps its outputs, the logs of the attempt
  that made them (reused steps show these), its source folder (explanations name the files that changed) and what is
  remembered of it; a pipeline keeps its source folders, and the data that it names, if that is an output of some run;
- a source folder keeps its files, so whatever manifest is in the store, its files are there too.

All else is free to go. Moving the cutoff towards the present frees more, and never less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from airloom.upkeep.inventory import Inventory, StoredRecord, attempt_of
from airloom.upkeep.places import Attempt, Needed
from airloom.upkeep.runs import RunUse


@dataclass(frozen=True)
class Kept:
    """Names of all that is kept, by kind. Outputs are named by their place."""

    pipelines: frozenset[str]
    records: frozenset[str]
    histories: frozenset[str]
    attempts: frozenset[Attempt]
    outputs: frozenset[str]
    definitions: frozenset[str]
    snapshots: frozenset[str]
    blobs: frozenset[str]


def mark(inventory: Inventory, uses: Sequence[RunUse], cutoff: datetime, floor: datetime) -> Kept:
    """What is kept when all goes that was last used before `cutoff`; files of source folders have until `floor`."""
    return _Marking(inventory, uses, cutoff, floor).kept()


class _Marking:
    """One pass from the roots to the leaves."""

    def __init__(self, inventory: Inventory, uses: Sequence[RunUse], cutoff: datetime, floor: datetime) -> None:
        self._all = inventory
        self._cutoff = cutoff
        self._floor = floor
        self._uses = [use for use in uses if use.live or use.last_used >= cutoff]
        self._runs = {use.run_id for use in self._uses}
        self._runs |= {run_id for run_id, run in inventory.runs.items() if run.last_used >= cutoff}

    def kept(self) -> Kept:
        pipelines = {key for key, item in self._all.pipelines.items() if item.info.modified >= self._cutoff}
        records = self._records(pipelines)
        histories = self._histories(records)
        definitions = self._definitions()
        believed = [self._all.records[key] for key in records]
        believed += [step for key in pipelines for step in self._all.pipelines[key].steps]
        outputs = self._outputs(believed, definitions)
        attempts = self._attempts(believed, outputs)
        snapshots = self._snapshots(definitions, [*believed, *(self._all.histories[key] for key in histories)])
        return Kept(
            pipelines=frozenset(pipelines),
            records=frozenset(records),
            histories=frozenset(histories),
            attempts=frozenset(attempts),
            outputs=frozenset(outputs),
            definitions=frozenset(definitions),
            snapshots=frozenset(snapshots),
            blobs=frozenset(self._blobs(snapshots)),
        )

    def _records(self, pipelines: Iterable[str]) -> set[str]:
        needed = {(step.key, step.origin) for key in pipelines for step in self._all.pipelines[key].steps}
        return {
            key
            for key, record in self._all.records.items()
            if record.info.modified >= self._cutoff or (record.key, record.origin) in needed
        }

    def _histories(self, records: Iterable[str]) -> set[str]:
        needed = {self._all.records[key].key for key in records}
        return {
            key
            for key, record in self._all.histories.items()
            if record.info.modified >= self._cutoff or record.key in needed
        }

    def _attempts(self, believed: Iterable[StoredRecord], outputs: set[str]) -> set[Attempt]:
        """Those whose files are kept: also all that still have outputs, which are found by these files."""
        found = self._all.attempts()
        if not self._all.complete:
            return found
        origins = {attempt_of(record.origin) for record in believed if record.origin is not None}
        origins |= {attempt_of(origin) for use in self._uses for origin in use.origins}
        origins |= {item.attempt for item in self._all.outputs if item.place in outputs} | self._all.unsure
        return {attempt for attempt in found if attempt.run_id in self._runs or attempt in origins}

    def _outputs(self, believed: Iterable[StoredRecord], definitions: Iterable[str]) -> set[str]:
        if not self._all.complete:
            return {outputs.place for outputs in self._all.outputs}
        paths = {(output.datastore, output.path) for record in believed for output in record.outputs}
        for use in self._uses:
            paths |= {(output.datastore, output.path) for output in use.outputs} | set(use.paths)
        for digest in definitions:
            if self._all.definitions[digest].here:
                paths |= set(self._all.definitions[digest].paths)
        needed = Needed(place for path in paths if (place := self._all.places.place(*path)) is not None)
        return {
            outputs.place
            for outputs in self._all.outputs
            if outputs.attempt.run_id in self._runs or needed.covers(outputs.place)
        }

    def _definitions(self) -> set[str]:
        used = {use.definition for use in self._uses} | self._all.published
        alive = {use.definition for use in self._uses if use.live}
        return {
            digest
            for digest, definition in self._all.definitions.items()
            if (definition.here and (digest in used or definition.info.modified >= self._cutoff))
            # Nobody can submit to a workspace that is no more, so its pipelines need no longer be kept ready.
            or (not definition.here and (digest in alive or definition.info.modified >= self._floor))
        }

    def _snapshots(self, definitions: Iterable[str], remembered: Iterable[StoredRecord]) -> set[str]:
        if not self._all.complete:
            return set(self._all.snapshots)
        needed = {record.source for record in remembered}
        for digest in definitions:
            needed |= self._all.definitions[digest].snapshots
        needed = needed.union(*(use.snapshots for use in self._uses))
        return {
            digest
            for digest, snapshot in self._all.snapshots.items()
            if digest in needed or snapshot.info.modified >= self._cutoff
        }

    def _blobs(self, snapshots: Iterable[str]) -> set[str]:
        if not self._all.complete:
            return set(self._all.blobs)
        needed = {blob for digest in snapshots for blob in self._all.snapshots[digest].blobs}
        return {digest for digest, info in self._all.blobs.items() if digest in needed or info.modified >= self._floor}


def cutoff_that_fits(
    inventory: Inventory,
    uses: Sequence[RunUse],
    earliest: datetime,
    floor: datetime,
    fits: Callable[[Kept], bool],
) -> datetime:
    """The earliest cutoff from `earliest` to `floor` at which what is kept fits; `floor` if none does.

    So what was used least recently goes first, and no more goes than has to.
    """
    times = {pipeline.info.modified for pipeline in inventory.pipelines.values()}
    times |= {record.info.modified for record in (*inventory.records.values(), *inventory.histories.values())}
    times |= {definition.info.modified for definition in inventory.definitions.values()}
    times |= {snapshot.info.modified for snapshot in inventory.snapshots.values()}
    times |= {run.last_used for run in inventory.runs.values()} | {use.last_used for use in uses}
    # Just after a time of use, that which was used then is free to go.
    candidates = [earliest, *sorted({_after(time) for time in times if earliest <= time < floor}), floor]
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if fits(mark(inventory, uses, candidates[middle], floor)):
            high = middle
        else:
            low = middle + 1
    return candidates[low]


def _after(time: datetime) -> datetime:
    return time + time.resolution
