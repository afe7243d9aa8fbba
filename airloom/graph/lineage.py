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
    Definition,
    FromParameter,
    FromSource,
    InputPort,
    OutputOf,
    OutputPort,
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
    return tuple(dict.fromkeys(data for port in step.inputs for data in _input(definition, port)))


def writes(definition: Definition, step: Step) -> tuple[Data, ...]:
    """What a step writes, each once."""
    return tuple(dict.fromkeys(data for port in step.outputs for data in output(definition, step, port)))


def output(definition: Definition, step: Step, port: OutputPort) -> tuple[Data, ...]:
    """What stands for an output: the place that its author has chosen, else the step and the port."""
    destination = (port.destination or "").replace("{output-name}", port.name)
    if destination and "{" not in destination:
        datastore = port.datastore or definition.default_datastore
        return (_place(definition, DataLocation(datastore=datastore, path=destination.strip("/"))),)
    name = definition.publication.name if definition.publication is not None else definition.experiment
    return (Data(_name(definition.workspace, "outputs", name, step.id, port.name)),)


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
    return tuple(_place(definition, location) for location in source_locations(source))


def _place(definition: Definition, location: DataLocation) -> Data:
    return Data(_name(definition.workspace, "datastores", location.datastore, location.path), location)


def _name(*parts: str) -> str:
    return "/".join(filter(None, parts))[:_LONGEST]
