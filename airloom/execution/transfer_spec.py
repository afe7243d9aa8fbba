"""From a step that copies data to what a transfer must be told."""

from __future__ import annotations

from collections.abc import Mapping

from airloom.errors import InvalidGraph
from airloom.execution.spec import staged_output
from airloom.execution.step import RunInfo
from airloom.graph.model import DataLocation, DataTransferSettings, Definition, Step, TabularSource, source_locations
from airloom.graph.results import OutputRef, StepResult
from airloom.reuse.workspace import bound_data
from airloom.transfer.transfer import TransferSpec


def make_transfer(
    step: Step, definition: Definition, run: RunInfo, attempt: str, results: Mapping[str, StepResult]
) -> TransferSpec:
    """What is to be copied by one attempt of a step, all of whose upstream results are known.

    InvalidGraph if the step copies nothing.
    """
    if not isinstance(step.settings, DataTransferSettings):
        raise InvalidGraph(f"Step {step.name!r} copies no data.", target=step.id)
    outputs = [staged_output(port, step, definition, run, attempt) for port in step.outputs]
    return TransferSpec(
        run_id=run.run_id,
        step_id=step.id,
        step_name=step.name,
        attempt=attempt,
        settings=step.settings,
        locations=_locations(step, definition, run, results),
        output=outputs[0] if outputs else None,
        timeout_seconds=step.timeout_seconds,
    )


def _locations(
    step: Step, definition: Definition, run: RunInfo, results: Mapping[str, StepResult]
) -> tuple[DataLocation, ...]:
    if not step.inputs:
        return ()
    bound = bound_data(step.inputs[0], definition.graph, run.parameters, results)
    if isinstance(bound, OutputRef):
        return (DataLocation(datastore=bound.datastore, path=bound.path),)
    if isinstance(bound, TabularSource):
        raise InvalidGraph(
            f"The source of step {step.name!r} is a tabular dataset, but a transfer copies files as they are.",
            hint="Give a file dataset, or write the table in a step before.",
            target=step.id,
        )
    return source_locations(bound)
