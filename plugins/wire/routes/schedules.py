"""Schedules: listed and read. They are made, changed and ended with the SDK, the command, or the API at /airloom."""

from __future__ import annotations

from typing import TypeAlias

from fastapi import APIRouter, Request
from sqlalchemy import Select, select

from airloom.errors import NotFound
from airloom.plugins.airflow_gateway import READ, Session, is_allowed, open_session
from airloom.plugins.api.auth import dag_of_pipeline, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import ScheduleRow
from airloom.plugins.wire import entities, views
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.calls import MOST, ActiveOnly, Call, CallDep

router = APIRouter(prefix=f"{WORKSPACE}/Schedules", tags=["schedules"], route_class=limited_route("max_request_mb"))
_Query: TypeAlias = "Select[ScheduleRow]"


def dag_of_schedule(request: Request) -> str | None:
    """The DAG id of the schedule named in the path; None if there is no such schedule."""
    query = (
        select(ScheduleRow.dag_id)
        .join(WorkspaceRow, WorkspaceRow.id == ScheduleRow.workspace_id)
        .where(ScheduleRow.id == request.path_params["schedule_id"], WorkspaceRow.name == request.path_params["ws"])
    )
    with open_session() as session:
        return session.scalar(query)


@router.get("", summary="List schedules", dependencies=[requires(READ)])
def list_schedules(
    call: CallDep, session: SessionDep, active_only: ActiveOnly = False
) -> list[entities.PipelineScheduleEntity]:
    """By name; only those whose DAG the user may read."""
    query = select(ScheduleRow)
    return _list(call, session, query.where(ScheduleRow.status == "Active") if active_only else query)


@router.get("/{schedule_id}", summary="Read a schedule", dependencies=[requires(READ, dag_of_schedule)])
def get_schedule(schedule_id: str, call: CallDep, session: SessionDep) -> entities.PipelineScheduleEntity:
    """One schedule."""
    found = _list(call, session, select(ScheduleRow).where(ScheduleRow.id == schedule_id))
    if not found:
        raise NotFound(
            f"Workspace {call.ws!r} has no schedule {schedule_id[:80]!r}.",
            hint="Check the id.",
            target=schedule_id[:80],
        )
    return found[0]


@router.get(
    "/Pipeline/{pipeline_id}",
    summary="Schedules of a pipeline",
    dependencies=[requires(READ, dag_of_pipeline)],
)
def list_schedules_of_pipeline(
    pipeline_id: str, call: CallDep, session: SessionDep
) -> list[entities.PipelineScheduleEntity]:
    """By name; only those whose DAG the user may read."""
    return _list(call, session, select(ScheduleRow).where(ScheduleRow.pipeline_id == pipeline_id))


@router.get("/PipelineEndpoint/{endpoint_id}", summary="Schedules of an endpoint", dependencies=[requires(READ)])
def list_schedules_of_endpoint(
    endpoint_id: str, call: CallDep, session: SessionDep
) -> list[entities.PipelineScheduleEntity]:
    """By name; only those whose DAG the user may read."""
    return _list(call, session, select(ScheduleRow).where(ScheduleRow.endpoint_id == endpoint_id))


def _list(call: Call, session: Session, query: _Query) -> list[entities.PipelineScheduleEntity]:
    of_workspace = query.where(ScheduleRow.workspace_id == call.workspace(session).id).order_by(ScheduleRow.name)
    rows = [row for row in session.scalars(of_workspace) if is_allowed(call.user, READ, row.dag_id)]
    return [views.schedule(row) for row in rows[:MOST]]
