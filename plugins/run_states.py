"""Runs and steps as callers see them: Airflow's states, times and XComs in the terms of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from airloom.execution.names import FAILURE_KEY, PLAN_KEY, RESULT_KEY
from airloom.graph.model import PipelineGraph, Step
from airloom.graph.results import Explanation, Origin, OutputRef, StepResult
from airloom.plugins.airflow_gateway import Session, TaskState, task_states, xcoms
from airloom.plugins.api.schemas import RunStatus, StepStatus
from airloom.plugins.db.models import RunRow
from airloom.reuse.plan import Plan

_RUN_STATUS: dict[str | None, RunStatus] = {
    "queued": "NotStarted",
    "running": "Running",
    "success": "Finished",
    "failed": "Failed",
}
_STEP_STATUS: dict[str | None, StepStatus] = {
    None: "NotStarted",
    "scheduled": "NotStarted",
    "queued": "Queued",
    "up_for_retry": "Queued",
    "up_for_reschedule": "Queued",
    "awaiting_input": "Queued",
    "deferred": "Running",
    "running": "Running",
    "restarting": "Running",
    "success": "Finished",
    "failed": "Failed",
    "upstream_failed": "Canceled",
    "skipped": "Canceled",
    "removed": "Canceled",
}
_STATES_OF: dict[RunStatus, tuple[str, ...]] = {
    "NotStarted": ("queued",),
    "Running": ("running",),
    "Finished": ("success",),
    "Failed": ("failed",),
    "Canceled": ("failed",),
}


def run_status(state: str | None, canceled_at: datetime | None) -> RunStatus:
    """The status of a run. `state` is None when Airflow no longer has it: somebody deleted it there."""
    status = _RUN_STATUS.get(state, "Failed")
    return "Canceled" if status == "Failed" and canceled_at is not None else status


def airflow_states(status: RunStatus) -> tuple[str, ...]:
    """The states of Airflow's runs among which those with this status are."""
    return _STATES_OF[status]


@dataclass(frozen=True)
class StepView:
    """All that is known of a step in a run."""

    step_id: str
    name: str
    status: StepStatus
    started_at: datetime | None
    ended_at: datetime | None
    result: StepResult | None
    explanation: Explanation | None
    reason: str

    @property
    def reused(self) -> bool:
        """True if the outputs are those of an earlier attempt."""
        return self.result is not None and self.result.status == "reused"

    @property
    def reused_from(self) -> Origin | None:
        """The attempt that computed the outputs, if it was not this run's."""
        return self.result.reused_from if self.result is not None else None

    @property
    def outputs(self) -> dict[str, OutputRef]:
        """The outputs by port, once they are published."""
        return dict(self.result.outputs) if self.result is not None else {}

    @property
    def seconds(self) -> float | None:
        """How long the step took, once it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class RunFacts:
    """What Airflow knows of a run's tasks, and what the tasks themselves have told, by step id."""

    states: Mapping[str, TaskState]
    plan: Plan
    results: Mapping[str, StepResult]
    failures: Mapping[str, str]

    def has_result(self, step_id: str) -> bool:
        """True if a step has ended well in this run: it ran, was reused, or somebody marked it as a success."""
        state = self.states.get(step_id)
        if state is None or state.state != "skipped":
            return state is not None and state.state == "success"
        return step_id in self.results or step_id in self.plan.reused

    def views(self, steps: Iterable[Step], canceled_at: datetime | None) -> list[StepView]:
        """The steps, in the order given."""
        return [
            step_view(
                step,
                self.states.get(step.id),
                self.plan,
                self.results.get(step.id),
                failure=self.failures.get(step.id),
                canceled_at=canceled_at,
            )
            for step in steps
        ]


def read_facts(session: Session, dag_id: str, run_id: str) -> RunFacts:
    """The facts of one run of any DAG, submitted or hand-written."""
    return RunFacts(
        states=task_states(session, dag_id, run_id),
        plan=_read_plan(xcoms(session, dag_id, run_id, PLAN_KEY)),
        results=_read_results(xcoms(session, dag_id, run_id, RESULT_KEY)),
        failures=xcoms(session, dag_id, run_id, FAILURE_KEY),
    )


def step_views(session: Session, run: RunRow, graph: PipelineGraph) -> list[StepView]:
    """The steps of a submitted run, in the order of the graph."""
    return read_facts(session, run.dag_id, run.airflow_run_id).views(graph.steps, run.cancel_requested_at)


def step_view(
    step: Step,
    task: TaskState | None,
    plan: Plan,
    own: StepResult | None,
    *,
    failure: str | None = None,
    canceled_at: datetime | None = None,
) -> StepView:
    """One step. What it published itself counts before what the plan said of it; `failure` is why it has no result."""
    state = task.state if task is not None else None
    result = own or (plan.reused.get(step.id) if state == "skipped" else None)
    reused = result is not None and result.status == "reused" and state in ("skipped", "success")
    explanation = _explanation(step, plan, result)
    status: StepStatus = "Finished" if reused else _step_status(task, canceled_at)
    return StepView(
        step_id=step.id,
        name=step.name,
        status=status,
        started_at=task.started_at if task is not None else None,
        ended_at=task.ended_at if task is not None else None,
        result=result,
        explanation=explanation,
        reason=_reason(step, plan, explanation, status, state, failure),
    )


def _step_status(task: TaskState | None, canceled_at: datetime | None) -> StepStatus:
    """The status of a step that was not reused; what the cancellation ended has not failed."""
    if task is None:
        return "NotStarted"
    status = _STEP_STATUS.get(task.state, "Running")
    ended_by_cancel = canceled_at is not None and task.ended_at is not None and task.ended_at >= canceled_at
    return "Canceled" if status == "Failed" and ended_by_cancel else status


def _read_plan(values: Mapping[str, object]) -> Plan:
    """The plan that the root task left, whatever it is called: in a hand-written DAG it may have any name.

    An empty one before that, or if another version wrote it.
    """
    try:
        return Plan.model_validate(next(iter(values.values()), {}))
    except ValidationError:
        return Plan()


def _read_results(values: Mapping[str, object]) -> dict[str, StepResult]:
    """The results that steps left, by step id, without those that another version wrote."""
    results = {}
    for step_id, value in values.items():
        try:
            results[step_id] = StepResult.model_validate(value)
        except ValidationError:
            continue
    return results


def _explanation(step: Step, plan: Plan, result: StepResult | None) -> Explanation | None:
    if result is not None and result.explanation is not None:
        return result.explanation
    decision = plan.decisions.get(step.id)
    return decision.explanation if decision is not None else None


def _reason(
    step: Step,
    plan: Plan,
    explanation: Explanation | None,
    status: StepStatus,
    state: str | None,
    failure: str | None,
) -> str:
    if status in ("Failed", "Canceled"):
        return failure or _why_ended(status, state)
    if state == "up_for_retry" and failure is not None:
        return f"It is tried again. {failure}"
    if explanation is not None:
        return explanation.message
    decision = plan.decisions.get(step.id)
    return decision.message if decision is not None else ""


def _why_ended(status: StepStatus, state: str | None) -> str:
    if state == "upstream_failed":
        return "A step before it failed."
    if status == "Failed":
        return "Its worker was lost, or it was marked as failed in Airflow: its task log there tells more."
    return "Canceled while it ran." if state == "failed" else "The run ended before it could start."
