"""Workspaces. Creating one registers datastores, so it takes the right that registering datastores takes."""

from __future__ import annotations

from fastapi import APIRouter

from airloom.plugins import datastores, workspaces
from airloom.plugins.airflow_gateway import READ, CurrentUser, Right
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.db.models import WorkspaceRow

router = APIRouter(prefix="/workspaces", tags=["workspaces"], route_class=limited_route("max_request_mb"))


@router.get("", summary="List workspaces", dependencies=[requires(READ)])
def list_workspaces(session: SessionDep, settings: SettingsDep) -> schemas.WorkspaceList:
    """All workspaces of the deployment, by name."""
    return schemas.WorkspaceList(workspaces=[_view(row) for row in workspaces.list_all(session, settings)])


@router.post("", status_code=201, summary="Create a workspace", dependencies=[requires(Right("connection", "POST"))])
def create_workspace(
    body: schemas.WorkspaceBody, user: CurrentUser, session: SessionDep, settings: SettingsDep
) -> schemas.Workspace:
    """Creates the workspace with its two datastores, workspaceblobstore (the default) and workspacefilestore."""
    return _view(workspaces.create(session, settings, created_by=user.get_name(), **body.model_dump()))


@router.get("/{ws}", summary="Read a workspace", dependencies=[requires(READ)])
def get_workspace(workspace: WorkspaceDep) -> schemas.Workspace:
    """One workspace."""
    return _view(workspace)


@router.delete(
    "/{ws}", status_code=204, summary="Delete a workspace", dependencies=[requires(Right("connection", "DELETE"))]
)
def delete_workspace(workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep) -> None:
    """Forgets the workspace and all in it. Files stay in the store. Refused while a run has not ended."""
    workspaces.delete(session, settings, workspace)


@router.put(
    "/{ws}/default_datastore", summary="Set the default datastore", dependencies=[requires(Right("connection", "PUT"))]
)
def set_default_datastore(
    body: schemas.DefaultDatastoreBody, workspace: WorkspaceDep, session: SessionDep
) -> schemas.Workspace:
    """The datastore for outputs that name none. Counts for pipelines submitted from now on."""
    workspace.default_datastore = datastores.find(session, workspace, body.name).name
    return _view(workspace)


def _view(row: WorkspaceRow) -> schemas.Workspace:
    return schemas.Workspace.model_validate(row, from_attributes=True)
