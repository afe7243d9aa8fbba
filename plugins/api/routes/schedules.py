"""Schedules of published pipelines and endpoints. The rights are those on the DAG of the pipeline that they run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select

from airloom.errors import NotFound
from airloom.plugins import runs, schedules
from airloom.plugins.airflow_gateway import (
    READ_RUN,
    SUBMIT,
    CurrentUser,
    Session,
    dag_url,
    is_allowed,
    known_among,
    open_session,
)
from airloom.plugins.api import schedule_schemas as schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.api.schemas import RunList
from airloom.plugins.api.views import run_view
from airloom.plugins.data_schedules import last_check
from airloom.plugins.db.models import WorkspaceRow, utc_now
from airloom.plugins.db.published import ScheduleRow
from airloom.plugins.schedule_documents import pipeline_of
from airloom.plugins.workspaces import find as find_workspace
from airloom.storage.schedules import ClockTrigger, DataTrigger

router = APIRouter(prefix="/workspaces/{ws}/schedules", tags=["schedules"], route_class=limited_route("max_request_mb"))
_ONE = "/{schedule_id}"
_MAY_BE_NULL = ("continue_on_step_failure",)
_FROM_ROW = (
    *("id", "name", "description", "status", "pipeline_id", "endpoint_id", "experiment", "parameters"),
    *("continue_on_step_failure", "dag_id", "created_at", "modified_at"),
)


def dag_of_schedule(request: Request) -> str | None:
    """The DAG id of the pipeline that the schedule in the path runs; None if there is none."""
    query = (
        select(ScheduleRow, WorkspaceRow)
        .join(WorkspaceRow, WorkspaceRow.id == ScheduleRow.workspace_id)
        .where(ScheduleRow.id == request.path_params["schedule_id"], WorkspaceRow.name == request.path_params["ws"])
    )
    with open_session() as session:
        found = session.execute(query).first()
        try:
            return pipeline_of(session, found[1], found[0]).dag_id if found is not None else None
        except NotFound:
            return None


@router.post("", status_code=201, summary="Create a schedule", dependencies=[requires(SUBMIT)])
async def create_schedule(
    ws: str, body: schemas.ScheduleBody, user: CurrentUser, settings: SettingsDep, request: Request
) -> schemas.Schedule:
    """Fires from now on. Needs the right to run the pipeline."""
    asked = schedules.Scheduling(
        **body.model_dump(exclude={"recurrence", "data"}),
        recurrence=body.recurrence.model_dump() if body.recurrence is not None else None,
        data=body.data.model_dump() if body.data is not None else None,
    )

    def create_and_read() -> schemas.Schedule:
        schedule_id = schedules.create(settings, user, ws, asked)
        with open_session() as session:
            workspace = find_workspace(session, settings, ws)
            return _read(session, workspace, schedule_id, request)

    return await in_thread(create_and_read)


@router.get("", summary="List schedules", dependencies=[requires(READ_RUN)])
def list_schedules(
    workspace: WorkspaceDep,
    session: SessionDep,
    user: CurrentUser,
    request: Request,
    active_only: Annotated[bool, Query()] = True,
    pipeline_id: Annotated[str | None, Query()] = None,
    endpoint_id: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.ScheduleList:
    """The newest first; only those whose pipeline the user may read."""
    found = schedules.list_some(
        session,
        workspace,
        active_only=active_only,
        pipeline_id=pipeline_id,
        endpoint_id=endpoint_id,
        limit=limit,
        may_read=lambda dag_id: is_allowed(user, READ_RUN, dag_id),
    )
    known = known_among(row.dag_id for row in found)
    return schemas.ScheduleList(schedules=[_view(row, request, row.dag_id in known) for row in found])


@router.get(_ONE, summary="Read a schedule", dependencies=[requires(READ_RUN, dag_of_schedule)])
def get_schedule(schedule_id: str, workspace: WorkspaceDep, session: SessionDep, request: Request) -> schemas.Schedule:
    """One schedule, with the time at which it fires next."""
    return _read(session, workspace, schedule_id, request)


@router.patch(_ONE, summary="Change a schedule", dependencies=[requires(SUBMIT, dag_of_schedule)])
async def update_schedule(
    ws: str,
    schedule_id: str,
    body: schemas.SchedulePatch,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
) -> schemas.Schedule:
    """Changes what is given. An enabled schedule fires from now on, and not for what it missed."""
    changes = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in changes.items() if value is not None or name in _MAY_BE_NULL}

    def change_and_read() -> schemas.Schedule:
        schedules.change(settings, user, ws, schedule_id, changes)
        with open_session() as session:
            return _read(session, find_workspace(session, settings, ws), schedule_id, request)

    return await in_thread(change_and_read)


@router.get(f"{_ONE}/runs", summary="List the runs of a schedule", dependencies=[requires(READ_RUN, dag_of_schedule)])
def list_runs_of_schedule(
    schedule_id: str,
    workspace: WorkspaceDep,
    session: SessionDep,
    user: CurrentUser,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RunList:
    """The runs that a schedule has started, the newest first; only those whose DAG the user may read."""
    schedule = schedules.find(session, workspace, schedule_id)
    found = runs.list_some(
        session,
        workspace,
        wanted=runs.RunFilter(schedule_id=schedule.id),
        limit=limit,
        may_read=lambda dag_id: is_allowed(user, READ_RUN, dag_id),
    )
    return RunList(runs=[run_view(run, workspace, request) for run in found])


def _read(session: Session, workspace: WorkspaceRow, schedule_id: str, request: Request) -> schemas.Schedule:
    row = schedules.find(session, workspace, schedule_id)
    return _view(row, request, bool(known_among([row.dag_id])))


def _view(row: ScheduleRow, request: Request, known: bool) -> schemas.Schedule:
    clock = ClockTrigger.model_validate(row.recurrence) if row.recurrence is not None else None
    data = DataTrigger.model_validate(row.data_trigger) if row.data_trigger is not None else None
    fires = clock is not None and row.status == "Active"
    return schemas.Schedule.model_validate(
        {
            **{name: getattr(row, name) for name in _FROM_ROW},
            "recurrence": clock.recurrence.model_dump() if clock is not None else None,
            "data": data.model_dump(exclude={"since"}) if data is not None else None,
            "url": dag_url(row.dag_id, f"{request.url.scheme}://{request.url.netloc}"),
            "next_run_at": clock.rule.from_(max(clock.since, utc_now())) if clock is not None and fires else None,
            "last_check": last_check(row.id) if data is not None else None,
            "provisioning_status": "Completed" if known else "Provisioning",
        }
    )
