"""The only module that touches Airflow's internals.

Everything the server needs of Airflow passes through here: the user and his rights, database sessions, runs and their
states, XComs and pools. When Airflow changes, this module changes and nothing else does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
    PoolDetails,
)
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.exceptions import PoolNotFound
from airflow.models.dag import DagModel
from airflow.models.dagbag import DagPriorityParsingRequest, DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.errors import ParseImportError
from airflow.models.pool import Pool
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from airflow.version import version as AIRFLOW_VERSION
from fastapi import Depends
from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from airloom.errors import NotFound
from airloom.plugins.errors import BadRequest

__all__ = ["AIRFLOW_VERSION", "BaseUser", "CurrentUser", "Session", "get_user"]

CurrentUser = Annotated[BaseUser, Depends(get_user)]

# --- sessions ---------------------------------------------------------------------------------------------------


@contextmanager
def open_session() -> Iterator[Session]:
    """A database session of its own: committed at the end of the block, rolled back on an exception."""
    with create_session(scoped=False) as session:
        yield session


# --- rights -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Right:
    """A right in Airflow's own terms, which every auth manager knows how to answer for."""

    resource: Literal["dag", "connection", "pool"]
    method: Literal["GET", "POST", "PUT", "DELETE"]
    entity: DagAccessEntity | None = None


READ = Right("dag", "GET")
READ_RUN = Right("dag", "GET", DagAccessEntity.RUN)
READ_LOGS = Right("dag", "GET", DagAccessEntity.TASK_LOGS)
SUBMIT = Right("dag", "POST", DagAccessEntity.RUN)
CHANGE_RUN = Right("dag", "PUT", DagAccessEntity.RUN)


def is_allowed(user: BaseUser, right: Right, name: str | None = None) -> bool:
    """Ask the auth manager. `name` is a DAG id, connection id or pool; None asks for the kind of thing in general."""
    manager: Any = get_auth_manager()
    match right.resource:
        case "dag":
            details = DagDetails(id=name, team_name=_team_of_dag(name))
            return bool(
                manager.is_authorized_dag(method=right.method, access_entity=right.entity, details=details, user=user)
            )
        case "connection":
            return bool(
                manager.is_authorized_connection(
                    method=right.method, details=ConnectionDetails(conn_id=name), user=user
                )
            )
        case "pool":
            return bool(manager.is_authorized_pool(method=right.method, details=PoolDetails(name=name), user=user))


def _team_of_dag(dag_id: str | None) -> str | None:
    if dag_id is None or not conf.getboolean("core", "multi_team", fallback=False):
        return None
    with open_session() as session:
        return DagModel.get_team_name(dag_id, session=session)


# --- runs -------------------------------------------------------------------------------------------------------

DAG_RUNS = select(
    DagRun.dag_id, DagRun.run_id, DagRun._state.label("state"), DagRun.start_date, DagRun.end_date
).subquery("airflow_dag_run")
"""Airflow's runs with the columns dag_id, run_id, state, start_date and end_date, to be joined with ours."""


def dag_is_known(dag_id: str) -> bool:
    """True once Airflow has parsed the DAG, so that it can be run."""
    query = (
        select(DagModel.dag_id)
        .join(SerializedDagModel, SerializedDagModel.dag_id == DagModel.dag_id)
        .where(DagModel.dag_id == dag_id, ~DagModel.is_stale)
        .limit(1)
    )
    with open_session() as session:
        return session.scalar(query) is not None


def bundle_of_class(class_path: str) -> str | None:
    """The name of the configured DAG bundle of a class; None if this server's configuration has none."""
    bundles: Any = conf.getjson("dag_processor", "dag_bundle_config_list", fallback=[]) or []
    return next((str(bundle["name"]) for bundle in bundles if bundle.get("classpath") == class_path), None)


def request_parsing(bundle: str, file: str) -> None:
    """Ask the DAG processor to refresh a bundle and parse one of its files before all others."""
    try:
        with open_session() as session:
            session.add(DagPriorityParsingRequest(bundle_name=bundle, relative_fileloc=file))
    except IntegrityError:
        return  # asked for already, and not begun yet


def import_errors(bundle: str, file: str) -> list[str]:
    """What went wrong when Airflow last parsed a file of a bundle: the last line of each traceback."""
    query = select(ParseImportError.stacktrace).where(
        ParseImportError.bundle_name == bundle, ParseImportError.filename == file
    )
    with open_session() as session:
        traces = [trace.strip() for trace in session.scalars(query) if trace]
    return [trace.splitlines()[-1] for trace in traces if trace]


def create_run(session: Session, dag_id: str, run_id: str, run_conf: dict[str, Any], user_name: str) -> None:
    """Create a run of a known DAG within the caller's transaction: it exists once the caller commits."""
    dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
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


def run_url(dag_id: str, run_id: str, server: str) -> str:
    """The page of a run in Airflow's UI; `server` is used when `[api] base_url` is not set."""
    base = (conf.get("api", "base_url", fallback="") or server).rstrip("/")
    return f"{base}/dags/{dag_id}/runs/{run_id}"


# --- pools ------------------------------------------------------------------------------------------------------


def put_pool(session: Session, name: str, slots: int, description: str) -> None:
    """Create or change a pool."""
    Pool.create_or_update_pool(name, slots, description, include_deferred=True, session=session)


def delete_pool(session: Session, name: str) -> None:
    """Remove a pool, if it is there."""
    try:
        Pool.delete_pool(name, session=session)
    except PoolNotFound:
        return
