"""Runs: submitted, read, changed and canceled. The rights are those on Airflow's runs of the pipeline's DAG."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from airloom.plugins import runs
from airloom.plugins.airflow_gateway import (
    CHANGE_RUN,
    READ_RUN,
    SUBMIT,
    CurrentUser,
    Session,
    is_allowed,
    open_session,
    run_url,
)
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import dag_of_run, requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.settings import Settings
from airloom.plugins.submission import Submission, submit
from airloom.plugins.workspaces import find as find_workspace
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

router = APIRouter(prefix="/workspaces/{ws}", tags=["runs"], route_class=limited_route("max_graph_mb"))
_OF_RUN = "/runs/{run_id}"


@router.post("/experiments/{exp}/runs", status_code=201, summary="Submit a pipeline", dependencies=[requires(SUBMIT)])
async def submit_run(
    ws: str, exp: str, body: schemas.RunBody, user: CurrentUser, settings: SettingsDep, request: Request
) -> schemas.Run:
    """Checks and stores the pipeline, waits until Airflow has it, and starts the run."""
    submission = Submission(
        graph=body.graph,
        parameters=body.parameters,
        reuse="refresh" if body.regenerate_outputs else body.reuse,
        description=body.description,
        display_name=body.display_name,
        tags=body.tags,
        properties=body.properties,
    )

    def submit_and_read() -> schemas.Run:
        run_id = submit(settings, user, ws, exp, submission)
        with open_session() as session:
            return _read(session, settings, ws, run_id, request)

    return await in_thread(submit_and_read)


@router.get("/runs", summary="List runs", dependencies=[requires(READ_RUN)])
def list_runs(
    workspace: WorkspaceDep,
    session: SessionDep,
    user: CurrentUser,
    request: Request,
    experiment: Annotated[str | None, Query()] = None,
    status: Annotated[schemas.RunStatus | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.RunList:
    """The newest runs first; only those whose DAG the user may read."""
    found = runs.list_some(
        session,
        workspace,
        experiment=experiment,
        status=status,
        limit=limit,
        may_read=lambda dag_id: is_allowed(user, READ_RUN, dag_id),
    )
    return schemas.RunList(runs=[_view(run, workspace, request) for run in found])


@router.get(_OF_RUN, summary="Read a run", dependencies=[requires(READ_RUN, dag_of_run)])
def get_run(run_id: str, workspace: WorkspaceDep, session: SessionDep, request: Request) -> schemas.Run:
    """One run, with its state as it is now."""
    return _view(runs.find(session, workspace, run_id), workspace, request)


@router.patch(_OF_RUN, summary="Change a run", dependencies=[requires(CHANGE_RUN, dag_of_run)])
def update_run(
    run_id: str, body: schemas.RunPatch, workspace: WorkspaceDep, session: SessionDep, request: Request
) -> schemas.Run:
    """Changes what is given; tags are replaced as a whole."""
    row = runs.find_row(session, workspace, run_id)
    for field, value in body.model_dump(exclude_none=True).items():
        setattr(row, field, value)
    session.flush()
    return _view(runs.find(session, workspace, run_id), workspace, request)


@router.post(f"{_OF_RUN}/cancel", summary="Cancel a run", dependencies=[requires(CHANGE_RUN, dag_of_run)])
def cancel_run(run_id: str, workspace: WorkspaceDep, session: SessionDep, request: Request) -> schemas.Run:
    """Ends running steps and starts no more. A run that has ended already stays as it is."""
    runs.cancel(session, runs.find_row(session, workspace, run_id))
    session.flush()
    return _view(runs.find(session, workspace, run_id), workspace, request)


@router.get(f"{_OF_RUN}/graph", summary="Read the pipeline of a run", dependencies=[requires(READ_RUN, dag_of_run)])
def get_graph(run_id: str, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep) -> schemas.GraphOfRun:
    """The pipeline as it was submitted."""
    row = runs.find_row(session, workspace, run_id)
    definition = DefinitionStore(open_store(settings.store)).get(row.definition)
    return schemas.GraphOfRun(graph=definition.graph.model_dump(mode="json"))


def _read(session: Session, settings: Settings, ws: str, run_id: str, request: Request) -> schemas.Run:
    workspace = find_workspace(session, settings, ws)
    return _view(runs.find(session, workspace, run_id), workspace, request)


def _view(run: runs.RunView, workspace: WorkspaceRow, request: Request) -> schemas.Run:
    row = run.row
    server = f"{request.url.scheme}://{request.url.netloc}"
    error = schemas.RunError(code=run.error[0], message=run.error[1], steps=list(run.failed)) if run.error else None
    return schemas.Run(
        id=row.id,
        workspace=workspace.name,
        experiment=row.experiment.name,
        display_name=row.display_name,
        status=run.status,
        dag_id=row.dag_id,
        url=run_url(row.dag_id, row.airflow_run_id, server),
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=run.started_at,
        ended_at=run.ended_at,
        description=row.description,
        tags=row.tags,
        properties=row.properties,
        parameters=row.parameters,
        reuse=row.reuse,
        error=error,
    )
