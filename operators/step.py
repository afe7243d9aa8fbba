"""StepOperator: what all step types have in common as Airflow tasks. A step type adds how it computes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from airloom.errors import AirloomError, AttemptLost, NotFound, StoreUnavailable
from airloom.execution import Busy, RunInfo, StepExecution
from airloom.execution.registering import announce_datasets
from airloom.execution.stop import RunStop
from airloom.operators.definition import definition_and_run
from airloom.operators.lineage import lineage_of
from airloom.operators.links import StepLink
from airloom.operators.retrying import try_again
from airloom.operators.run_context import new_attempt
from airloom.operators.secrets import TaskSecrets
from airloom.operators.skip_if_unchanged import SkipIfUnchangedSensor
from airloom.operators.waiting import LOST_WORKER_RETRIES, RETRY_DELAY, wait_for
from airloom.operators.xcoms import pull_plan, pull_results, push_failure, push_result
from airloom.reuse.plan import Plan
from airloom.reuse.workspace import ReuseWorkspace
from airloom.runner.outputs import remove_remains

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from airloom.graph.model import DataSource, Definition, Step
    from airloom.graph.results import OutputRef, StepResult
    from airloom.operators.firing import FiredWith


STEP_DEFAULTS = {"trigger_rule": "none_failed", "retries": LOST_WORKER_RETRIES, "retry_delay": RETRY_DELAY}
"""What differs from Airflow's own defaults for every step."""


