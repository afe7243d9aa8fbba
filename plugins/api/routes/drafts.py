"""Drafts of pipelines. They are no DAGs yet, so the rights are those on runs in general, as for submitting."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from airloom.plugins import drafts, publishing, workspaces
from airloom.plugins.airflow_gateway import READ_RUN, SUBMIT, CurrentUser, open_session
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import IdempotencyKey, SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.api.views import pipeline_view, read_run
from airloom.plugins.db.published import DraftRow
from airloom.plugins.tags import Tag

router = APIRouter(prefix="/workspaces/{ws}/drafts", tags=["drafts"], route_class=limited_route("max_graph_mb"))
_ONE = "/{draft_id}"
_ORIGIN = {"graph", "pipeline_id", "run_id", "draft_id"}


@router.post("", status_code=201, summary="Make a draft", dependencies=[requires(SUBMIT)])
async def create_draft(ws: str, body: schemas.DraftBody, user: CurrentUser, settings: SettingsDep) -> schemas.Draft:
    """From a pipeline that is sent, or a copy of a published one, of that of a run, or of another draft."""
    origin = drafts.Origin(body.graph, body.pipeline_id, body.run_id, body.draft_id)
    given = body.model_dump(exclude_none=True, exclude=_ORIGIN)

    def create_and_read() -> schemas.Draft:
        draft_id = drafts.create(settings, user, ws, origin, given)
        with open_session() as session:
            return _view(drafts.find(session, workspaces.find(session, settings, ws), draft_id))

    return await in_thread(create_and_read)


@router.get("", summary="List drafts", dependencies=[requires(READ_RUN)])
def list_drafts(
    workspace: WorkspaceDep,
    session: SessionDep,
    tag: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006  # FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.DraftList:
    """The newest first, without their graphs. A `tag` is `name:value`, or a name alone."""
    found = drafts.list_some(session, workspace, [Tag.parse(text) for text in tag], limit)
    return schemas.DraftList(drafts=[_view(row) for row in found])


@router.get(_ONE, summary="Read a draft", dependencies=[requires(READ_RUN)])
def get_draft(draft_id: str, workspace: WorkspaceDep, session: SessionDep) -> schemas.Draft:
    """One draft, without its graph."""
    return _view(drafts.find(session, workspace, draft_id))


@router.get(f"{_ONE}/graph", summary="Read the pipeline of a draft", dependencies=[requires(READ_RUN)])
def get_draft_graph(draft_id: str, workspace: WorkspaceDep, session: SessionDep) -> schemas.GraphOfRun:
    """The pipeline as it is now."""
    return schemas.GraphOfRun(graph=drafts.find(session, workspace, draft_id).graph)


@router.patch(_ONE, summary="Change a draft", dependencies=[requires(SUBMIT)])
def update_draft(
    draft_id: str, body: schemas.DraftPatch, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep
) -> schemas.Draft:
    """Changes what is given; a graph, parameters and tags are replaced as a whole."""
    row = drafts.find(session, workspace, draft_id)
    drafts.change(settings, session, workspace.name, row, body.model_dump(exclude_none=True))
    return _view(row)


@router.delete(_ONE, status_code=204, summary="Delete a draft", dependencies=[requires(SUBMIT)])
def delete_draft(draft_id: str, workspace: WorkspaceDep, session: SessionDep) -> Response:
    """Its runs, and what was published from it, stay."""
    drafts.delete(session, workspace, draft_id)
    return Response(status_code=204)


@router.post(f"{_ONE}/runs", status_code=201, summary="Run a draft", dependencies=[requires(SUBMIT)])
async def submit_draft(
    ws: str,
    draft_id: str,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> schemas.Run:
    """Runs the draft as it is now, in its experiment and with its parameters."""
    return await in_thread(
        lambda: read_run(settings, ws, drafts.submit(settings, user, ws, draft_id, idempotency_key), request)
    )


@router.post(f"{_ONE}/publish", status_code=201, summary="Publish a draft", dependencies=[requires(SUBMIT)])
async def publish_draft(
    ws: str, draft_id: str, user: CurrentUser, settings: SettingsDep, request: Request
) -> schemas.PublishedPipeline:
    """Publishes the draft as it is now, under its name; its parameters become the defaults."""

    def publish_and_read() -> schemas.PublishedPipeline:
        pipeline_id = drafts.publish(settings, user, ws, draft_id)
        with open_session() as session:
            workspace = workspaces.find(session, settings, ws)
            return pipeline_view(publishing.find(session, workspace, pipeline_id), workspace, settings, request)

    return await in_thread(publish_and_read)


def _view(row: DraftRow) -> schemas.Draft:
    return schemas.Draft.model_validate(row, from_attributes=True)
