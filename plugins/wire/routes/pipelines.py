"""Published pipelines: listed, read, enabled and disabled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response

from airloom.plugins import publishing
from airloom.plugins.airflow_gateway import READ, SUBMIT, is_allowed
from airloom.plugins.api.auth import dag_of_pipeline, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep
from airloom.plugins.errors import BadRequest
from airloom.plugins.publishing import Status
from airloom.plugins.wire import entities
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.calls import MOST, ActiveOnly, CallDep
from airloom.plugins.wire.reading import pipeline_entities

router = APIRouter(prefix=f"{WORKSPACE}/Pipelines", tags=["pipelines"], route_class=limited_route("max_request_mb"))
_STATUS: dict[str, Status] = {"active": "Active", "0": "Active", "disabled": "Disabled", "2": "Disabled"}


@router.get("", summary="List published pipelines", dependencies=[requires(READ)])
def list_pipelines(
    call: CallDep, session: SessionDep, active_only: ActiveOnly = False
) -> list[entities.PipelineEntity]:
    """The newest first; only those whose DAG the user may read."""
    found = publishing.list_some(
        session,
        call.workspace(session),
        active_only=active_only,
        limit=MOST,
        may_read=lambda dag_id: is_allowed(call.user, READ, dag_id),
    )
    return pipeline_entities(call, found)


@router.get("/{pipeline_id}", summary="Read a published pipeline", dependencies=[requires(READ, dag_of_pipeline)])
def get_pipeline(pipeline_id: str, call: CallDep, session: SessionDep) -> entities.PipelineEntity:
    """One published pipeline; its assignments are the defaults of its parameters."""
    return pipeline_entities(call, [publishing.find(session, call.workspace(session), pipeline_id)])[0]


@router.put(
    "/{pipeline_id}/status",
    summary="Enable or disable a published pipeline",
    response_class=Response,
    dependencies=[requires(SUBMIT, dag_of_pipeline)],
)
def set_status(pipeline_id: str, status: Annotated[str | int, Body()], call: CallDep) -> Response:
    """The body is `"Active"` or `"Disabled"`, or the number that stands for it: 0 or 2."""
    wanted = _STATUS.get(str(status).lower())
    if wanted is None:
        raise BadRequest(
            f"{str(status)[:80]!r} is no status of a pipeline.", hint='Send "Active" or "Disabled".', target="body"
        )
    publishing.set_status(call.settings, call.ws, pipeline_id, wanted)
    return Response()
