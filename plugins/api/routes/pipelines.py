"""Published pipelines: a pipeline with a stable id, which other systems run again and again.

The rights are those on the pipeline's own DAG: who may run it may publish, enable and submit it, who may read it may
list and see it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from airloom.plugins import publishing, workspaces
from airloom.plugins.airflow_gateway import READ, SUBMIT, CurrentUser, is_allowed, open_session
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import dag_of_pipeline, requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import IdempotencyKey, SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.api.views import pipeline_view, read_run
from airloom.plugins.publishing import Publishing
from airloom.plugins.settings import Settings
from airloom.plugins.submission import RunRequest, start

router = APIRouter(
    prefix="/workspaces/{ws}/pipelines", tags=["published pipelines"], route_class=limited_route("max_graph_mb")
)
_ONE = "/{pipeline_id}"


@router.post("", status_code=201, summary="Publish a pipeline", dependencies=[requires(SUBMIT)])
async def publish_pipeline(
    ws: str, body: schemas.PipelineBody, user: CurrentUser, settings: SettingsDep, request: Request
) -> schemas.PublishedPipeline:
    """Checks and stores the pipeline; when this returns, it is a DAG in Airflow and can be run."""
    asked = Publishing(**body.model_dump())

    def publish_and_read() -> schemas.PublishedPipeline:
        return _read(settings, ws, publishing.publish(settings, user, ws, asked), request)

    return await in_thread(publish_and_read)


@router.get("", summary="List published pipelines", dependencies=[requires(READ)])
def list_pipelines(
    workspace: WorkspaceDep,
    session: SessionDep,
    settings: SettingsDep,
    user: CurrentUser,
    request: Request,
    active_only: Annotated[bool, Query()] = True,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.PipelineList:
    """The newest first; only those whose DAG the user may read."""
    found = publishing.list_some(
        session,
        workspace,
        active_only=active_only,
        limit=limit,
        may_read=lambda dag_id: is_allowed(user, READ, dag_id),
    )
    return schemas.PipelineList(pipelines=[pipeline_view(row, workspace, settings, request) for row in found])


@router.get(_ONE, summary="Read a published pipeline", dependencies=[requires(READ, dag_of_pipeline)])
def get_pipeline(
    pipeline_id: str, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep, request: Request
) -> schemas.PublishedPipeline:
    """One published pipeline, with its steps and parameters."""
    return pipeline_view(publishing.find(session, workspace, pipeline_id), workspace, settings, request)


@router.get(f"{_ONE}/graph", summary="Read what was published", dependencies=[requires(READ, dag_of_pipeline)])
def get_pipeline_graph(
    pipeline_id: str, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep
) -> schemas.GraphOfRun:
    """The pipeline as it was published; it never changes."""
    graph = publishing.graph_of(settings, publishing.find(session, workspace, pipeline_id))
    return schemas.GraphOfRun(graph=graph.model_dump(mode="json"))


@router.patch(_ONE, summary="Enable or disable a published pipeline", dependencies=[requires(SUBMIT, dag_of_pipeline)])
def update_pipeline(
    ws: str, pipeline_id: str, body: schemas.PipelinePatch, settings: SettingsDep, request: Request
) -> schemas.PublishedPipeline:
    """No runs of a disabled pipeline can be made; those under way go on."""
    publishing.set_status(settings, ws, pipeline_id, body.status)
    return _read(settings, ws, pipeline_id, request)


@router.post(
    f"{_ONE}/runs",
    status_code=201,
    summary="Submit a published pipeline",
    dependencies=[requires(SUBMIT, dag_of_pipeline)],
)
async def submit_pipeline(
    ws: str,
    pipeline_id: str,
    body: schemas.StartBody,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> schemas.Run:
    """Starts a run with these parameters, and the defaults of the others."""
    asked = RunRequest(**body.model_dump(), idempotency_key=idempotency_key)

    def start_and_read() -> schemas.Run:
        with open_session() as session:
            target = publishing.find(session, workspaces.find(session, settings, ws), pipeline_id)
        return read_run(settings, ws, start(settings, user, ws, target, asked), request)

    return await in_thread(start_and_read)


def _read(settings: Settings, ws: str, pipeline_id: str, request: Request) -> schemas.PublishedPipeline:
    with open_session() as session:
        workspace = workspaces.find(session, settings, ws)
        return pipeline_view(publishing.find(session, workspace, pipeline_id), workspace, settings, request)
