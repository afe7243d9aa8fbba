"""From steps to the PipelineGraph. The same pipeline gives the same graph, byte for byte, in any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.exceptions import UserErrorException
from airloom.graph.model import (
    Argument,
    DataSource,
    FromParameter,
    FromSource,
    InputPort,
    LiteralValue,
    OutputOf,
    OutputPort,
    ParameterDef,
    ParameterType,
    ParameterValue,
    ParamValue,
    PathSource,
    PipelineGraph,
    Retries,
    ReuseMode,
    Step,
    StepSettings,
)
from airloom.pipeline.core._bindings import Token
from airloom.pipeline.core._data import BoundInput, BoundOutput, data_source, is_data_parameter, registration_of
from airloom.pipeline.core._layout import Layout, producer_of
from airloom.pipeline.core._snapshots import Snapshots
from airloom.pipeline.core.builder import PipelineStep
from airloom.pipeline.core.graph import PipelineParameter


@dataclass(frozen=True)
class BuildContext:
    """What steps take from their pipeline when they do not say it themselves."""

    snapshots: Snapshots
    default_source_directory: Path | None = None
    default_datastore: str | None = None


@dataclass(frozen=True)
class StepParts:
    """What a step says of itself beside its ports and its order."""

    settings: StepSettings
    params: Mapping[str, LiteralValue | PipelineParameter] = field(default_factory=dict)
    compute_target: str | None = None
    allow_reuse: bool = True
    reuse: ReuseMode = "auto"
    version: str | None = None
    timeout_seconds: int | None = None
    retries: Retries | None = None


def build_graph(layout: Layout, context: BuildContext, description: str) -> PipelineGraph:
    """The graph of laid-out steps. Raises UserErrorException for what only shows when the steps meet."""
    builder = _Builder(layout, context)
    steps = tuple(builder.step(step) for step in layout.steps)
    return PipelineGraph(
        description=description,
        parameters=tuple(builder.parameters.values()),
        sources=builder.sources,
        steps=steps,
    )


def parameter_def(parameter: PipelineParameter) -> ParameterDef:
    """The graph's form of a parameter; the type follows from the default value."""
    value = parameter.default_value
    if is_data_parameter(parameter):
        source = data_source(value)
        kind: ParameterType = "datapath" if isinstance(source, PathSource) else "dataset"
        return ParameterDef(name=parameter.name, type=kind, default=source)
    for python_type, name in _PARAMETER_TYPES:
        if isinstance(value, python_type):
            return ParameterDef(name=parameter.name, type=name, default=python_type(value))
    raise UserErrorException(
        f"The default_value of PipelineParameter '{parameter.name}' is a {type(value).__name__}. "
        "It must be an int, float, bool, str, DataPath or dataset."
    )


# bool comes first: it is an int to Python.
_PARAMETER_TYPES: tuple[tuple[type[Any], ParameterType], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (str, "string"),
)


class _Builder:
    """Collects the parameters and data sources that the steps of one pipeline mention."""

    def __init__(self, layout: Layout, context: BuildContext) -> None:
        self._layout = layout
        self._context = context
        self.parameters: dict[str, ParameterDef] = {}
        self.sources: dict[str, DataSource] = {}

    def step(self, step: PipelineStep) -> Step:
        """The graph's form of one step."""
        parts = step._parts(self._context)
        return Step(
            id=self._layout.ids[step],
            name=step.name,
            settings=parts.settings,
            inputs=tuple(self._input(step, port) for port in step._inputs),
            outputs=tuple(self._output(output) for output in step._outputs),
            arguments=tuple(self._argument(token) for token in step._arguments),
            params={name: self._param(value) for name, value in parts.params.items()},
            compute_target=parts.compute_target,
            run_after=tuple(self._layout.ids[other] for other in self._layout.order_only[step]),
            allow_reuse=parts.allow_reuse,
            reuse=parts.reuse,
            version=parts.version,
            timeout_seconds=parts.timeout_seconds,
            retries=parts.retries,
        )

    def _input(self, step: PipelineStep, port: BoundInput) -> InputPort:
        return InputPort(
            name=port.name,
            binding=self._binding(step, port),
            mode=port.mode,
            path_on_compute=port.path_on_compute,
            overwrite=port.overwrite,
            table=port.table,
        )

    def _binding(self, step: PipelineStep, port: BoundInput) -> OutputOf | FromSource | FromParameter:
        if isinstance(port.reads, PipelineParameter):
            return FromParameter(parameter=self._parameter(port.reads))
        if not hasattr(port.reads, "_producer"):
            return FromSource(source=self._source(port.source_name, port.reads))
        producer = producer_of(port.reads, step)
        output = next(output for output in producer._outputs if output.data is port.reads)
        return OutputOf(step=self._layout.ids[producer], port=output.name)

    def _output(self, output: BoundOutput) -> OutputPort:
        datastore = output.port.datastore or self._context.default_datastore
        return output.port.model_copy(update={"datastore": datastore, "registration": registration_of(output)})

    def _argument(self, token: Token) -> Argument:
        return ParameterValue(parameter=self._parameter(token)) if isinstance(token, PipelineParameter) else token

    def _param(self, value: LiteralValue | PipelineParameter) -> ParamValue:
        return ParameterValue(parameter=self._parameter(value)) if isinstance(value, PipelineParameter) else value

    def _parameter(self, parameter: PipelineParameter) -> str:
        definition = parameter_def(parameter)
        known = self.parameters.setdefault(parameter.name, definition)
        if known != definition:
            raise UserErrorException(
                f"There are two different pipeline parameters called '{parameter.name}'. "
                "Use one PipelineParameter object everywhere, or give them different names."
            )
        return parameter.name

    def _source(self, wanted: str, source: DataSource) -> str:
        """Enter a data source; different ones of the same name get a number."""
        name, number = wanted, 1
        while self.sources.setdefault(name, source) != source:
            number += 1
            name = f"{wanted}_{number}"
        return name
