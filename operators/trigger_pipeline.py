"""TriggerPipelineOperator: the one task of a schedule's DAG, which runs the pipeline of the schedule."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, ErrorType

from airloom.errors import AirloomError, StoreUnavailable
from airloom.execution.names import REUSE_PARAM, RUN_KEY
from airloom.graph.expressions import Moment, evaluate_all
from airloom.graph.validate import check_parameters
from airloom.operators.definition import store_address
from airloom.operators.hand_over import hand_over_changes, leave_word
from airloom.storage.definitions import DefinitionStore, digest16_of_dag_id
from airloom.storage.object_store import ObjectStore, open_store
from airloom.storage.schedules import ScheduleDocument, ScheduleStore

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

SOURCE = "Schedule"
RUN_ID_KEY = "airloom_run_id"
"""XCom of the task: the id of the run that it has started, or the ids."""

_RUN_IDS_IN_XCOM = 100

RETRIES = 5
RETRY_DELAY = timedelta(seconds=10)


class TriggerPipelineOperator(BaseOperator):
    """Fires a schedule: starts a run of its pipeline, or of the pipeline that its endpoint has as default by now.

    The run's id follows from the schedule and from what fired it. So whoever fires the same twice (a retry, a second
    scheduler, an Airflow user who clears the task) starts one run only: Airflow refuses the second.
    """

    template_fields = ()
    ui_color = "#e6eefc"

    def __init__(self, *, schedule: str, **kwargs: Any) -> None:
        kwargs.setdefault("retries", RETRIES)
        kwargs.setdefault("retry_delay", RETRY_DELAY)
        super().__init__(**kwargs)
        self.schedule = schedule

    def execute(self, context: Context) -> None:
        """Read the schedule as it is now, and start what is due."""
        store = open_store(store_address())
        try:
            document = ScheduleStore(store).get(self.schedule)
        except StoreUnavailable as error:
            raise AirflowException(str(error)) from error
        except AirloomError as error:
            raise AirflowFailException(str(error)) from error
        if document.status != "Active":
            raise AirflowSkipException(f"The schedule {document.name!r} is disabled.")
        if document.obstacle:
            leave_word(store, document, document.obstacle)
            raise AirflowFailException(document.obstacle)
        _check_not_missed(document, context)
        fire = fire_by_clock if document.data is None else fire_by_changes
        started = fire(store, document, context)
        context["ti"].xcom_push(key=RUN_ID_KEY, value=started)


def fire_by_clock(store: ObjectStore, document: ScheduleDocument, context: Mapping[str, Any]) -> str:
    """Start the run of one instant; returns its id."""
    instant = fire_instant(context)
    run_id = run_id_of(document, instant.isoformat())
    start_run(store, document, run_id, moment_of(document, context, run_id))
    return run_id


def fire_by_changes(store: ObjectStore, document: ScheduleDocument, context: Mapping[str, Any]) -> list[str]:
    """Start the runs of what has changed in the folder that is watched; returns the ids of the first of them."""
    moment = moment_of(document, context, run_id_of(document, context["dag_run"].run_id))
    try:
        runs = hand_over_changes(
            store,
            document,
            lambda: run_conf(store, document, moment),
            lambda run: _trigger(run.dag_id, run.run_id, run.conf),
        )
    except StoreUnavailable as error:
        raise AirflowException(str(error)) from error
    except AirloomError as error:
        raise AirflowFailException(f"The schedule {document.name!r} cannot hand over changes: {error}") from error
    return [run.run_id for run in runs[:_RUN_IDS_IN_XCOM]]


def _check_not_missed(document: ScheduleDocument, context: Mapping[str, Any]) -> None:
    """Skip what Airflow's scheduler made too late, for it was away: the latest instant that was missed is enough.

    A run that somebody clears or asks a backfill for is wanted as it is.
    """
    run = context["dag_run"]
    if document.clock is None or run.run_type != "scheduled" or run.clear_number or run.start_date is None:
        return
    following = document.clock.rule.after(fire_instant(context))
    if following is not None and following <= run.start_date:
        raise AirflowSkipException(
            f"Airflow was away at {fire_instant(context).isoformat()}; {following.isoformat()} was due as well by the "
            "time it was back."
        )


def fire_instant(context: Mapping[str, Any]) -> datetime:
    """The instant that a run of the schedule's DAG stands for: its own, or when somebody started it by hand."""
    run = context["dag_run"]
    instant: datetime = run.logical_date or run.run_after
    return instant.astimezone(UTC)


def moment_of(document: ScheduleDocument, context: Mapping[str, Any], run_id: str) -> Moment:
    """What expressions can ask for. The same for all tries of a task, so that they all would start the same run."""
    instant = fire_instant(context)
    started: datetime = context["dag_run"].start_date or instant
    return Moment(instant, started.astimezone(UTC), run_id, document.created_by)


def run_id_of(document: ScheduleDocument, what: str) -> str:
    """The id of the run that a schedule starts for `what`: always the same, and no other's."""
    return str(uuid.uuid5(uuid.UUID(document.id), what))


def start_run(store: ObjectStore, document: ScheduleDocument, run_id: str, moment: Moment) -> None:
    """Start a run of the schedule's pipeline unless there is one of this id.

    Raises AirflowFailException for what trying again does not mend, and other AirflowExceptions for the rest.
    """
    try:
        conf = run_conf(store, document, moment)
    except StoreUnavailable as error:
        raise AirflowException(str(error)) from error
    except AirloomError as error:
        raise AirflowFailException(f"The schedule {document.name!r} cannot start a run: {error}") from error
    _trigger(document.pipeline.dag_id, run_id, conf)


def run_conf(store: ObjectStore, document: ScheduleDocument, moment: Moment) -> dict[str, Any]:
    """The configuration of a run of the schedule's pipeline, with what expressions stand for at this moment."""
    definition = DefinitionStore(store).get(digest16_of_dag_id(document.pipeline.dag_id))
    values = check_parameters(definition.graph, evaluate_all(document.parameters, moment))
    return {**values, REUSE_PARAM: "auto", RUN_KEY: _about_run(document)}


def _about_run(document: ScheduleDocument) -> dict[str, Any]:
    about = {
        "experiment": document.experiment,
        "schedule_id": document.id,
        "source": SOURCE,
        "endpoint_id": document.pipeline.endpoint_id,
        "continue_on_step_failure": document.continue_on_step_failure,
    }
    return {name: value for name, value in about.items() if value is not None}


def _trigger(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
    """Ask Airflow for a run, by the channel that tasks have."""
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # exists in tasks only

    answer = SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=conf))
    if isinstance(answer, ErrorResponse):
        if answer.error != ErrorType.DAGRUN_ALREADY_EXISTS:
            raise AirflowException(
                f"Airflow refuses the run {run_id} of {dag_id}: {answer.error.value} {answer.detail}"
            )
        log.info("The run %s of %s is there already.", run_id, dag_id)
    else:
        log.info("Started the run %s of %s.", run_id, dag_id)
