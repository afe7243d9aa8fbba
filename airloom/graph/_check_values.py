"""Checks of single values of a graph: data locations, parameters, literals."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from airloom.graph.model import (
    DataLocation,
    FilesSource,
    ParameterDef,
    PathSource,
    Scalar,
    Step,
    TabularSource,
    source_locations,
)
from airloom.graph.names import RESERVED_PREFIX, parameter_fault, path_fault
from airloom.graph.suggest import did_you_mean


@dataclass(frozen=True)
class GraphProblem:
    """One thing that keeps a pipeline from running.

    `code` is a stable word for programs, `message` says what is wrong, `target` names the part of the graph
    ("step train input data"), and `hint` says what to do.
    """

    code: str
    message: str
    target: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def problem(code: str, message: str, step: Step, part: str = "", hint: str = "") -> GraphProblem:
    """A problem of a step, or of a part of it."""
    return GraphProblem(code, message, f"step {step.id} {part}".strip(), hint)


def check_location(
    location: DataLocation, what: str, target: str, datastores: Collection[str]
) -> Iterator[GraphProblem]:
    """The datastore must be known, and the path must stay in it."""
    if location.datastore not in datastores:
        message = f"{what} is on the datastore '{location.datastore}', which the workspace does not have."
        yield GraphProblem("UnknownDatastore", message, target, did_you_mean(location.datastore, datastores))
    fault = path_fault(location.path, may_be_empty=True)
    if fault:
        message = f"{what} has the path '{location.path}', which {fault}."
        yield GraphProblem("BadPath", message, target, "Give a path relative to the root of the datastore.")


def check_parameter(parameter: ParameterDef, datastores: Collection[str]) -> Iterator[GraphProblem]:
    """Name, and default of the declared type."""
    name, target = parameter.name, f"parameter {parameter.name}"
    fault = parameter_fault(name)
    if fault:
        yield GraphProblem("BadName", f"The parameter name '{name}' {fault}.", target, "Rename it.")
    if name.startswith(RESERVED_PREFIX):
        message = f"The parameter name '{name}' begins with '{RESERVED_PREFIX}', which is kept for settings of runs."
        yield GraphProblem("ReservedName", message, target, "Rename it.")
    if not has_type(parameter.default, parameter.type):
        message = f"Parameter '{name}' is of type {parameter.type}, but its default is {describe(parameter.default)}."
        yield GraphProblem("WrongType", message, target, "Make the default fit the type, or the type the default.")
    elif isinstance(parameter.default, PathSource | FilesSource | TabularSource):
        for location in source_locations(parameter.default):
            yield from check_location(location, f"The default of parameter '{name}'", target, datastores)
    else:
        yield from check_scalar(parameter.default, f"The default of parameter '{name}'", target)


def check_scalar(value: Scalar, what: str, target: str) -> Iterator[GraphProblem]:
    """A value must survive JSON and the command line of a process."""
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{what} is {value}, which cannot be stored as JSON."
        yield GraphProblem("BadValue", message, target, 'Pass it as text, for example "nan".')
    if isinstance(value, str) and "\0" in value:
        message = f"{what} holds a NUL character, which no process can receive."
        yield GraphProblem("BadValue", message, target, "Remove it.")


def has_type(value: object, kind: str) -> bool:
    """True if a parameter of this type may have the value. An int will do for a float, a bool never for an int."""
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "datapath":
            return isinstance(value, PathSource)
        case _:
            return isinstance(value, FilesSource | TabularSource)


def describe(value: object) -> str:
    """A value with its type, short enough for a message."""
    if isinstance(value, PathSource):
        return f"the path '{value.location.path}' on datastore '{value.location.datastore}'"
    if isinstance(value, FilesSource | TabularSource):
        return f"a {'file' if isinstance(value, FilesSource) else 'tabular'} dataset"
    text = repr(value)
    kind = "string" if isinstance(value, str) else type(value).__name__
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({kind})"
