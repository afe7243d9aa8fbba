"""Airflow's runs, the states of their tasks, and what the tasks left as XCom."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import quote

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.api_fastapi.common.dagbag import create_dag_bag
from airflow.configuration import conf
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.xcom import XComModel
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from airloom.errors import NotFound
from airloom.plugins.errors import BadRequest

DAG_RUNS = select(
    DagRun.dag_id, DagRun.run_id, DagRun._state.label("state"), DagRun.start_date, DagRun.end_date
).subquery("airflow_dag_run")
"""Airflow's runs with the columns dag_id, run_id, state, start_date and end_date, to be joined with ours."""

RUN_ORIGINS = select(
    DagRun.id.label("number"),
    DagRun.dag_id,
    DagRun.run_id,
    DagRun.conf,
    DagRun.created_at,
    DagRun.triggered_by,
    DagRun.triggering_user_name.label("user_name"),
).subquery("airflow_run_origin")
"""Airflow's runs with what they were started with, when and by whom; to be joined with our tables.

`number` grows from run to run, but for those that are made at the same moment.
"""

BY_HAND = DagRunTriggeredByType.UI
"""Value of `triggered_by` in RUN_ORIGINS for a run that was started with Airflow's own form."""


@cache
def _known_dags() -> DBDagBag:
    """DAGs that runs were made of, kept as Airflow's own API keeps them: they are read once for many runs."""
    return create_dag_bag()


def create_run(session: Session, dag_id: str, run_id: str, run_conf: dict[str, Any], user_name: str) -> None:
    """Create a run of a known DAG within the caller's transaction: it exists once the caller commits."""
    dag = _known_dags().get_latest_version_of_dag(dag_id, session=session)
    if dag is None:
        raise NotFound(f"Airflow no longer has the DAG {dag_id!r}.", hint="Submit again.", target=dag_id)
    try:
        dag.create_dagrun(
            run_id=run_id,
            run_after=datetime.now(UTC),
            conf=run_conf,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=user_name,
            state=DagRunState.QUEUED,
            session=session,
        )
    except (ParamValidationError, ValueError) as error:
        raise BadRequest(f"Airflow refuses the run: {error}", target=dag_id) from error


def cancel_run(session: Session, dag_id: str, run_id: str) -> bool:
    """End a run: its running tasks are killed, the others never start. False if it had ended already."""
    run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id).with_for_update())
    if run is None or run.state in (DagRunState.SUCCESS, DagRunState.FAILED):
        return False
    dag = DBDagBag().get_dag_for_run(run, session=session)
    if dag is None:
        raise NotFound(f"Airflow no longer has the DAG {dag_id!r}, so its tasks cannot be ended.", target=dag_id)
    set_dag_run_state_to_failed(dag=dag, run_id=run_id, commit=True, session=session)
    return True


def restart_run(session: Session, dag_id: str, run_id: str, task_ids: Collection[str]) -> None:
    """Let a run that has ended go on: these tasks are cleared, so that they run again, and the others stay."""
    query = select(TaskInstance).where(
        TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id.in_(task_ids)
    )
    clear_task_instances(list(session.scalars(query)), session, dag_run_state=DagRunState.QUEUED)


@dataclass(frozen=True)
class TaskState:
    """The latest try of a task in a run. `state` is Airflow's word, None before the scheduler has seen it."""

    state: str | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    try_number: int


def task_states(session: Session, dag_id: str, run_id: str) -> dict[str, TaskState]:
    """The states of all tasks of a run, by task id."""
    query = select(
        TaskInstance.task_id,
        TaskInstance.state,
        TaskInstance.queued_dttm,
        TaskInstance.start_date,
        TaskInstance.end_date,
        TaskInstance.try_number,
    ).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.map_index == -1)
    return {
        row.task_id: TaskState(row.state, row.queued_dttm, row.start_date, row.end_date, row.try_number)
        for row in session.execute(query)
    }


def failed_tasks(session: Session, runs: Collection[tuple[str, str]]) -> dict[str, list[str]]:
    """Ids of the tasks that failed, by run id; `runs` are pairs of DAG id and run id."""
    if not runs:
        return {}
    query = (
        select(TaskInstance.run_id, TaskInstance.task_id)
        .where(
            tuple_(TaskInstance.dag_id, TaskInstance.run_id).in_(runs),
            TaskInstance.state == TaskInstanceState.FAILED,
        )
        .order_by(TaskInstance.end_date)
    )
    failed: dict[str, list[str]] = {}
    for run_id, task_id in session.execute(query):
        failed.setdefault(run_id, []).append(task_id)
    return failed


def xcoms(session: Session, dag_id: str, run_id: str, key: str) -> dict[str, Any]:
    """The values that the tasks of a run pushed under a key, by task id."""
    query = select(XComModel.task_id, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == key, XComModel.map_index == -1
    )
    return {row.task_id: XComModel.deserialize_value(row) for row in session.execute(query)}


@dataclass(frozen=True)
class RunFacts:
    """A run of any DAG. `ended_at` is None while it has not ended; `conf` is what it was started with."""

    dag_id: str
    run_id: str
    ended_at: datetime | None
    conf: Mapping[str, Any]


def unfinished_runs(session: Session) -> list[RunFacts]:
    """The runs of all DAGs that have not ended."""
    return [_run_facts(row) for row in session.execute(_RUN_FACTS.where(_UNFINISHED))]


def runs_ended_since(session: Session, dag_ids: Collection[str], since: datetime) -> Iterator[RunFacts]:
    """The runs of these DAGs that ended at or after a time."""
    remaining = iter(sorted(dag_ids))
    while some := list(islice(remaining, _IDS_PER_QUERY)):  # databases limit the values in a query
        query = _RUN_FACTS.where(DagRun.dag_id.in_(some), DagRun.end_date >= since, ~_UNFINISHED)
        yield from (_run_facts(row) for row in session.execute(query))


def has_unfinished_run(session: Session, dag_id: str) -> bool:
    """True if a run of the DAG has not ended."""
    return session.scalar(select(DagRun.run_id).where(DagRun.dag_id == dag_id, _UNFINISHED).limit(1)) is not None


_IDS_PER_QUERY = 500
_UNFINISHED = DagRun._state.in_([str(state) for state in State.unfinished_dr_states])
_RUN_FACTS = select(DagRun.dag_id, DagRun.run_id, DagRun._state.label("state"), DagRun.end_date, DagRun.conf)


def _run_facts(row: Any) -> RunFacts:
    ended_at = row.end_date if row.state not in State.unfinished_dr_states else None
    return RunFacts(row.dag_id, row.run_id, ended_at, row.conf or {})


def run_url(dag_id: str, run_id: str, server: str) -> str:
    """The page of a run in Airflow's UI; `server` is used when `[api] base_url` is not set."""
    return f"{dag_url(dag_id, server)}/runs/{quote(run_id, safe='')}"


def dag_url(dag_id: str, server: str) -> str:
    """The page of a DAG in Airflow's UI."""
    return f"{base_url(server)}/dags/{dag_id}"


def base_url(server: str) -> str:
    """The address under which users reach Airflow; `server`, where the request came in, if none is set."""
    return str(conf.get("api", "base_url", fallback="") or server).rstrip("/")
