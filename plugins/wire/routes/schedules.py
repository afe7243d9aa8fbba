"""Schedules: listed and read. They are made, changed and ended with the SDK, the command, or the API at /airloom."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from airloom.plugins import endpoints, publishing, schedules
from airloom.plugins.airflow_gateway import READ_RUN, Session, is_allowed, known_among
from airloom.plugins.api.auth import dag_of_endpoint, dag_of_pipeline, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep
from airloom.plugins.api.routes.schedules import dag_of_schedule
from airloom.plugins.db.published import ScheduleRow
from airloom.plugins.wire import entities, views
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.calls import MOST, ActiveOnly, Call, CallDep

router = APIRouter(prefix=f"{WORKSPACE}/Schedules", tags=["schedules"], route_class=limited_route("max_request_mb"))


@router.get("", summary="List schedules", dependencies=[requires(READ_RUN)])
def list_schedules(
    call: CallDep, session: SessionDep, active_only: ActiveOnly = False
) -> list[entities.PipelineScheduleEntity]:
    """The newest first; only those whose pipeline the user may read."""
    return _list(call, session, active_only=active_only)


@router.get("/{schedule_id}", summary="Read a schedule", dependencies=[requires(READ_RUN, dag_of_schedule)])
def get_schedule(schedule_id: str, call: CallDep, session: SessionDep) -> entities.PipelineScheduleEntity:
    """One schedule."""
    return _told([schedules.find(session, call.workspace(session), schedule_id)])[0]


@router.get(
    "/Pipeline/{pipeline_id}",
    summary="Schedules of a pipeline",
    dependencies=[requires(READ_RUN, dag_of_pipeline)],
)
def list_schedules_of_pipeline(
    pipeline_id: str, call: CallDep, session: SessionDep
) -> list[entities.PipelineScheduleEntity]:
    """The newest first."""
    publishing.find(session, call.workspace(session), pipeline_id)
    return _list(call, session, pipeline_id=pipeline_id)


@router.get(
    "/PipelineEndpoint/{endpoint_id}",
    summary="Schedules of an endpoint",
    dependencies=[requires(READ_RUN, dag_of_endpoint)],
)
def list_schedules_of_endpoint(
    endpoint_id: str, call: CallDep, session: SessionDep
) -> list[entities.PipelineScheduleEntity]:
    """The newest first."""
    endpoints.find(session, call.workspace(session), endpoint_id)
    return _list(call, session, endpoint_id=endpoint_id)


def _list(
    call: Call,
    session: Session,
    *,
    active_only: bool = False,
    pipeline_id: str | None = None,
    endpoint_id: str | None = None,
) -> list[entities.PipelineScheduleEntity]:
    found = schedules.list_some(
        session,
        call.workspace(session),
        active_only=active_only,
        pipeline_id=pipeline_id,
        endpoint_id=endpoint_id,
        limit=MOST,
        may_read=lambda dag_id: is_allowed(call.user, READ_RUN, dag_id),
    )
    return _told(found)


def _told(rows: Sequence[ScheduleRow]) -> list[entities.PipelineScheduleEntity]:
    known = known_among(row.dag_id for row in rows)
    return [views.schedule(row, row.dag_id in known) for row in rows]
