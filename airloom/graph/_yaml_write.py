"""Writing a graph as pipeline YAML, such that reading it gives the same graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from airloom.graph._yaml_nodes import plain_value
from airloom.graph._yaml_registration import write_registration
from airloom.graph._yaml_sources import default_mode
from airloom.graph._yaml_transfer import TRANSFER_TYPE, write_transfer
from airloom.graph.model import (
    Argument,
    DataLocation,
    DataSource,
    DataTransferSettings,
    EnvironmentSpec,
    FilesSource,
    FromParameter,
    FromSource,
    InputPath,
    InputPort,
    OutputOf,
    OutputPath,
    OutputPort,
    ParameterValue,
    PathSource,
    PipelineGraph,
    Retries,
    Step,
    TabularSource,
)
from airloom.graph.tables import TableReading

Outputs = Mapping[tuple[str, str], str]
"""The name under which each output, by step and port, is known to other steps."""


def write_pipeline(graph: PipelineGraph, *, name: str = "", source_directories: Mapping[str, str] | None = None) -> str:
    """The YAML text of a graph.

    Steps whose ids are in `source_directories` are written with that folder, to be read anew when the file is loaded;
    all others with the digest of their snapshot, which the workspace holds.
    """
    outputs = _output_names(graph)
    body: dict[str, Any] = {"name": name} if name else {}
    if graph.description:
        body["description"] = graph.description
    if graph.parameters:
        body["parameters"] = {p.name: {"type": p.type, "default": _plain(p.default)} for p in graph.parameters}
    if graph.sources:
        body["data_references"] = {key: _reference(value) for key, value in graph.sources.items()}
    if graph.continue_on_step_failure:
        body["continue_on_step_failure"] = True
    folders = source_directories or {}
    body["steps"] = {step.id: _step(step, graph, outputs, folders.get(step.id)) for step in graph.steps}
    return yaml.dump(
        {"pipeline": body}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.2 would read as something else, and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(plain_value(text), str) else "'"
    if not text.isprintable():
        style = '"'  # the only style in which all line breaks of Unicode survive
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _output_names(graph: PipelineGraph) -> dict[tuple[str, str], str]:
    taken = {*graph.sources, *(parameter.name for parameter in graph.parameters)}
    names: dict[tuple[str, str], str] = {}
    for step in graph.steps:
        for port in step.outputs:
            name = port.name if port.name not in taken else f"{step.id}.{port.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            names[step.id, port.name] = name
    return names


def _plain(value: Any) -> Any:
    return _source(value) if isinstance(value, PathSource | FilesSource | TabularSource) else value


def _reference(source: DataSource) -> dict[str, Any]:
    if isinstance(source, PathSource) or source.dataset is None:
        return _source(source)
    return {"dataset_name": source.dataset.name, "dataset_version": source.dataset.version}


def _source(source: DataSource) -> dict[str, Any]:
    if isinstance(source, PathSource):
        return _location(source.location)
    if isinstance(source, FilesSource):
        parts = {} if source.partition_format is None else {"partition_format": source.partition_format}
        return {"files": [_location(location) for location in source.locations], **parts}
    return {"tabular": [_location(location) for location in source.locations], **_reading(source)}


def _reading(table: TableReading) -> dict[str, Any]:
    """How a table is read, without what goes without saying."""
    reading = table.model_dump(
        mode="json", exclude={"kind", "locations", "dataset", "transforms", "timestamps"}, exclude_defaults=True
    )
    if table.timestamps is not None:
        reading["timestamps"] = list(table.timestamps)
    if table.transforms:
        reading["transforms"] = [transform.model_dump(mode="json") for transform in table.transforms]
    return reading


def _location(location: DataLocation) -> dict[str, Any]:
    return {"datastore": location.datastore, "path_on_datastore": location.path}


def _step(step: Step, graph: PipelineGraph, outputs: Outputs, folder: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        **_settings(step, folder),
        "compute_target": step.compute_target,
        "parameters": {name: _argument(value) for name, value in step.params.items()},
        "arguments": [_argument(argument) for argument in step.arguments],
        "inputs": {port.name: _input(port, graph, outputs) for port in step.inputs},
        "outputs": {port.name: _output(port, outputs[step.id, port.name]) for port in step.outputs},
        "run_after": list(step.run_after),
        "version": step.version,
        "timeout_seconds": step.timeout_seconds,
        **_retries(step.retries),
        "reuse": None if step.reuse == "auto" else step.reuse,
    }
    present = {key: value for key, value in entry.items() if value is not None and value != [] and value != {}}
    return {**present, "allow_reuse": step.allow_reuse}


def _settings(step: Step, folder: str | None) -> dict[str, Any]:
    settings = step.settings
    if isinstance(settings, DataTransferSettings):
        return {"type": TRANSFER_TYPE, "name": step.name, **write_transfer(settings)}
    return {
        "type": "PythonScriptStep",
        "name": step.name,
        "script_name": settings.script_name,
        **({"snapshot": settings.snapshot} if folder is None else {"source_directory": folder}),
        "hash_paths": list(settings.hash_paths),
        "environment": _environment(settings.environment),
    }


def _retries(retries: Retries | None) -> dict[str, Any]:
    if retries is None:
        return {}
    return {
        "retries": retries.count,
        "retry_delay_seconds": retries.delay_seconds,
        "retry_backoff": retries.backoff,
        "retry_max_delay_seconds": retries.max_delay_seconds,
    }


def _environment(environment: EnvironmentSpec) -> dict[str, Any]:
    return environment.model_dump(mode="json", exclude_defaults=True)


def _input(port: InputPort, graph: PipelineGraph, outputs: Outputs) -> dict[str, Any]:
    default: DataSource | None = None
    if isinstance(port.binding, FromSource):
        default = graph.sources[port.binding.source]
    entry: dict[str, Any] = {"source": _binding(port, graph, outputs)}
    if default is None or port.mode != default_mode(default):
        entry["bind_mode"] = port.mode
    if port.table is not None:
        entry["table"] = _reading(port.table)
    return {**entry, **_placing(port.path_on_compute, port.overwrite)}


def _binding(port: InputPort, graph: PipelineGraph, outputs: Outputs) -> Any:
    match port.binding:
        case OutputOf(step=step, port=name):
            return outputs[step, name]
        case FromSource(source=source):
            shared = any(parameter.name == source for parameter in graph.parameters)
            return {"data_reference": source} if shared else source
        case FromParameter(parameter=name):
            return {"parameter": name} if name in graph.sources else name


def _placing(path_on_compute: str | None, overwrite: bool) -> dict[str, Any]:
    path = {} if path_on_compute is None else {"path_on_compute": path_on_compute}
    return {**path, "overwrite": True} if overwrite else path


def _output(port: OutputPort, name: str) -> dict[str, Any]:
    entry = {
        "destination": name,
        "datastore": port.datastore,
        "bind_mode": port.mode,
        "is_directory": port.is_directory or None,
        "path_on_datastore": port.destination,
        "pipeline_output_name": port.pipeline_output_name,
        "register": None if port.registration is None else write_registration(port.registration),
    }
    present = {key: value for key, value in entry.items() if value is not None}
    return {**present, **_placing(port.path_on_compute, port.overwrite)}


def _argument(argument: Argument) -> Any:
    match argument:
        case InputPath(port=port):
            return f"input:{port}"
        case OutputPath(port=port):
            return f"output:{port}"
        case ParameterValue(parameter=parameter):
            return {"source": parameter}
    value = argument.value
    special = isinstance(value, str) and value.partition(":")[0] in ("input", "output", "parameter", "side_input")
    return {"value": value} if special else value
