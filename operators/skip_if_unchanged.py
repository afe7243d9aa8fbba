"""SkipIfUnchangedSensor: the root task of a pipeline, which skips all steps that have not changed, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import DownstreamTasksSkipped

from airloom.execution.registering import announce_datasets
from airloom.operators.definition import definition_and_run, steps_after_other_tasks
from airloom.operators.secrets import TaskSecrets
from airloom.operators.waiting import LOST_WORKER_RETRIES, RETRY_DELAY, wait_for
from airloom.operators.xcoms import push_plan
from airloom.reuse.plan import Plan, make_plan
from airloom.reuse.workspace import ReuseWorkspace

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airloom.graph.model import Definition
    from airloom.operators.firing import FiredWith


class SkipIfUnchangedSensor(BaseSensorOperator):
    """Plans a run and skips every step whose result is known already; the steps' outputs stay available as XCom.

    Put it upstream of the roots of a pipeline. It covers all Airloom steps of its DAG. While everything that could
    start is being computed by another live run, it waits, and then uses those results.
    Steps that run after tasks of other kinds are left to decide for themselves when they are reached, unless the
    sensor runs after those tasks too.

    `definition` is given by the DAG factory; in a hand-written DAG it is derived from the DAG's Airloom tasks.
    """

    template_fields = ()
    ui_color = "#e8f4ea"
    fired_with: FiredWith | None = None
    """What the DAG's own schedule gives to the runs that it makes."""

    def __init__(self, *, definition: Definition | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("retries", LOST_WORKER_RETRIES)
        kwargs.setdefault("retry_delay", RETRY_DELAY)
        # Never used, as `execute` is our own; without it, each parse would ask the configuration for the default.
        kwargs.setdefault("timeout", 0)
        super().__init__(mode="reschedule", **kwargs)
        self.definition = definition

    def poke(self, context: Context) -> PokeReturnValue:
        """Make the plan; not done while the run has to wait for another one."""
        definition, run = definition_and_run(self, context)
        workspace = ReuseWorkspace.open(definition.store, definition.workspace, TaskSecrets())
        plan = make_plan(definition.graph, workspace, run_id=run.run_id, parameters=run.parameters, reuse=run.reuse)
        plan = plan.without(steps_after_other_tasks(self))
        return PokeReturnValue(not plan.must_wait, plan)

    def execute(self, context: Context) -> None:
        """Plan, publish the plan, and skip the reused steps.

        The list of skipped tasks is left out of Airflow's own bookkeeping on purpose: with it, a reused step that a
        user clears would be skipped again without being asked.
        """
        plan = wait_for(lambda: self._finished_plan(context))
        for step_id, decision in plan.decisions.items():
            self.log.info("%s: %s. %s", step_id, decision.action, decision.message)
        self._announce_datasets(context, plan)
        push_plan(context["ti"], plan)
        self.log.info("%d of %d steps are unchanged.", len(plan.reused), len(plan.decisions))
        if plan.reused:
            raise DownstreamTasksSkipped(tasks=list(plan.reused))

    def _announce_datasets(self, context: Context, plan: Plan) -> None:
        """Outputs that are to become datasets do so too when an earlier run has made them."""
        definition, run = definition_and_run(self, context)
        steps = [definition.graph.step(step_id) for step_id in plan.reused]
        if any(port.registration is not None for step in steps for port in step.outputs):
            storage = ReuseWorkspace.open(definition.store, definition.workspace, TaskSecrets()).storage
            announce_datasets(storage, steps, plan.reused, run.run_id)

    def _finished_plan(self, context: Context) -> Plan | None:
        poked = self.poke(context)
        return poked.xcom_value if poked else None
