"""Compute targets: what steps run on. Each has an Airflow pool, so the rights are those on pools."""

from __future__ import annotations

from fastapi import APIRouter

from airloom.plugins import computes
from airloom.plugins.airflow_gateway import Right
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import pool_of_compute, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, WorkspaceDep
from airloom.plugins.db.models import ComputeRow

router = APIRouter(prefix="/workspaces/{ws}/computes", tags=["computes"], route_class=limited_route("max_request_mb"))


@router.get("", summary="List compute targets", dependencies=[requires(Right("pool", "GET"))])
def list_computes(workspace: WorkspaceDep, session: SessionDep) -> schemas.ComputeList:
    """All compute targets of the workspace, by name."""
    return schemas.ComputeList(computes=[_view(row) for row in computes.list_all(session, workspace)])


@router.post("", status_code=201, summary="Create a compute target", dependencies=[requires(Right("pool", "POST"))])
def create_compute(body: schemas.ComputeBody, workspace: WorkspaceDep, session: SessionDep) -> schemas.Compute:
    """Creates the compute target and its Airflow pool, with as many slots as it has nodes at most."""
    fields = body.model_dump(exclude={"provisioning"})
    provisioning = body.provisioning.model_dump(exclude_none=True)
    return _view(computes.create(session, workspace, provisioning=provisioning, **fields))


@router.get("/{name}", summary="Read a compute target", dependencies=[requires(Right("pool", "GET"), pool_of_compute)])
def get_compute(name: str, workspace: WorkspaceDep, session: SessionDep) -> schemas.Compute:
    """One compute target."""
    return _view(computes.find(session, workspace, name))


@router.patch(
    "/{name}", summary="Change a compute target", dependencies=[requires(Right("pool", "PUT"), pool_of_compute)]
)
def update_compute(
    name: str, body: schemas.ComputePatch, workspace: WorkspaceDep, session: SessionDep
) -> schemas.Compute:
    """Changes what is given. A new `max_nodes` counts at once, for runs under way as well."""
    row = computes.find(session, workspace, name)
    sizes = body.model_dump(exclude_none=True, exclude={"description", "tags"})
    if sizes:
        computes.resize(session, row, sizes)
    for field, value in body.model_dump(exclude_none=True, include={"description", "tags"}).items():
        setattr(row, field, value)
    return _view(row)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a compute target",
    dependencies=[requires(Right("pool", "DELETE"), pool_of_compute)],
)
def delete_compute(name: str, workspace: WorkspaceDep, session: SessionDep) -> None:
    """Removes the compute target and its pool."""
    computes.delete(session, computes.find(session, workspace, name))


def _view(row: ComputeRow) -> schemas.Compute:
    return schemas.Compute.model_validate(row, from_attributes=True)
