"""Datastores.

Registering one takes the right on Airflow's connections. Reading the configuration, which holds no secret, takes the
right to submit: who may run scripts on the data may know where it lies.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from airloom.plugins import datastores
from airloom.plugins.airflow_gateway import SUBMIT, CurrentUser, Right, is_allowed
from airloom.plugins.api import datastore_schemas, schemas
from airloom.plugins.api.auth import connection_of_datastore, describe, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, StoreDep, WorkspaceDep
from airloom.plugins.db.models import DatastoreRow, WorkspaceRow
from airloom.plugins.errors import Denied

CHANGE_CONNECTION = Right("connection", "PUT")
_AS_ASKED = (
    *("name", "type", "credentials", "description", "tags", "properties"),
    *("overwrite", "create_if_not_exists", "skip_validation"),
)

router = APIRouter(
    prefix="/workspaces/{ws}/datastores", tags=["datastores"], route_class=limited_route("max_request_mb")
)


@router.get("", summary="List datastores", dependencies=[requires(SUBMIT)])
def list_datastores(workspace: WorkspaceDep, session: SessionDep) -> datastore_schemas.DatastoreList:
    """All datastores of the workspace, by name."""
    rows = datastores.list_all(session, workspace)
    return datastore_schemas.DatastoreList(datastores=[_view(row, workspace) for row in rows])


@router.post("", status_code=201, summary="Register a datastore", dependencies=[requires(Right("connection", "POST"))])
def register_datastore(
    body: datastore_schemas.DatastoreBody,
    workspace: WorkspaceDep,
    storage: StoreDep,
    session: SessionDep,
    settings: SettingsDep,
    user: CurrentUser,
) -> datastore_schemas.Datastore:
    """Registers a place for data; with `overwrite` an existing registration is changed. No data is touched.

    Its credentials become a connection of Airflow. To use a connection that is there already takes the right to
    change that connection, since the datastore may send what is in it elsewhere.
    """
    given = body.credentials.connection
    if given and not is_allowed(user, CHANGE_CONNECTION, given):
        raise Denied(f"User {user.get_name()!r} lacks the right to {describe(CHANGE_CONNECTION, given)}.", target=given)
    place = body.model_dump(include=set(datastore_schemas.PLACE_FIELDS), exclude_none=True)
    asked = {name: getattr(body, name) for name in _AS_ASKED}
    row = datastores.register(session, settings, workspace, storage, datastores.Registration(fields=place, **asked))
    return _view(row, workspace)


@router.get("/{name}", summary="Read a datastore", dependencies=[requires(SUBMIT)])
def get_datastore(name: str, workspace: WorkspaceDep, session: SessionDep) -> datastore_schemas.Datastore:
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


def _view(row: DatastoreRow, workspace: WorkspaceRow) -> datastore_schemas.Datastore:
    config = datastores.config_of(row)
    return datastore_schemas.Datastore.model_validate(
        {
            **config.model_dump(include={*datastore_schemas.PLACE_FIELDS, "name", "type"}),
            "place": config.place,
            "connection": getattr(config, "connection", None),
            "credential_type": row.config.get("credential_type", "None"),
            "properties": row.config.get("properties", {}),
            "description": row.description,
            "tags": row.tags,
            "is_default": row.name == workspace.default_datastore,
            "created_at": row.created_at,
        }
    )
