"""When a step is run again: how its failures are counted, and what Airflow is told."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import RetryAction

from airloom.errors import AirloomError, EnvironmentFailed, InvalidGraph, StepFailed
from airloom.graph.model import Retries
from airloom.operators.python_script import PythonScriptOperator
from airloom.operators.retrying import RetryAsAsked, TryAgain, try_again
from airloom.operators.waiting import LOST_WORKER_RETRIES
from tests.support.builders import a_graph, a_step
from tests.unit.plugins.conftest import a_definition

TWICE = Retries(count=2, delay_seconds=5, backoff=3)


class Kept(dict[str, Any]):
    """What Airflow keeps for a task from one try to the next."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def a_context(kept: Kept, max_tries: int = 4) -> Any:
    """The context of a task with four retries; clearing it raises `max_tries`."""
    ti = SimpleNamespace(max_tries=max_tries, task=SimpleNamespace(retries=4))
    return {"ti": ti, "task_state_store": kept}


def pause_after(error: AirloomError, context: Any, retries: Retries | None = TWICE) -> float | None:
    """Seconds until the step is run again; None if the failure is final."""
    try:
        try_again(retries, error, context)
    except TryAgain as again:
        return again.delay.total_seconds()
    return None


@pytest.mark.parametrize("error", [StepFailed("exited with code 1"), EnvironmentFailed("no index")])
def test_as_often_as_asked_after_growing_pauses(error: AirloomError) -> None:
    context = a_context(Kept())
    assert [pause_after(error, context) for _ in range(4)] == [5, 15, None, None]


def test_a_task_that_is_cleared_has_its_retries_again() -> None:
    kept = Kept()
    assert [pause_after(StepFailed("x"), a_context(kept)) for _ in range(3)] == [5, 15, None]
    assert [pause_after(StepFailed("x"), a_context(kept, max_tries=7)) for _ in range(3)] == [5, 15, None]


def test_what_trying_again_does_not_mend_is_final() -> None:
    kept = Kept()
    assert pause_after(InvalidGraph("wrong"), a_context(kept)) is None
    assert pause_after(StepFailed("x"), a_context(kept), retries=None) is None
    assert kept == {}


def test_airflow_waits_as_long_as_it_is_told_and_else_as_always() -> None:
    told = RetryAsAsked().evaluate(TryAgain("why", timedelta(seconds=7)), 1, 4)
    assert (told.action, told.retry_delay, told.reason) == (RetryAction.RETRY, timedelta(seconds=7), "why")
    assert RetryAsAsked().evaluate(ValueError(), 1, 4).action is RetryAction.DEFAULT


def test_a_task_has_retries_for_lost_workers_and_for_its_script() -> None:
    step = a_step("one", retries=TWICE)
    task = PythonScriptOperator.from_step(step, a_definition(graph=a_graph(step)))
    assert task.retries == LOST_WORKER_RETRIES + 2
    assert isinstance(task.retry_policy, RetryAsAsked)
    by_hand = PythonScriptOperator(task_id="two", script_name="a.py", script_retries=TWICE, retries=0)
    assert (by_hand.retries, by_hand.step.retries) == (2, TWICE)
    plain = PythonScriptOperator(task_id="three", script_name="a.py")
    assert (plain.retries, plain.retry_policy) == (LOST_WORKER_RETRIES, None)
