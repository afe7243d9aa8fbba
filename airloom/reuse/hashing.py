"""The specification of reuse: everything that is hashed into the key of a step is named in this module.

A key is BLAKE3 over the canonical JSON of named parts. A part is added by exactly one line below, so reading this
file tells what counts. What is not here does not count: compute targets, names and descriptions of steps, timeouts,
retries, run ids, and where an input lies (its content counts).

The parts stay with the key, so that any two keys can be told apart by name instead of by hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airloom.graph.canonical import digest_value
from airloom.graph.model import (
    Argument,
    EnvironmentSpec,
    FromParameter,
    FromSource,
    InputPath,
    InputPort,
    LiteralValue,
    OutputPath,
    OutputPort,
    ParameterValue,
    PipelineGraph,
    PythonScriptSettings,
    Step,
    TabularSource,
)
from airloom.graph.tables import TableReading

KEY_FORMAT = 1
"""Raised whenever the meaning of a part changes, so that keys of older versions never match newer ones."""


@dataclass(frozen=True)
class StepKey:
    """The key of a step and the named parts that it was computed from."""

    key: str
    parts: dict[str, Any]


def step_key(
    step: Step,
    *,
    source_digest: str,
    input_digests: Mapping[str, str],
    parameters: Mapping[str, Any],
    sources: Mapping[str, Any],
) -> StepKey:
    """Compute the key of a step.

    `source_digest` is the digest of the step's source folder, or of its `hash_paths` only; `input_digests` maps each
    input port to the digest of its content; `parameters` holds the values of this run; `sources` the graph's data
    sources. Raises KeyError if a digest or a parameter that the step uses is missing: without it there is no key.
    """
    parts: dict[str, Any] = {"format": KEY_FORMAT}
    parts.update(_settings_parts(step.settings, source_digest))
    parts["arguments"] = [_token(argument) for argument in step.arguments]
    parts["params"] = {name: _token(value) for name, value in step.params.items()}
    parts["version"] = step.version
    for name in parameters_used(step):
        parts[f"parameter:{name}"] = parameters[name]
    for port in step.inputs:
        parts[f"input:{port.name}"] = _input_part(port, input_digests[port.name], sources, parameters)
    for output in step.outputs:
        parts[f"output:{output.name}"] = _output_part(output)
    return StepKey(digest_value(parts), parts)


def pipeline_key(graph: PipelineGraph, source_digests: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """The key of a whole pipeline: equal keys mean that every step's key is equal too.

    `source_digests` maps the graph's data sources, and its datapath and dataset parameters, to content digests.
    """
    parts = {
        "format": KEY_FORMAT,
        "graph": graph.model_dump(),
        "sources": dict(source_digests),
        "parameters": dict(parameters),
    }
    return digest_value(parts)


def parameters_used(step: Step) -> list[str]:
    """Names of the pipeline parameters whose values reach the step's script, sorted."""
    values = [*step.arguments, *step.params.values()]
    return sorted({value.parameter for value in values if isinstance(value, ParameterValue)})


def _settings_parts(settings: PythonScriptSettings, source_digest: str) -> dict[str, Any]:
    return {
        "step type": settings.type,
        "script": settings.script_name,
        "source": source_digest,
        "hash paths": sorted(settings.hash_paths),
        "environment": _environment_part(settings.environment),
    }


def _environment_part(environment: EnvironmentSpec) -> dict[str, Any]:
    return {
        "python": environment.python_version,
        "packages": sorted(environment.packages),
        "interpreter": environment.interpreter_path,
        "variables": environment.variables,
        "image": environment.image,
    }


def _token(value: Argument) -> list[Any]:
    match value:
        case LiteralValue():
            return ["literal", value.value]
        case InputPath():
            return ["input", value.port]
        case OutputPath():
            return ["output", value.port]
        case ParameterValue():
            return ["parameter", value.parameter]


def _input_part(
    port: InputPort, digest: str, sources: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    part: dict[str, Any] = {"content": digest, "mode": port.mode, "path on compute": port.path_on_compute}
    if isinstance(port.binding, FromSource):
        source = sources[port.binding.source]
        if isinstance(source, TabularSource):
            part["reading"] = source.model_dump(mode="json", exclude={"kind", "locations"})
    if isinstance(port.binding, FromParameter):
        table = _given_table(parameters[port.binding.parameter])
        if table is not None and table.reading != TableReading():
            part["reading"] = table.reading.model_dump(mode="json")
    if port.table is not None:
        part["reading"] = port.table.model_dump(mode="json")
    return part


def _given_table(value: Any) -> TabularSource | None:
    """The table that a run was given as the value of a parameter; None if it is something else."""
    if isinstance(value, Mapping) and value.get("kind") == "tabular":
        return TabularSource.model_validate(value)
    return value if isinstance(value, TabularSource) else None


def _output_part(port: OutputPort) -> dict[str, Any]:
    return {
        "mode": port.mode,
        "is directory": port.is_directory,
        "path on compute": port.path_on_compute,
        "datastore": port.datastore,
        "destination": port.destination,
    }
