"""The decision for one step whose inputs are known: a proven record, or a miss with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from airloom.errors import AirloomError
from airloom.graph.model import ReuseMode, Step
from airloom.graph.results import Explanation, Reason, StepResult
from airloom.reuse import explain
from airloom.reuse.hashing import StepKey
from airloom.reuse.records import LostRecord, Record
from airloom.reuse.workspace import ReuseWorkspace

UNREADABLE = (AirloomError, KeyError, OSError)
"""What reading content may raise while a key is computed. Any of them means: no key, so run and do not reuse."""


@dataclass(frozen=True)
class Miss:
    """No record answers a key. `lost` is set when there was one that could not be believed."""

    lost: LostRecord | None = None


def effective_mode(step: Step, run_mode: ReuseMode) -> ReuseMode:
    """The reuse mode of a step in a run.

    A step with `allow_reuse=False` is never reused, whatever the run asks for. Else the mode of the run counts
    unless it is `auto`, which leaves the choice to the step.
    """
    if not step.allow_reuse:
        return "off"
    return step.reuse if run_mode == "auto" else run_mode


def look_up(workspace: ReuseWorkspace, step: Step, key: StepKey) -> Record | Miss:
    """The proven record for a key, if it has the outputs that the step declares. A lost or corrupt one is a miss."""
    try:
        record = workspace.records.find(key.key, workspace.digest_of)
    except LostRecord as lost:
        return Miss(lost)
    if record is None or set(record.outputs) != {port.name for port in step.outputs}:
        return Miss()
    return record


def reused_result(step: Step, record: Record, reason: Reason) -> StepResult:
    """The result of a step that is answered by a record."""
    return StepResult(
        status="reused",
        outputs=record.outputs,
        key=record.key,
        attempt=record.origin.attempt,
        reused_from=record.origin,
        explanation=explain.reused(step, record.origin, reason),
    )


def explain_miss(workspace: ReuseWorkspace, step: Step, key: StepKey, miss: Miss) -> Explanation:
    """Why a step has to run although reuse was looked for."""
    if miss.lost is not None:
        reason = Reason.OUTPUT_LOST if miss.lost.output_lost else Reason.RECORD_LOST
        return explain.executed(step, reason, f"An earlier attempt cannot be reused. {miss.lost.cause}")
    return explain.missed(step, key, workspace.records.history(step.name, key.key), workspace.files_of)
