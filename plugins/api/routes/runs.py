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
    is_allowed,
    open_session,
)
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import dag_of_run, requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import IdempotencyKey, SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.api.views import read_run, run_view
from airloom.plugins.submission import RunRequest, submit
from airloom.plugins.tags import Tag
from airloom.plugins.visibility import make_known
from airloom.plugins.workspaces import find as find_workspace
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

router = APIRouter(prefix="/workspaces/{ws}", tags=["runs"], route_class=limited_route("max_graph_mb"))
_OF_RUN = "/runs/{run_id}"


@router.post("/experiments/{exp}/runs", status_code=201, summary="Submit a pipeline", dependencies=[requires(SUBMIT)])
async def submit_run(
    ws: str,
    exp: str,
    body: schemas.RunBody,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> schemas.Run:
    """Checks and stores the pipeline, waits until Airflow has it, and starts the run."""
    asked = RunRequest(
        experiment=exp,
        parameters=body.parameters,
        reuse="refresh" if body.regenerate_outputs else body.reuse,
        description=body.description,
        display_name=body.display_name,
        tags=body.tags,
        properties=body.properties,
        continue_on_step_failure=body.continue_on_step_failure,
        idempotency_key=idempotency_key,
    )
    return await in_thread(lambda: read_run(settings, ws, submit(settings, user, ws, body.graph, asked), request))


@router.get("/runs", summary="List runs", dependencies=[requires(READ_RUN)])
def list_runs(
    workspace: WorkspaceDep,
    session: SessionDep,
    user: CurrentUser,
    request: Request,
    experiment: Annotated[str | None, Query()] = None,
    status: Annotated[schemas.RunStatus | None, Query()] = None,
    pipeline_id: Annotated[str | None, Query()] = None,
    schedule_id: Annotated[str | None, Query()] = None,
    tag: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006  # FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.RunList:
    """The newest runs first; only those whose DAG the user may read. A `tag` is `name:value`, or a name alone."""
    found = runs.list_some(
        session,
        workspace,
        wanted=runs.RunFilter(experiment, status, pipeline_id, schedule_id, [Tag.parse(text) for text in tag]),
        limit=limit,
        may_read=lambda dag_id: is_allowed(user, READ_RUN, dag_id),
    )
    return schemas.RunList(runs=[run_view(run, workspace, request) for run in found])


@router.get(_OF_RUN, summary="Read a run", dependencies=[requires(READ_RUN, dag_of_run)])
def get_run(run_id: str, workspace: WorkspaceDep, session: SessionDep, request: Request) -> schemas.Run:
    """One run, with its state as it is now."""
    return run_view(runs.find(session, workspace, run_id), workspace, request)


@router.patch(_OF_RUN, summary="Change a run", dependencies=[requires(CHANGE_RUN, dag_of_run)])
def update_run(
    run_id: str, body: schemas.RunPatch, workspace: WorkspaceDep, session: SessionDep, request: Request
) -> schemas.Run:
    """Changes what is given; tags are replaced as a whole."""
    row = runs.find_row(session, workspace, run_id)
    for field, value in body.model_dump(exclude_none=True).items():
        setattr(row, field, value)
    session.flush()
    return run_view(runs.find(session, workspace, run_id), workspace, request)


@router.post(f"{_OF_RUN}/cancel", summary="Cancel a run", dependencies=[requires(CHANGE_RUN, dag_of_run)])
def cancel_run(run_id: str, workspace: WorkspaceDep, session: SessionDep, request: Request) -> schemas.Run:
    """Ends running steps and starts no more. A run that has ended already stays as it is."""
    runs.cancel(session, runs.find_row(session, workspace, run_id))
    session.flush()
    return run_view(runs.find(session, workspace, run_id), workspace, request)


@router.post(f"{_OF_RUN}/resume", summary="Resume a run", dependencies=[requires(CHANGE_RUN, dag_of_run)])
async def resume_run(ws: str, run_id: str, settings: SettingsDep, request: Request) -> schemas.Run:
    """Lets a run that failed or was canceled go on from the steps that have no result; the others are kept."""

    def resume_and_read() -> schemas.Run:
        definitions = DefinitionStore(open_store(settings.store))
        with open_session() as session:
            row = runs.find_row(session, find_workspace(session, settings, ws), run_id)
        definition = definitions.get(row.definition)
        make_known(definition, row.dag_id, definitions, settings.dag_timeout_seconds)  # it may have been cleared away
        with open_session() as session:
            runs.resume(session, find_workspace(session, settings, ws), run_id, definition.graph)
        return read_run(settings, ws, run_id, request)

    return await in_thread(resume_and_read)


@router.get(f"{_OF_RUN}/graph", summary="Read the pipeline of a run", dependencies=[requires(READ_RUN, dag_of_run)])
def get_graph(run_id: str, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep) -> schemas.GraphOfRun:
    """The pipeline as it was submitted."""
    row = runs.find_row(session, workspace, run_id)
    definition = DefinitionStore(open_store(settings.store)).get(row.definition)
    return schemas.GraphOfRun(graph=definition.graph.model_dump(mode="json"))
