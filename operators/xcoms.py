"""The XComs by which the tasks of one run tell each other their results: references and words, never data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airloom.execution.names import FAILURE_KEY, PLAN_KEY, RESULT_KEY
from airloom.graph.results import StepResult
from airloom.reuse.plan import Plan


def push_plan(ti: Any, plan: Plan) -> None:
    """Publish the plan of a run, as XCom of the root task."""
    ti.xcom_push(key=PLAN_KEY, value=plan.model_dump(mode="json"))


def pull_plan(ti: Any, root_task_id: str | None) -> Plan:
    """The plan of this run; an empty one if the DAG has no root task or it left no plan."""
    value = ti.xcom_pull(task_ids=root_task_id, key=PLAN_KEY) if root_task_id else None
    return Plan.model_validate(value) if value else Plan()


def push_result(ti: Any, result: StepResult) -> None:
    """Publish the result of a step, as XCom of its task."""
    ti.xcom_push(key=RESULT_KEY, value=result.model_dump(mode="json"))


def push_failure(ti: Any, message: str) -> None:
    """Publish why a step has no result: what failed, or which other step's failure ended it."""
    ti.xcom_push(key=FAILURE_KEY, value=message)


def pull_results(ti: Any, step_ids: Iterable[str]) -> dict[str, StepResult]:
    """The results that steps of this run have published themselves; those that have none are left out."""
    wanted = list(step_ids)
    if not wanted:
        return {}
    values = [ti.xcom_pull(task_ids=step_id, key=RESULT_KEY) for step_id in wanted]
    return {step_id: StepResult.model_validate(value) for step_id, value in zip(wanted, values, strict=True) if value}
