"""The steps of a run: states, outputs and logs. A step is named by the path to its node: a list with its id alone."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BeforeValidator

from airloom.errors import NotFound
from airloom.plugins import run_states, runs, step_files
from airloom.plugins.airflow_gateway import READ_LOGS, READ_RUN
from airloom.plugins.api.auth import dag_of_run, requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, StoreDep
from airloom.plugins.db.models import RunRow
from airloom.plugins.errors import BadRequest
from airloom.plugins.run_states import StepView
from airloom.plugins.wire import codes, entities, views
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.calls import CallDep
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

router = APIRouter(
    prefix=f"{WORKSPACE}/PipelineRuns/{{run_id}}", tags=["steps"], route_class=limited_route("max_request_mb")
)
_ALL, _ONE, _LOG = "/Graph/AllNodes", "/Graph/Node", "/Graph/Shareable"
_MAY_READ = [requires(READ_RUN, dag_of_run)]
_MAY_READ_LOGS = [requires(READ_LOGS, dag_of_run)]
_STREAM = {"STDOUT": "stdout", "STDERR": "stderr", "JobLog": "job"}
Log = Annotated[
    Literal["STDOUT", "STDERR", "JobLog"],
    BeforeValidator(lambda given: next((name for name in _STREAM if name.lower() == str(given).lower()), given)),
]


class Steps:
    """The steps of the run in the path, with its pipeline outputs."""

    def __init__(self, run_id: str, call: CallDep, session: SessionDep) -> None:
        self.row: RunRow = runs.find_row(session, call.workspace(session), run_id)
        self.graph = DefinitionStore(open_store(call.settings.store)).get(self.row.definition).graph
        self.views = run_states.step_views(session, self.row, self.graph)

    def at(self, path: list[str]) -> StepView:
        """The step at a path. Raises BadRequest or NotFound."""
        if len(path) != 1:
            raise BadRequest("The body must be the path to one node.", hint='For example ["train"].', target="body")
        for view in self.views:
            if view.step_id == path[0]:
                return view
        known = ", ".join(view.step_id for view in self.views)
        raise NotFound(f"The run has no step {path[0][:80]!r}.", hint=f"It has: {known}.", target=path[0][:80])

    def below(self, path: list[str]) -> list[StepView]:
        """All steps, or the one at a path: there are no nodes with nodes in them."""
        return [self.at(path)] if path else list(self.views)


StepsDep = Annotated[Steps, Depends()]
Path = Annotated[list[str], Body(max_length=100)]
MaybePath = Annotated[list[str], Body(default_factory=list, max_length=100)]


@router.post(f"{_ALL}/Status", summary="States of all steps", dependencies=_MAY_READ)
def get_all_states(steps: StepsDep, call: CallDep, path: MaybePath) -> dict[str, entities.TaskStatus]:
    """By the ids of the steps, in the order of the pipeline. The body is `[]`."""
    return {view.step_id: views.step(view, steps.row, call.addresses) for view in steps.below(path)}


@router.post(f"{_ALL}/StatusCode", summary="Codes of the states of all steps", dependencies=_MAY_READ)
def get_all_codes(steps: StepsDep, path: MaybePath) -> dict[str, int]:
    """By the ids of the steps. The body is `[]`."""
    return {view.step_id: codes.STEP_STATUS[view.status] for view in steps.below(path)}


@router.post(f"{_ONE}/Status", summary="State of a step", dependencies=_MAY_READ)
def get_state(steps: StepsDep, call: CallDep, path: Path) -> entities.TaskStatus:
    """The body is a list with the id of the step."""
    return views.step(steps.at(path), steps.row, call.addresses)


@router.post(f"{_ONE}/StatusCode", summary="Code of the state of a step", dependencies=_MAY_READ)
def get_code(steps: StepsDep, path: Path) -> int:
    """The body is a list with the id of the step."""
    return codes.STEP_STATUS[steps.at(path).status]


@router.post("/Outputs", summary="Outputs of a step", dependencies=_MAY_READ)
def get_outputs(steps: StepsDep, path: Path) -> dict[str, entities.NodeOutput]:
    """By the names of the ports, once they are published. The body is a list with the id of the step."""
    return {port: views.output(found) for port, found in steps.at(path).outputs.items()}


@router.get("/PipelineRunOutputs/{name}", summary="Output of a run", dependencies=_MAY_READ)
def get_pipeline_output(name: str, steps: StepsDep) -> entities.NodeOutput:
    """The output that its author named as one of the pipeline."""
    ports = [
        (step.id, port.name) for step in steps.graph.steps for port in step.outputs if port.pipeline_output_name == name
    ]
    for step_id, port in ports:
        outputs = steps.at([step_id]).outputs
        if port in outputs:
            return views.output(outputs[port])
    reason = "It is not published yet." if ports else "Name it with pipeline_output_name."
    raise NotFound(f"The run has no pipeline output {name[:80]!r}.", hint=reason, target=name[:80])


@router.post(f"{_LOG}/{{log}}", summary="Log of a step", response_class=PlainTextResponse, dependencies=_MAY_READ_LOGS)
def get_log(
    log: Log,
    steps: StepsDep,
    path: Path,
    storage: StoreDep,
    offset: Annotated[int, Query(ge=0, le=step_files.LONGEST_LOG)] = 0,
) -> Response:
    """At most 1 MiB from a byte offset on; go on from the header X-Next-Offset. The body is as above."""
    attempt = step_files.attempt_of(storage, steps.row.id, steps.at(path))
    data, following = step_files.read_log(storage, attempt, _STREAM[log], offset)
    headers = {"X-Next-Offset": str(following), "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)
