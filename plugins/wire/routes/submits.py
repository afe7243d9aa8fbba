"""Submitting: a published pipeline, or a version of an endpoint by its id or its name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from airloom.plugins import endpoints
from airloom.plugins.airflow_gateway import SUBMIT
from airloom.plugins.api.auth import dag_of_pipeline, requires
from airloom.plugins.api.bodies import in_thread, limited_route
from airloom.plugins.api.deps import IdempotencyKey
from airloom.plugins.wire import entities
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.bodies import PipelineSubmissionInfo
from airloom.plugins.wire.calls import Call, CallDep, NameDep, Version
from airloom.plugins.wire.reading import read_run
from airloom.plugins.wire.submitting import FindEndpoint, submit_endpoint, submit_pipeline

router = APIRouter(prefix=f"{WORKSPACE}/PipelineRuns", tags=["submits"], route_class=limited_route("max_request_mb"))
_ENDPOINT = "/PipelineEndpointSubmit"
Info = Annotated[PipelineSubmissionInfo, Body(default_factory=PipelineSubmissionInfo)]


@router.post(
    "/PipelineSubmit/{pipeline_id}",
    summary="Submit a published pipeline",
    dependencies=[requires(SUBMIT, dag_of_pipeline)],
)
async def submit_published_pipeline(
    pipeline_id: str, call: CallDep, info: Info, idempotency_key: IdempotencyKey = None
) -> entities.PipelineRunEntity:
    """Starts a run with these values of the parameters, and the defaults of the others."""
    return await in_thread(lambda: read_run(call, submit_pipeline(call, pipeline_id, info, idempotency_key)))


@router.post(f"{_ENDPOINT}/Id/{{endpoint_id}}", summary="Submit an endpoint", dependencies=[requires(SUBMIT)])
async def submit_endpoint_by_id(
    endpoint_id: str,
    call: CallDep,
    info: Info,
    pipeline_version: Version = None,
    idempotency_key: IdempotencyKey = None,
) -> entities.PipelineRunEntity:
    """Starts a run of the default version, or of the one in the query."""
    return await _submit(call, _by_id(endpoint_id), pipeline_version, info, idempotency_key)


@router.post(
    f"{_ENDPOINT}/Id/{{endpoint_id}}/{{version}}",
    summary="Submit a version of an endpoint",
    dependencies=[requires(SUBMIT)],
)
async def submit_endpoint_version(
    endpoint_id: str, version: str, call: CallDep, info: Info, idempotency_key: IdempotencyKey = None
) -> entities.PipelineRunEntity:
    """Starts a run of the version in the path."""
    return await _submit(call, _by_id(endpoint_id), version, info, idempotency_key)


@router.post(f"{_ENDPOINT}/Name", summary="Submit an endpoint by its name", dependencies=[requires(SUBMIT)])
async def submit_endpoint_by_name(
    name: NameDep,
    call: CallDep,
    info: Info,
    pipeline_version: Version = None,
    idempotency_key: IdempotencyKey = None,
) -> entities.PipelineRunEntity:
    """Starts a run of the default version of the endpoint with this name, or of the one in the query."""
    return await _submit(call, _by_name(name), pipeline_version, info, idempotency_key)


def _by_id(endpoint_id: str) -> FindEndpoint:
    return lambda session, workspace: endpoints.find(session, workspace, endpoint_id)


def _by_name(name: str) -> FindEndpoint:
    return lambda session, workspace: endpoints.by_name(session, workspace, name)


async def _submit(
    call: Call, find: FindEndpoint, version: str | None, info: PipelineSubmissionInfo, key: str | None
) -> entities.PipelineRunEntity:
    return await in_thread(lambda: read_run(call, submit_endpoint(call, find, version, info, key)))
