"""Upkeep of a workspace. Both take the right that deleting a workspace takes: they may remove anything of it."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from airloom.plugins.airflow_gateway import Right, open_session
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SettingsDep, StoreDep
from airloom.plugins.api.ndjson import stream
from airloom.plugins.upkeep import AirflowRuns, registered_datastores
from airloom.plugins.workspaces import find as find_workspace
from airloom.upkeep import Limits, collect, verify

router = APIRouter(
    prefix="/workspaces/{ws}",
    tags=["upkeep"],
    route_class=limited_route("max_request_mb"),
    dependencies=[requires(Right("connection", "DELETE"))],
)


@router.post("/gc", summary="Free what nothing refers to", response_class=StreamingResponse)
def collect_garbage(body: schemas.GcBody, storage: StoreDep, request: Request) -> StreamingResponse:
    """Lines of JSON: progress, then the report. Safe beside running pipelines; stops when the caller goes away."""
    limits = Limits(older_than=timedelta(seconds=body.older_than_seconds), max_bytes=body.max_bytes)
    return stream(collect(storage, AirflowRuns(), limits, dry_run=body.dry_run), request)


@router.post("/verify", summary="Check all that is stored against its digests", response_class=StreamingResponse)
def verify_workspace(
    ws: str, body: schemas.VerifyBody, storage: StoreDep, settings: SettingsDep, request: Request
) -> StreamingResponse:
    """Lines of JSON: progress, then the report. Nothing is changed unless `quarantine` is asked for."""
    with open_session() as session:
        known = registered_datastores(session, find_workspace(session, settings, ws))
    return stream(verify(storage, quarantine=body.quarantine, datastores=known), request)
