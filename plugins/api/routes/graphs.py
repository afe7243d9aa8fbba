"""Checking a pipeline without running it."""

from __future__ import annotations

from fastapi import APIRouter

from airloom.errors import InvalidGraph, NotFound
from airloom.graph.validate import parse_graph
from airloom.plugins.airflow_gateway import SUBMIT
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, WorkspaceDep
from airloom.plugins.checking import problems_of
from airloom.plugins.dataset_references import References

router = APIRouter(prefix="/workspaces/{ws}/graphs", tags=["graphs"], route_class=limited_route("max_graph_mb"))


@router.post("/validate", summary="Check a pipeline", dependencies=[requires(SUBMIT)])
def validate(
    body: schemas.GraphBody, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep
) -> schemas.Problems:
    """All that is wrong with the pipeline in this workspace; nothing is stored or run."""
    try:
        graph = parse_graph(References(session, settings, workspace).in_graph(body.graph))
    except (InvalidGraph, NotFound) as error:
        problem = schemas.Problem(code=error.code, message=error.message, target=error.target, hint=error.hint)
        return schemas.Problems(errors=[problem])
    problems = problems_of(session, workspace, graph)
    return schemas.Problems(errors=[schemas.Problem.model_validate(each, from_attributes=True) for each in problems])
