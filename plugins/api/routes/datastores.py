"""Datastores.

Registering one takes the right on Airflow's connections. Reading the configuration, which holds no secret, takes the
right to submit: who may run scripts on the data may know where it lies.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from airloom.plugins import datastores
from airloom.plugins.airflow_gateway import SUBMIT, Right
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import connection_of_datastore, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, StoreDep, WorkspaceDep
from airloom.plugins.db.models import DatastoreRow, WorkspaceRow

router = APIRouter(
    prefix="/workspaces/{ws}/datastores", tags=["datastores"], route_class=limited_route("max_request_mb")
)


@router.get("", summary="List datastores", dependencies=[requires(SUBMIT)])
def list_datastores(workspace: WorkspaceDep, session: SessionDep) -> schemas.DatastoreList:
    """All datastores of the workspace, by name."""
    rows = datastores.list_all(session, workspace)
    return schemas.DatastoreList(datastores=[_view(row, workspace) for row in rows])


@router.post("", status_code=201, summary="Register a datastore", dependencies=[requires(Right("connection", "POST"))])
def register_datastore(
    body: schemas.DatastoreBody,
    workspace: WorkspaceDep,
    storage: StoreDep,
    session: SessionDep,
    settings: SettingsDep,
) -> schemas.Datastore:
    """Registers a local folder; with `overwrite` an existing registration is changed. No data is touched."""
    row = datastores.register(session, settings, workspace, storage, **body.model_dump(exclude={"type"}))
    return _view(row, workspace)


@router.get("/{name}", summary="Read a datastore", dependencies=[requires(SUBMIT)])
def get_datastore(name: str, workspace: WorkspaceDep, session: SessionDep) -> schemas.Datastore:
    """One datastore."""
    return _view(datastores.find(session, workspace, name), workspace)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Unregister a datastore",
    dependencies=[requires(Right("connection", "DELETE"), connection_of_datastore)],
)
def unregister_datastore(name: str, workspace: WorkspaceDep, storage: StoreDep, session: SessionDep) -> None:
    """Forgets the datastore; its data stays. The default datastore cannot go."""
    datastores.unregister(session, workspace, storage, name)


@router.get("/{name}/digest", summary="Digest of data", dependencies=[requires(SUBMIT)])
def digest(name: str, workspace: WorkspaceDep, storage: StoreDep, path: Annotated[str, Query()] = "") -> schemas.Digest:
    """The digest of a file, a folder or the files of a glob: what counts for reuse."""
    return schemas.Digest(datastore=name, path=path, digest=storage.datastore(name).digest(path))


def _view(row: DatastoreRow, workspace: WorkspaceRow) -> schemas.Datastore:
    return schemas.Datastore(
        name=row.name,
        type=row.type,
        root=row.config["root"],
        description=row.description,
        tags=row.tags,
        is_default=row.name == workspace.default_datastore,
        created_at=row.created_at,
    )
