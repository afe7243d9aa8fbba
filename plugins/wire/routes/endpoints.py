"""Endpoints: listed, and read by id or by name."""

from __future__ import annotations

from fastapi import APIRouter

from airloom.plugins import endpoints, publishing
from airloom.plugins.airflow_gateway import READ, CurrentUser, is_allowed
from airloom.plugins.api.auth import dag_of_endpoint, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep
from airloom.plugins.errors import Denied
from airloom.plugins.wire import entities, views
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.calls import MOST, ActiveOnly, CallDep, NameDep
from airloom.plugins.wire.reading import pipeline_entities

router = APIRouter(
    prefix=f"{WORKSPACE}/PipelineEndpoints", tags=["endpoints"], route_class=limited_route("max_request_mb")
)


@router.get("", summary="List endpoints", dependencies=[requires(READ)])
def list_endpoints(
    call: CallDep, session: SessionDep, active_only: ActiveOnly = False
) -> list[entities.PipelineEndpointEntity]:
    """By name; only those of whose default pipeline the user may read the DAG."""
    found = endpoints.list_some(
        session,
        call.workspace(session),
        active_only=active_only,
        limit=MOST,
        may_read=lambda dag_id: is_allowed(call.user, READ, dag_id),
    )
    return [views.endpoint(row, call.addresses) for row in found]


@router.get("/Id/{endpoint_id}", summary="Read an endpoint", dependencies=[requires(READ, dag_of_endpoint)])
def get_endpoint(endpoint_id: str, call: CallDep, session: SessionDep) -> entities.PipelineEndpointEntity:
    """One endpoint with all its versions."""
    return views.endpoint(endpoints.find(session, call.workspace(session), endpoint_id), call.addresses)


@router.get("/Name", summary="Read an endpoint by its name", dependencies=[requires(READ)])
def get_endpoint_by_name(name: NameDep, call: CallDep, session: SessionDep) -> entities.PipelineEndpointEntity:
    """The endpoint that has this name."""
    row = endpoints.by_name(session, call.workspace(session), name)
    if not is_allowed(call.user, READ, endpoints.default_dag(session, row)):
        raise Denied(f"User {call.user.get_name()!r} may not read the endpoint {name!r}.", target=name)
    return views.endpoint(row, call.addresses)


@router.get(
    "/{endpoint_id}/pipelines",
    summary="List the pipelines of an endpoint",
    dependencies=[requires(READ, dag_of_endpoint)],
)
def list_pipelines_of_endpoint(
    endpoint_id: str, call: CallDep, session: SessionDep, user: CurrentUser, active_only: ActiveOnly = False
) -> list[entities.PipelineEntity]:
    """By version; only those whose DAG the user may read."""
    workspace = call.workspace(session)
    ids = [version.pipeline_id for version in endpoints.find(session, workspace, endpoint_id).versions]
    rows = [publishing.find(session, workspace, each) for each in dict.fromkeys(ids)]
    shown = [row for row in rows if row.status == "Active" or not active_only]
    return pipeline_entities(call, [row for row in shown if is_allowed(user, READ, row.dag_id)])
