"""Running a step again after its script failed, as often and with such pauses as the pipeline's author asks.

Airflow counts the tries of a task, whatever ended them; its retries also serve tasks whose worker was lost. So the
failures of the script are counted apart, and how long to wait after one is told to Airflow by a retry policy.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

from airloom.errors import AirloomError, EnvironmentFailed, StepFailed

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airloom.graph.model import Retries, Step


class TryAgain(AirflowException):
    """The script failed, and is to be run again after a pause."""

    def __init__(self, message: str, delay: timedelta) -> None:
        super().__init__(message)
        self.delay = delay


class RetryAsAsked(RetryPolicy):
    """Waits as long as TryAgain says; all other exceptions are treated as those of any task."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Called by Airflow in the worker, after the task has raised."""
        if isinstance(exception, TryAgain):
            return RetryDecision.retry(exception.delay, str(exception))
        return RetryDecision.default()


def task_settings(step: Step, retries: int) -> dict[str, Any]:
    """What a task must be told so that its step can be run again, beside the `retries` that it has for other ends."""
    if step.retries is None:
        return {}
    return {"retries": retries + step.retries.count, "retry_policy": RetryAsAsked()}


def try_again(retries: Retries | None, error: AirloomError, context: Context) -> None:
    """Raise TryAgain if the step is to be run again after this error."""
    if retries is None or not isinstance(error, StepFailed | EnvironmentFailed):
        return
    failures = _count_failure(context)
    if failures <= retries.count:
        pause = retries.delay(failures)
        message = f"{error} Failure {failures}; it is run again, at most {retries.count} times, after {pause:g} s."
        raise TryAgain(message, timedelta(seconds=pause)) from error


def _count_failure(context: Context) -> int:
    """How often the script has failed, this time included, since the run began or the task was last cleared."""
    ti: Any = context["ti"]
    first_try = ti.max_tries - ti.task.retries + 1
    key = f"airloom_failures_from_try_{first_try}"
    before: Any = context["task_state_store"].get(key, 0)
    failures = int(before) + 1
    context["task_state_store"].set(key, failures)
    return failures
