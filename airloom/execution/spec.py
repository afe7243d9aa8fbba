"""From a step of a definition to what the runner must be told: names replaced by values, ports by places."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from airloom.errors import InvalidGraph
from airloom.execution.step import RunInfo
from airloom.graph.canonical import digest_value
from airloom.graph.model import (
    Argument,
    DataSource,
    Definition,
    InputPort,
    LiteralValue,
    OutputPort,
    ParameterValue,
    PathSource,
    Scalar,
    Step,
    TabularSource,
    is_query,
    source_locations,
)
from airloom.graph.results import OutputRef, StepResult
from airloom.graph.tables import TableReading
from airloom.reuse.workspace import ReuseWorkspace, bound_data
from airloom.runner.spec import ResolvedArgument, StagedInput, StagedOutput, StepSpec, TabularOptions
from airloom.storage.secrets import Secrets

log = logging.getLogger(__name__)


def make_spec(
    step: Step,
    definition: Definition,
    run: RunInfo,
    attempt: str,
    results: Mapping[str, StepResult],
    secrets: Secrets | None = None,
) -> StepSpec:
    """What the runner must know to run one attempt of a step, all of whose upstream results are known.

    InvalidGraph if the step runs no script.
    """
    script = step.script
    if script is None:
        raise InvalidGraph(f"Step {step.name!r} runs no script.", target=step.id)
    workspace = ReuseWorkspace.open(definition.store, definition.workspace, secrets)
    return StepSpec(
        store=definition.store,
        workspace=definition.workspace,
        experiment=definition.experiment,
        run_id=run.run_id,
        step_id=step.id,
        step_name=step.name,
        attempt=attempt,
        snapshot=script.snapshot,
        script_name=script.script_name,
        arguments=tuple(_resolve(argument, run.parameters) for argument in step.arguments),
        environment_variables={
            f"AML_PARAMETER_{_variable(name)}": str(_resolve_literal(value, run.parameters))
            for name, value in step.params.items()
        },
        environment=script.environment,
        inputs=tuple(_staged_input(port, definition, run, results, workspace) for port in step.inputs),
        outputs=tuple(staged_output(port, step, definition, run, attempt) for port in step.outputs),
        timeout_seconds=step.timeout_seconds,
        pipeline_parameters=dict(run.parameters),
        changes=run.changes,
    )


def _resolve(argument: Argument, parameters: Mapping[str, Any]) -> ResolvedArgument:
    if isinstance(argument, LiteralValue | ParameterValue):
        return LiteralValue(value=_resolve_literal(argument, parameters))
    return argument


def _resolve_literal(value: LiteralValue | ParameterValue, parameters: Mapping[str, Any]) -> Scalar:
    if isinstance(value, LiteralValue):
        return value.value
    resolved: Scalar = parameters[value.parameter]
    return resolved


def _variable(name: str) -> str:
    """The name as part of an environment variable, as v1 made it: other characters become underscores."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def _staged_input(
    port: InputPort,
    definition: Definition,
    run: RunInfo,
    results: Mapping[str, StepResult],
    workspace: ReuseWorkspace,
) -> StagedInput:
    bound = bound_data(port, definition.graph, run.parameters, results)
    if isinstance(bound, OutputRef):
        place = _place_of_output(bound, port.table)
    else:
        place = _place_of_source(bound, workspace)
    return StagedInput(
        name=port.name, mode=port.mode, path_on_compute=port.path_on_compute, overwrite=port.overwrite, **place
    )


def _place_of_output(output: OutputRef, table: TableReading | None) -> dict[str, Any]:
    place = {"paths": ({"datastore": output.datastore, "path": output.path},), "digest": output.digest}
    return {**place, "kind": "path"} if table is None else {**place, "kind": "tabular", "tabular": _options(table)}


def _place_of_source(source: DataSource, workspace: ReuseWorkspace) -> dict[str, Any]:
    if is_query(source):
        digest = digest_value(source.model_dump(mode="json"))
    else:
        digest = workspace.source_digest(source)
        _say_if_moved_on(source, digest)
    place: dict[str, Any] = {"kind": source.kind, "paths": source_locations(source), "digest": digest}
    if isinstance(source, TabularSource):
        place["tabular"] = _options(source)
    return place


def _options(table: TableReading) -> TabularOptions:
    return TabularOptions(**{name: getattr(table, name) for name in TableReading.model_fields})


def _say_if_moved_on(source: DataSource, digest: str) -> None:
    """A registered dataset is read as it is now; that this is not what was registered must be seen somewhere."""
    version = None if isinstance(source, PathSource) else source.dataset
    if version is not None and version.digest != digest:
        log.warning(
            "The content of the dataset %r, version %d, has changed since it was registered; the step reads what is "
            "there now.",
            version.name,
            version.version,
        )


def staged_output(port: OutputPort, step: Step, definition: Definition, run: RunInfo, attempt: str) -> StagedOutput:
    """Where an output is to lie at the end: at its author's destination, or else at a place of this attempt."""
    path = f"azureml/{run.run_id}/{step.id}/{attempt}/{port.name}"
    if port.destination is not None:
        path = port.destination.replace("{run-id}", run.run_id).replace("{output-name}", port.name)
    return StagedOutput(
        name=port.name,
        datastore=port.datastore or definition.default_datastore,
        path=path,
        mode=port.mode,
        is_directory=port.is_directory,
        path_on_compute=port.path_on_compute,
        overwrite=port.overwrite,
    )
