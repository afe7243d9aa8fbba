"""Endpoints: stable names in front of published pipelines.

The rights are those on the DAG of the default version's pipeline; to add or to submit another version, those on that
pipeline's DAG count too.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from airloom.plugins import endpoints, workspaces
from airloom.plugins.airflow_gateway import READ, SUBMIT, CurrentUser, is_allowed, open_session
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import dag_of_endpoint, requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import IdempotencyKey, SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.api.views import endpoint_view, read_run
from airloom.plugins.endpoints import Change, NewEndpoint
from airloom.plugins.settings import Settings
from airloom.plugins.submission import RunRequest

router = APIRouter(prefix="/workspaces/{ws}/endpoints", tags=["endpoints"], route_class=limited_route("max_request_mb"))
_ONE = "/{endpoint_id}"


@router.post("", status_code=201, summary="Create an endpoint", dependencies=[requires(SUBMIT)])
def create_endpoint(
    ws: str, body: schemas.EndpointBody, user: CurrentUser, settings: SettingsDep, request: Request
) -> schemas.Endpoint:
    """Its version 0, the default, is the published pipeline."""
    return _read(settings, ws, endpoints.create(settings, user, ws, NewEndpoint(**body.model_dump())), request)


@router.get("", summary="List endpoints", dependencies=[requires(READ)])
def list_endpoints(
    workspace: WorkspaceDep,
    session: SessionDep,
    user: CurrentUser,
    request: Request,
    active_only: Annotated[bool, Query()] = True,
    name: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.EndpointList:
    """By name; only those of whose default pipeline the user may read the DAG."""
    found = endpoints.list_some(
        session,
        workspace,
        active_only=active_only,
        name=name,
        limit=limit,
        may_read=lambda dag_id: is_allowed(user, READ, dag_id),
    )
    return schemas.EndpointList(endpoints=[endpoint_view(row, workspace, request) for row in found])


@router.get(_ONE, summary="Read an endpoint", dependencies=[requires(READ, dag_of_endpoint)])
def get_endpoint(endpoint_id: str, workspace: WorkspaceDep, session: SessionDep, request: Request) -> schemas.Endpoint:
    """One endpoint with all its versions."""
    return endpoint_view(endpoints.find(session, workspace, endpoint_id), workspace, request)


@router.patch(_ONE, summary="Change an endpoint", dependencies=[requires(SUBMIT, dag_of_endpoint)])
def update_endpoint(
    ws: str,
    endpoint_id: str,
    body: schemas.EndpointPatch,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
) -> schemas.Endpoint:
    """Changes what is given, all of it or, on an error, nothing."""
    endpoints.update(settings, user, ws, endpoint_id, Change(**body.model_dump()))
    return _read(settings, ws, endpoint_id, request)


@router.post(
    f"{_ONE}/versions", status_code=201, summary="Add a version", dependencies=[requires(SUBMIT, dag_of_endpoint)]
)
def add_endpoint_version(
    ws: str,
    endpoint_id: str,
    body: schemas.EndpointVersionBody,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
) -> schemas.Endpoint:
    """The published pipeline becomes the version with the next number."""
    endpoints.add_version(settings, user, ws, endpoint_id, body.pipeline_id, default=body.default)
    return _read(settings, ws, endpoint_id, request)


@router.post(f"{_ONE}/archive", summary="Archive an endpoint", dependencies=[requires(SUBMIT, dag_of_endpoint)])
def archive_endpoint(
    ws: str, endpoint_id: str, user: CurrentUser, settings: SettingsDep, request: Request
) -> schemas.Endpoint:
    """Disables it and frees its name."""
    endpoints.archive(settings, user, ws, endpoint_id)
    return _read(settings, ws, endpoint_id, request)


@router.post(f"{_ONE}/reactivate", summary="Reactivate an endpoint", dependencies=[requires(SUBMIT, dag_of_endpoint)])
def reactivate_endpoint(
    ws: str,
    endpoint_id: str,
    body: schemas.ReactivateBody,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
) -> schemas.Endpoint:
    """Gives an archived endpoint a name and enables it."""
    endpoints.reactivate(settings, user, ws, endpoint_id, body.name)
    return _read(settings, ws, endpoint_id, request)


@router.post(f"{_ONE}/runs", status_code=201, summary="Submit an endpoint", dependencies=[requires(SUBMIT)])
async def submit_endpoint(
    ws: str,
    endpoint_id: str,
    body: schemas.StartEndpointBody,
    user: CurrentUser,
    settings: SettingsDep,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> schemas.Run:
    """Starts a run of the version that is named, else of the default one."""
    asked = RunRequest(
        **body.model_dump(exclude={"version"}),
        endpoint_id=endpoint_id,
        endpoint_version=body.version,
        idempotency_key=idempotency_key,
    )

    def start_and_read() -> schemas.Run:
        with open_session() as session:
            endpoint = endpoints.find(session, workspaces.find(session, settings, ws), endpoint_id)
        return read_run(settings, ws, endpoints.submit(settings, user, ws, endpoint, asked), request)

    return await in_thread(start_and_read)


def _read(settings: Settings, ws: str, endpoint_id: str, request: Request) -> schemas.Endpoint:
    with open_session() as session:
        workspace = workspaces.find(session, settings, ws)
        return endpoint_view(endpoints.find(session, workspace, endpoint_id), workspace, request)