class StepOperator(BaseOperator):
    """A step of a pipeline as an Airflow task: reused if unchanged, else computed by the subclass and recorded.

    A reused step ends as skipped, so steps run unless something before them failed (`none_failed`). A step whose
    worker is lost is tried again. One whose script fails is tried again only if its author asks for it, and then ends
    the run unless it is to continue. Nothing that a pipeline author writes is rendered as a template.
    """

    template_fields = ()
    fired_with: FiredWith | None = None
    """What the DAG's own schedule gives to the runs that it makes."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        StepLink.operators.append(cls)

    def _set_up(
        self,
        step: Step,
        definition: Definition | None,
        sources: Mapping[str, DataSource],
        source_directory: str | Path | None,
    ) -> None:
        """What `__init__` of a step type calls after Airflow's own, which takes `STEP_DEFAULTS`.

        A constructor of this class would cost every task of every parse a quarter more: Airflow wraps the constructor
        of each class, to look for default arguments.
        """
        # In a task group, Airflow puts the group's id before the task's.
        self.step = step if step.id == self.task_id else step.model_copy(update={"id": self.task_id})
        self.definition = definition
        self.sources = dict(sources)
        self.source_directory = source_directory
        self._ended_from_outside = False
        self._done: tuple[Definition, StepResult] | None = None
        if definition is None and self.has_dag():
            known = (task_id for task_id in step.data_upstream() if self.dag.has_task(task_id))
            self.set_upstream([self.dag.get_task(task_id) for task_id in known])

    @abstractmethod
    def cancel(self) -> None:
        """End what `compute` runs, which then raises StepFailed. Returns at once; comes from any thread or signal."""

    def on_kill(self) -> None:
        """Airflow ends this attempt: somebody cleared or failed the task, or the server went away."""
        self._ended_from_outside = True
        self.cancel()

    @abstractmethod
    def compute(
        self, step: Step, definition: Definition, run: RunInfo, attempt: str, results: Mapping[str, StepResult]
    ) -> Mapping[str, OutputRef]:
        """Run the step and return its published outputs by port. Raises StepFailed."""

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any] | None:
        """What the step will read and write, for the OpenLineage provider; None where only a run tells."""
        return lineage_of(self.definition, self.step) if self.definition is not None else None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """What the step has read and written, with the digests of what it wrote."""
        if self._done is None:
            return self.get_openlineage_facets_on_start()
        definition, result = self._done
        return lineage_of(definition, self.step, result)

    def execute(self, context: Context) -> None:
        """Reuse or compute the step, and publish its result as XCom."""
        definition, run = definition_and_run(self, context)
        workspace = ReuseWorkspace.open(definition.store, definition.workspace, TaskSecrets())
        stop = RunStop(workspace.storage, run, enabled=not _goes_on(definition, run))
        self._skip_if_stopped(stop, context["ti"])
        try:
            with stop.watched(self.cancel):
                result = self._result(context, definition, run, workspace, stop)
        except StoreUnavailable:
            raise  # no fault of the pipeline: Airflow tries again
        except AirloomError as error:
            if self._ended_from_outside or isinstance(error, AttemptLost):
                # Not the step's fault: if Airflow still wants the task, it is tried again, and the run goes on.
                raise AirflowException(f"The attempt was ended from outside: {error}") from error
            self._skip_if_stopped(stop, context["ti"])
            push_failure(context["ti"], str(error))
            try_again(self.step.retries, error, context)
            stop.announce(self.step.id)
            raise AirflowFailException(str(error)) from error
        for name in announce_datasets(
            workspace.storage, [self._step_of(definition)], {self.step.id: result}, run.run_id
        ):
            self.log.info("The output becomes a version of the dataset %s.", name)
        self._done = definition, result
        push_result(context["ti"], result)
        if result.explanation is not None:
            self.log.info("%s: %s", result.status, result.explanation.message)
        if result.reused_from is not None:
            raise AirflowSkipException(f"Reused from run {result.reused_from.run_id}.")

    def _result(
        self, context: Context, definition: Definition, run: RunInfo, workspace: ReuseWorkspace, stop: RunStop
    ) -> StepResult:
        step = self._step_of(definition)
        attempt = new_attempt(context)
        plan, results = self._plan_and_upstream_results(context["ti"], step)
        execution = StepExecution(step, definition.graph, run, workspace, attempt, results)
        planned = plan.decisions.get(step.id)

        def unless_busy() -> StepResult | None:
            try:
                return execution.execute(
                    lambda: self.compute(step, definition, run, attempt, results),
                    planned.explanation if planned is not None else None,
                )
            except Busy as busy:
                self.log.info("%s", busy)
                self._skip_if_stopped(stop, context["ti"])
                return None

        result = wait_for(unless_busy)
        if result.reused_from is not None and context["ti"].try_number > 1:
            # Another run has done the step since; else the new attempt would have removed what the killed one left.
            places = [port.datastore or definition.default_datastore for port in step.outputs]
            remove_remains(workspace.storage, places, run.run_id, step.id)
        return result

    def _step_of(self, definition: Definition) -> Step:
        return definition.graph.step(self.step.id)

    def _skip_if_stopped(self, stop: RunStop, ti: Any) -> None:
        failed = stop.announced_by()
        if failed is not None and failed != self.step.id:
            message = f"Step {failed!r} failed, which ends the run."
            push_failure(ti, message)
            raise AirflowSkipException(message)

    def _root_task_id(self) -> str | None:
        roots = [task.task_id for task in self.dag.tasks if isinstance(task, SkipIfUnchangedSensor)]
        return roots[0] if roots else None

    def _plan_and_upstream_results(self, ti: Any, step: Step) -> tuple[Plan, dict[str, StepResult]]:
        """The plan, and the results of all steps whose outputs this one reads.

        What these published themselves counts before the plan. If all of them did, the plan was made before there was
        anything to say of this step, and is not asked for.
        """
        wanted = step.data_upstream()
        results = pull_results(ti, wanted)
        if wanted and len(results) == len(wanted):
            return Plan(), results
        plan = pull_plan(ti, self._root_task_id())
        for step_id in wanted:
            if step_id not in results and step_id in plan.reused:
                results[step_id] = plan.reused[step_id]
        missing = [step_id for step_id in wanted if step_id not in results]
        if missing:
            raise NotFound(
                f"Step {step.id!r} reads outputs of {', '.join(missing)}, which left no result in this run.",
                hint="Clear those tasks, so that they run again.",
            )
        return plan, results


def _goes_on(definition: Definition, run: RunInfo) -> bool:
    """Whether a run goes on after a failed step: as it says itself, else as its pipeline says."""
    own = run.continue_on_step_failure
    return definition.graph.continue_on_step_failure if own is None else own
