"""Who may call a route: the one factory of dependencies that every route must have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, HTTPException, Request
from sqlalchemy import select

from airloom.plugins.adoption import adopt
from airloom.plugins.airflow_gateway import CurrentUser, Right, is_allowed, open_session
from airloom.plugins.db.models import RunRow, WorkspaceRow
from airloom.plugins.db.published import IS_DEFAULT, EndpointRow, EndpointVersionRow, PipelineRow

NameOf = Callable[[Request], str | None]
"""Finds the name that a right is asked for, in the path of the request."""


class Guard:
    """A dependency that lets a request pass only if Airflow's auth manager grants its user the right."""

    def __init__(self, right: Right, name_of: NameOf | None = None) -> None:
        self.right = right
        self._name_of = name_of

    def __call__(self, request: Request, user: CurrentUser) -> None:
        """Raises 401 without a user, 403 without the right."""
        name = self._name_of(request) if self._name_of is not None else None
        if not is_allowed(user, self.right, name):
            raise HTTPException(403, f"User {user.get_name()!r} lacks the right to {describe(self.right, name)}.")


def requires(right: Right, name_of: NameOf | None = None) -> Any:
    """The dependency for a route; `name_of` narrows the right to one DAG, connection or pool."""
    return Depends(Guard(right, name_of))


def describe(right: Right, name: str | None) -> str:
    """A right in words, as an administrator finds it in Airflow."""
    entity = f" {right.entity.value}" if right.entity is not None else ""
    thing = f" {name!r}" if name is not None else "s"
    return f"{right.method}{entity} on {right.resource}{thing}"


def dag_of_run(request: Request) -> str | None:
    """The DAG id of the run named in the path; None if there is no such run."""
    run_id, workspace = request.path_params["run_id"], request.path_params["ws"]
    return _dag_of_run(run_id, workspace) or (_dag_of_run(run_id, workspace) if _adopt(workspace) else None)


def _dag_of_run(run_id: str, workspace: str) -> str | None:
    query = (
        select(RunRow.dag_id)
        .join(WorkspaceRow, WorkspaceRow.id == RunRow.workspace_id)
        .where(RunRow.id == run_id, WorkspaceRow.name == workspace)
    )
    with open_session() as session:
        return session.scalar(query)


def _adopt(workspace: str) -> bool:
    """Look for runs that Airflow made by itself; False if there is no such workspace."""
    with open_session() as session:
        workspace_id = session.scalar(select(WorkspaceRow.id).where(WorkspaceRow.name == workspace))
    if workspace_id is not None:
        adopt(workspace_id)
    return workspace_id is not None


def dag_of_pipeline(request: Request) -> str | None:
    """The DAG id of the published pipeline named in the path; None if there is none."""
    query = (
        select(PipelineRow.dag_id)
        .join(WorkspaceRow, WorkspaceRow.id == PipelineRow.workspace_id)
        .where(PipelineRow.id == request.path_params["pipeline_id"], WorkspaceRow.name == request.path_params["ws"])
    )
    with open_session() as session:
        return session.scalar(query)


def dag_of_endpoint(request: Request) -> str | None:
    """The DAG id of the default pipeline of the endpoint named in the path; None if there is no such endpoint."""
    query = (
        select(PipelineRow.dag_id)
        .join(EndpointVersionRow, EndpointVersionRow.pipeline_id == PipelineRow.id)
        .join(EndpointRow, IS_DEFAULT)
        .join(WorkspaceRow, WorkspaceRow.id == EndpointRow.workspace_id)
        .where(EndpointRow.id == request.path_params["endpoint_id"], WorkspaceRow.name == request.path_params["ws"])
    )
    with open_session() as session:
        return session.scalar(query)


def pool_of_compute(request: Request) -> str | None:
    """The pool of the compute target named in the path."""
    return f"{request.path_params['ws']}.{request.path_params['name']}"


def connection_of_datastore(request: Request) -> str | None:
    """The connection id that stands for the datastore named in the path."""
    return f"{request.path_params['ws']}.{request.path_params['name']}"
