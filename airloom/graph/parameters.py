"""The values that a run gives to a pipeline's parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from airloom.errors import InvalidGraph
from airloom.graph._check_values import describe, has_type
from airloom.graph.model import (
    DataSource,
    FilesSource,
    ParameterDef,
    PathSource,
    PipelineGraph,
    TabularSource,
    source_locations,
)
from airloom.graph.names import path_fault
from airloom.graph.suggest import did_you_mean

_SOURCE: TypeAdapter[DataSource] = TypeAdapter(DataSource)
_BOOLEANS = {"true": True, "false": False}
_EXPECTED = {
    "int": "a whole number",
    "float": "a finite number",
    "bool": "true or false",
    "string": "text",
    "datapath": "a path on a datastore",
    "dataset": "a dataset",
}


def check_parameters(graph: PipelineGraph, given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every parameter for one run: what was given, typed like its default, else the default.

    Numbers and booleans may be given as text ("45", "true"), as REST callers of Azure ML do. Values of type datapath
    and dataset may be model objects or their JSON, and come back as JSON. Raises InvalidGraph that names each unknown
    parameter and each value of the wrong type.
    """
    known = {parameter.name: parameter for parameter in graph.parameters}
    faults = [f"There is no pipeline parameter '{n}'. {did_you_mean(n, known)}" for n in given if n not in known]
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        if name not in given:
            values[name] = _to_json(parameter.default)
            continue
        try:
            values[name] = _to_json(_convert(parameter, given[name]))
        except ValueError as error:
            expected = f"{parameter.type} ({_EXPECTED[parameter.type]})"
            reason = f": {error}" if str(error) else ""
            faults.append(f"Parameter '{name}' expects {expected}, but was given {describe(given[name])}{reason}.")
    if faults:
        raise InvalidGraph(" ".join(faults), target="parameters")
    return values


def with_defaults(graph: PipelineGraph, given: Mapping[str, Any]) -> PipelineGraph:
    """The graph with other defaults for some of its parameters. Raises InvalidGraph as `check_parameters` does."""
    values = check_parameters(graph, given)
    parameters = (ParameterDef(name=each.name, type=each.type, default=values[each.name]) for each in graph.parameters)
    return graph.model_copy(update={"parameters": tuple(parameters)})


def _to_json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, PathSource | FilesSource | TabularSource) else value


def _convert(parameter: ParameterDef, value: Any) -> Any:
    """The value in the type of the parameter. Raises ValueError with an empty or explaining message."""
    if parameter.type in ("datapath", "dataset"):
        return _convert_source(parameter, value)
    if isinstance(value, str) and parameter.type != "string":
        value = _from_text(value.strip(), parameter.type)
    if not has_type(value, parameter.type):
        raise ValueError
    if isinstance(value, str) and "\0" in value:
        raise ValueError("it holds a NUL character")
    if parameter.type == "float":
        return _finite(value)
    return value


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("it is too large") from None
    if not math.isfinite(number):
        raise ValueError
    return number


def _from_text(text: str, kind: str) -> bool | int | float:
    if kind == "bool":
        if text.lower() not in _BOOLEANS:
            raise ValueError
        return _BOOLEANS[text.lower()]
    if "_" in text:  # Python would read 1_000 as a number; nobody else does.
        raise ValueError
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        raise ValueError from None


def _convert_source(parameter: ParameterDef, value: Any) -> DataSource:
    if isinstance(value, dict):
        try:
            value = _SOURCE.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{place}: {first['msg']}") from None
    if not has_type(value, parameter.type):
        raise ValueError
    if not isinstance(parameter.default, PathSource) and type(value) is not type(parameter.default):
        raise ValueError(f"its default is {describe(parameter.default)}")
    source: DataSource = value
    for location in source_locations(source):
        fault = path_fault(location.path, may_be_empty=True)
        if fault:
            raise ValueError(f"the path '{location.path}' {fault}")
    return source
