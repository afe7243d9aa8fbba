"""One step of one run, from its decision to its record.

The order of events is what makes reuse safe:

1. compute the key from what is known now; a proven record answers it, and nothing runs;
2. take the key's lease, or wait for the live run that holds it;
3. run the step, if what it reads still is what was recorded; every attempt writes to a place of its own;
4. check the inputs again: if they changed meanwhile, the outputs are good but nobody may reuse them;
5. publish the record, put-if-absent; the loser of a race discards its work and takes the winner's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airloom.errors import IntegrityError
from airloom.graph.model import PipelineGraph, ReuseMode, Step
from airloom.graph.results import Explanation, Origin, OutputRef, Reason, StepResult
from airloom.reuse import explain
from airloom.reuse.decide import UNREADABLE, Miss, effective_mode, explain_miss, look_up, reused_result
from airloom.reuse.hashing import StepKey
from airloom.reuse.leases import Owner
from airloom.reuse.records import LostRecord, Record, verify_outputs
from airloom.reuse.workspace import ReuseWorkspace, bound_data

log = logging.getLogger(__name__)

Compute = Callable[[], Mapping[str, OutputRef]]
"""Runs the step somewhere, and returns its published outputs by port. Raises StepFailed."""


@dataclass(frozen=True)
class RunInfo:
    """What a step must know of the run it belongs to. `started_at` is in UTC, ISO 8601.

    `continue_on_step_failure` is None where the run leaves that to its pipeline. `changes` is the key in the store of
    the batch of changed files that the run was started for.
    """

    workspace: str
    experiment: str
    run_id: str
    parameters: Mapping[str, Any]
    reuse: ReuseMode
    started_at: str
    continue_on_step_failure: bool | None = None
    changes: str | None = None


class Busy(Exception):
    """Another live run computes the same key. Try again later: its record will answer then."""

    def __init__(self, owner: Owner | None) -> None:
        self.owner = owner
        who = f"Run {owner.run_id}" if owner is not None else "Another run"
        super().__init__(f"{who} is computing the same step; its result will be used.")


class StepExecution:
    """The execution of one attempt of a step, all of whose upstream results are known."""

    def __init__(
        self,
        step: Step,
        graph: PipelineGraph,
        run: RunInfo,
        workspace: ReuseWorkspace,
        attempt: str,
        results: Mapping[str, StepResult],
    ) -> None:
        self._step = step
        self._graph = graph
        self._run = run
        self._workspace = workspace
        self._attempt = attempt
        self._results = results
        self._mode = effective_mode(step, run.reuse)

    def execute(self, compute: Compute, planned: Explanation | None = None) -> StepResult:
        """Reuse or compute the step. `planned` is what the plan found out about it, if it had a key then.

        Raises Busy if another live run computes the same key, IntegrityError if an input is an output of a step
        before it and no longer what that step wrote, and whatever `compute` raises.
        """
        if self._mode == "off":
            return self._executed(self._computed(compute), None, explain.not_wanted(self._step, "off"))
        try:
            key = self._key()
        except UNREADABLE as error:
            return self._executed(self._computed(compute), None, explain.no_key(self._step, error))
        if self._mode == "refresh":
            return self._compute_and_record(compute, key, explain.not_wanted(self._step, "refresh"))
        return self._reuse_or_compute(compute, key, planned)

    def _reuse_or_compute(self, compute: Compute, key: StepKey, planned: Explanation | None) -> StepResult:
        found = look_up(self._workspace, self._step, key)
        if isinstance(found, Record):
            return self._reused(found)
        explanation = planned or explain_miss(self._workspace, self._step, key, found)
        owner = Owner.of_this_process(self._run.run_id, self._step.id, self._attempt)
        lease = self._workspace.leases.acquire(key.key, owner)
        if lease is None:
            raise Busy(self._workspace.leases.holder(key.key))
        with lease:
            # Whoever held the lease before may have published between our look and our lease.
            found = look_up(self._workspace, self._step, key)
            if isinstance(found, Record):
                return self._reused(found)
            return self._compute_and_record(compute, key, explanation)

    def _compute_and_record(self, compute: Compute, key: StepKey, explanation: Explanation) -> StepResult:
        outputs = self._computed(compute)
        if not self._inputs_unchanged(key):
            log.warning("Inputs changed while the step ran: its outputs are kept, but no later run will reuse them.")
            return self._executed(outputs, None, explanation)
        record = self._record(key, outputs)
        self._workspace.records.remember(record)
        if self._workspace.records.add(record, replace=self._mode == "refresh"):
            return self._executed(outputs, key.key, explanation)
        return self._lost_race(key, record, explanation)

    def _computed(self, compute: Compute) -> Mapping[str, OutputRef]:
        """Run the step, on inputs that still are what the steps before it wrote, or what the plan has found."""
        try:
            verify_outputs(self._read_outputs(), self._workspace.digest_of)
        except LostRecord as lost:
            raise IntegrityError(
                f"Step {self._step.name!r} cannot run on what it was to read. {lost.cause}",
                hint="Submit the pipeline again: the step that wrote it will run again.",
                target=self._step.name,
            ) from lost
        return compute()

    def _lost_race(self, key: StepKey, record: Record, explanation: Explanation) -> StepResult:
        winner = look_up(self._workspace, self._step, key)
        if isinstance(winner, Miss):
            self._workspace.records.add(record, replace=True)
            return self._executed(record.outputs, key.key, explanation)
        if winner.origin == record.origin:
            return self._executed(record.outputs, key.key, explanation)
        kept = {(output.datastore, output.path) for output in winner.outputs.values()}
        for output in record.outputs.values():
            if (output.datastore, output.path) not in kept:
                self._workspace.storage.datastore(output.datastore).delete(output.path)
        log.info("Run %s published the same step first; its outputs are used.", winner.origin.run_id)
        return reused_result(self._step, winner, Reason.SHARED)

    def _key(self) -> StepKey:
        return self._workspace.key_of(self._step, self._graph, self._run.parameters, self._results)

    def _read_outputs(self) -> dict[str, OutputRef]:
        """What the step reads of steps before it, by input port."""
        bound = {
            port.name: bound_data(port, self._graph, self._run.parameters, self._results) for port in self._step.inputs
        }
        return {name: ref for name, ref in bound.items() if isinstance(ref, OutputRef)}

    def _inputs_unchanged(self, key: StepKey) -> bool:
        try:
            verify_outputs(self._read_outputs(), self._workspace.digest_of)
            return self._key() == key
        except (LostRecord, *UNREADABLE) as error:
            log.warning("The inputs cannot be checked again: %s", error)
            return False

    def _reused(self, record: Record) -> StepResult:
        computed_meanwhile = record.created_at >= self._run.started_at
        return reused_result(self._step, record, Reason.SHARED if computed_meanwhile else Reason.EARLY_CUTOFF)

    def _executed(self, outputs: Mapping[str, OutputRef], key: str | None, explanation: Explanation) -> StepResult:
        return StepResult(
            status="executed", outputs=dict(outputs), key=key, attempt=self._attempt, explanation=explanation
        )

    def _record(self, key: StepKey, outputs: Mapping[str, OutputRef]) -> Record:
        return Record(
            key=key.key,
            parts=key.parts,
            outputs=dict(outputs),
            origin=Origin(run_id=self._run.run_id, step_id=self._step.id, attempt=self._attempt),
            step_name=self._step.name,
            created_at=utc_now(),
        )


def utc_now() -> str:
    """This instant in UTC as ISO 8601 with microseconds: such strings sort by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
