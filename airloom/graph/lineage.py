"""What each step of a pipeline reads and writes, under names that are the same in every run and version of it.

A name tells who owns the data: a registered dataset, a place on a datastore that the author has named, or an output of
a step. No digest, run or attempt is part of it, so that a pipeline which is changed and submitted again goes on
writing what it wrote before.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from airloom.graph.model import (
    DataLocation,
    DataSource,
    DataTransferSettings,
    Definition,
    FromParameter,
    FromSource,
    InputPort,
    OutputOf,
    OutputPort,
    PathSource,
    Step,
    source_locations,
)

SCHEME = "x-airloom"
"""The `x-` tells Airflow to take the address as it is, without asking its providers what it means."""

_LONGEST = 1000


class Data(NamedTuple):
    """A piece of data as lineage knows it; `location` is its place, if that is the same in every run."""

    name: str
    location: DataLocation | None = None

    @property
    def uri(self) -> str:
        """The address that stands for it; each name has one of its own."""
        return f"{SCHEME}://{quote(self.name)}"


def reads(definition: Definition, step: Step) -> tuple[Data, ...]:
    """What a step reads, each once. What a parameter brings is that of its default."""
    inputs = [data for port in step.inputs for data in _input(definition, port)]
    rows = step.settings.rows if isinstance(step.settings, DataTransferSettings) else None
    if rows is not None and rows.table is not None:
        inputs.append(_place(definition, DataLocation(datastore=rows.datastore, path=rows.table)))
    elif rows is not None:
        inputs.append(_place(definition, DataLocation(datastore=rows.datastore)))
    return tuple(dict.fromkeys(inputs))


def writes(definition: Definition, step: Step) -> tuple[Data, ...]:
    """What a step writes, each once."""
    outputs = [data for port in step.outputs for data in output(definition, step, port)]
    table = step.settings.table if isinstance(step.settings, DataTransferSettings) else None
    if table is not None:
        outputs.append(_place(definition, DataLocation(datastore=table.datastore, path=table.table)))
    return tuple(dict.fromkeys(outputs))


def output(definition: Definition, step: Step, port: OutputPort) -> tuple[Data, ...]:
    """What stands for an output: where it lies, and the registered dataset that it becomes."""
    lying = _lying(definition, step, port)
    return (lying, _dataset(definition, port.registration.name)) if port.registration is not None else (lying,)


def _lying(definition: Definition, step: Step, port: OutputPort) -> Data:
    """The place that the author has chosen, else the step and the port."""
    destination = (port.destination or "").replace("{output-name}", port.name)
    if destination and "{" not in destination:
        datastore = port.datastore or definition.default_datastore
        return _place(definition, DataLocation(datastore=datastore, path=destination.strip("/")))
    name = definition.publication.name if definition.publication is not None else definition.experiment
    return Data(_name(definition.workspace, "outputs", name, step.id, port.name))


def _input(definition: Definition, port: InputPort) -> tuple[Data, ...]:
    binding, graph = port.binding, definition.graph
    if isinstance(binding, OutputOf):
        step = graph.step(binding.step)
        return next(output(definition, step, written) for written in step.outputs if written.name == binding.port)
    if isinstance(binding, FromSource):
        return _source(definition, graph.sources[binding.source])
    return _parameter(definition, binding)


def _parameter(definition: Definition, binding: FromParameter) -> tuple[Data, ...]:
    default = next(each.default for each in definition.graph.parameters if each.name == binding.parameter)
    return () if isinstance(default, str | int | float | bool) else _source(definition, default)


def _source(definition: Definition, source: DataSource) -> tuple[Data, ...]:
    if not isinstance(source, PathSource) and source.dataset is not None:
        return (_dataset(definition, source.dataset.name),)
    return tuple(_place(definition, location) for location in source_locations(source))


def _dataset(definition: Definition, name: str) -> Data:
    return Data(_name(definition.workspace, "datasets", name))


def _place(definition: Definition, location: DataLocation) -> Data:
    return Data(_name(definition.workspace, "datastores", location.datastore, location.path), location)


def _name(*parts: str) -> str:
    return "/".join(filter(None, parts))[:_LONGEST]
