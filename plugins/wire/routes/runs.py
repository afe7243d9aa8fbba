"""Runs: read, listed by what they are of, and ended."""

from __future__ import annotations

from fastapi import APIRouter, Response

from airloom.errors import NotFound
from airloom.plugins import publishing, runs, schedules
from airloom.plugins.airflow_gateway import CHANGE_RUN, READ_RUN, Session, is_allowed
from airloom.plugins.api.auth import dag_of_pipeline, dag_of_run, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep
from airloom.plugins.api.routes.schedules import dag_of_schedule
from airloom.plugins.wire import entities
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.calls import MOST, Call, CallDep
from airloom.plugins.wire.reading import run_entity

router = APIRouter(prefix=f"{WORKSPACE}/PipelineRuns", tags=["runs"], route_class=limited_route("max_request_mb"))


@router.get("/{run_id}", summary="Read a run", dependencies=[requires(READ_RUN, dag_of_run)])
def get_run(run_id: str, call: CallDep, session: SessionDep) -> entities.PipelineRunEntity:
    """One run, with its state as it is now."""
    return run_entity(call, runs.find(session, call.workspace(session), run_id))


@router.delete(
    "/{run_id}/Execution",
    summary="Cancel a run",
    response_class=Response,
    dependencies=[requires(CHANGE_RUN, dag_of_run)],
)
def cancel_run(run_id: str, call: CallDep, session: SessionDep) -> Response:
    """Ends running steps and starts no more. A run that has ended already stays as it is."""
    runs.cancel(session, runs.find_row(session, call.workspace(session), run_id))
    return Response()


@router.get(
    "/Pipeline/{pipeline_id}", summary="List the runs of a pipeline", dependencies=[requires(READ_RUN, dag_of_pipeline)]
)
def list_runs_of_pipeline(pipeline_id: str, call: CallDep, session: SessionDep) -> list[entities.PipelineRunEntity]:
    """The newest first, whoever has started them."""
    publishing.find(session, call.workspace(session), pipeline_id)
    return _list(call, session, runs.RunFilter(pipeline_id=pipeline_id))


@router.get(
    "/Schedule/{schedule_id}", summary="List the runs of a schedule", dependencies=[requires(READ_RUN, dag_of_schedule)]
)
def list_runs_of_schedule(schedule_id: str, call: CallDep, session: SessionDep) -> list[entities.PipelineRunEntity]:
    """The newest first; only those whose DAG the user may read."""
    schedules.find(session, call.workspace(session), schedule_id)
    return _list(call, session, runs.RunFilter(schedule_id=schedule_id))


@router.get(
    "/Schedule/{schedule_id}/Last",
    summary="Last run of a schedule",
    dependencies=[requires(READ_RUN, dag_of_schedule)],
)
def get_last_run_of_schedule(schedule_id: str, call: CallDep, session: SessionDep) -> entities.PipelineRunEntity:
    """The newest of those whose DAG the user may read."""
    schedule = schedules.find(session, call.workspace(session), schedule_id)
    found = _list(call, session, runs.RunFilter(schedule_id=schedule_id), limit=1)
    if not found:
        raise NotFound(f"The schedule {schedule.name!r} has made no run yet.", target=schedule_id)
    return found[0]


def _list(call: Call, session: Session, wanted: runs.RunFilter, limit: int = MOST) -> list[entities.PipelineRunEntity]:
    found = runs.list_some(
        session,
        call.workspace(session),
        wanted=wanted,
        limit=limit,
        may_read=lambda dag_id: is_allowed(call.user, READ_RUN, dag_id),
    )
    return [run_entity(call, each) for each in found]
