"""Experiments: the names under which runs are gathered."""

from __future__ import annotations

from fastapi import APIRouter

from airloom.plugins import experiments
from airloom.plugins.airflow_gateway import CHANGE_RUN, READ, SUBMIT
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, WorkspaceDep
from airloom.plugins.db.models import ExperimentRow, WorkspaceRow

router = APIRouter(
    prefix="/workspaces/{ws}/experiments", tags=["experiments"], route_class=limited_route("max_request_mb")
)


@router.get("", summary="List experiments", dependencies=[requires(READ)])
def list_experiments(workspace: WorkspaceDep, session: SessionDep) -> schemas.ExperimentList:
    """All experiments of the workspace, by name."""
    rows = experiments.list_all(session, workspace)
    return schemas.ExperimentList(experiments=[_view(row, workspace) for row in rows])


@router.post("", status_code=201, summary="Create an experiment", dependencies=[requires(SUBMIT)])
def create_experiment(body: schemas.ExperimentBody, workspace: WorkspaceDep, session: SessionDep) -> schemas.Experiment:
    """Creates the experiment, or returns the one that is there already."""
    fields = {"description": body.description, "tags": body.tags}
    return _view(experiments.ensure(session, workspace.id, body.name, **fields), workspace)


@router.get("/{name}", summary="Read an experiment", dependencies=[requires(READ)])
def get_experiment(name: str, workspace: WorkspaceDep, session: SessionDep) -> schemas.Experiment:
    """One experiment."""
    return _view(experiments.find(session, workspace, name), workspace)


@router.patch("/{name}", summary="Change an experiment", dependencies=[requires(CHANGE_RUN)])
def update_experiment(
    name: str, body: schemas.ExperimentPatch, workspace: WorkspaceDep, session: SessionDep
) -> schemas.Experiment:
    """Changes what is given."""
    row = experiments.find(session, workspace, name)
    for field, value in body.model_dump(exclude_none=True).items():
        setattr(row, field, value)
    return _view(row, workspace)


def _view(row: ExperimentRow, workspace: WorkspaceRow) -> schemas.Experiment:
    return schemas.Experiment(
        name=row.name,
        workspace=workspace.name,
        description=row.description,
        tags=row.tags,
        archived=row.archived,
        created_at=row.created_at,
    )
