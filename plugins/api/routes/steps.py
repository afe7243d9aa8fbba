"""The steps of a run: their states, logs, files, and why each ran or was reused."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from airloom.errors import NotFound
from airloom.plugins import run_states, runs, step_files
from airloom.plugins.airflow_gateway import READ_LOGS, READ_RUN
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import dag_of_run, requires
from airloom.plugins.api.bodies import download, limited_route
from airloom.plugins.api.deps import SessionDep, SettingsDep, StoreDep, WorkspaceDep
from airloom.plugins.run_states import StepView
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

router = APIRouter(prefix="/workspaces/{ws}/runs/{run_id}", tags=["steps"], route_class=limited_route("max_request_mb"))


def _steps(run_id: str, workspace: WorkspaceDep, session: SessionDep, settings: SettingsDep) -> list[StepView]:
    row = runs.find_row(session, workspace, run_id)
    definition = DefinitionStore(open_store(settings.store)).get(row.definition)
    return run_states.step_views(session, row, definition.graph)


StepsDep = Annotated[list[StepView], Depends(_steps)]


def _attempt(run_id: str, step_id: str, steps: StepsDep, storage: StoreDep) -> step_files.Attempt | None:
    for step in steps:
        if step.step_id == step_id:
            return step_files.attempt_of(storage, run_id, step)
    known = ", ".join(step.step_id for step in steps)
    raise NotFound(f"The run has no step {step_id[:80]!r}.", hint=f"It has: {known}.", target=step_id[:80])


AttemptDep = Annotated[step_files.Attempt | None, Depends(_attempt)]


@router.get("/steps", summary="List the steps of a run", dependencies=[requires(READ_RUN, dag_of_run)])
def list_steps(steps: StepsDep) -> schemas.StepList:
    """All steps in the order of the pipeline, with their states as they are now."""
    return schemas.StepList(steps=[_view(step) for step in steps])


@router.get("/explain", summary="Why each step ran or was reused", dependencies=[requires(READ_RUN, dag_of_run)])
def explain(steps: StepsDep, step: Annotated[str | None, Query()] = None) -> schemas.Explanations:
    """The reason for each step that is decided; `step` (its id or name) asks for one only."""
    chosen = [each for each in steps if step is None or step in (each.step_id, each.name)]
    if step is not None and not chosen:
        raise NotFound(f"The run has no step {step[:80]!r}.", hint="Give its id or its name.", target=step[:80])
    return schemas.Explanations(steps=[each.explanation for each in chosen if each.explanation is not None])


@router.get(
    "/steps/{step_id}/logs/{stream}",
    summary="Read the log of a step",
    response_class=PlainTextResponse,
    dependencies=[requires(READ_LOGS, dag_of_run)],
)
def get_log(
    stream: Literal["stdout", "stderr", "job"],
    attempt: AttemptDep,
    storage: StoreDep,
    offset: Annotated[int, Query(ge=0, le=step_files.LONGEST_LOG)] = 0,
) -> Response:
    """The log from a byte offset on; go on from the header X-Next-Offset. A reused step shows its origin's log."""
    data, following = step_files.read_log(storage, attempt, stream, offset)
    headers = {"X-Next-Offset": str(following), "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/steps/{step_id}/artifacts", summary="List a step's files", dependencies=[requires(READ_LOGS, dag_of_run)])
def list_artifacts(attempt: AttemptDep, storage: StoreDep) -> schemas.ArtifactList:
    """Logs, metrics and what the script wrote to ./outputs. A reused step shows its origin's files."""
    found = step_files.list_artifacts(storage, attempt)
    return schemas.ArtifactList(artifacts=[schemas.Artifact(path=path, size=size) for path, size in found])


@router.get(
    "/steps/{step_id}/artifacts/{path:path}",
    summary="Download a step's file",
    response_class=StreamingResponse,
    dependencies=[requires(READ_LOGS, dag_of_run)],
)
def get_artifact(path: str, step_id: str, attempt: AttemptDep, storage: StoreDep) -> StreamingResponse:
    """The bytes of one file."""
    if attempt is None:
        raise NotFound(f"Step {step_id!r} has left no files yet.", hint="Wait until it runs.", target=path)
    return download(storage.open_artifact(*attempt, path))


def _view(step: StepView) -> schemas.StepState:
    origin = step.reused_from
    return schemas.StepState(
        step_id=step.step_id,
        name=step.name,
        status=step.status,
        reused=step.reused,
        reused_from=schemas.ReusedFrom(run_id=origin.run_id, step_id=origin.step_id) if origin else None,
        started_at=step.started_at,
        ended_at=step.ended_at,
        seconds=step.seconds,
        outputs=step.outputs,
        attempt=step.result.attempt if step.result is not None else None,
        reason=step.reason,
    )
