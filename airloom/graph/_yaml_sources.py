"""Pipeline parameters, data references and environments in pipeline YAML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from airloom.graph._check_values import has_type
from airloom.graph._yaml_nodes import Node
from airloom.graph.model import (
    DataLocation,
    DataSource,
    EnvironmentSpec,
    FilesSource,
    InputMode,
    ParameterDef,
    ParameterType,
    PathSource,
    Scalar,
    TabularSource,
)
from airloom.graph.tables import TableReading

BIND_MODES = ("mount", "download", "direct")
_TYPES = ("int", "float", "bool", "string", "datapath", "dataset")
_PLACE = ("datastore", "path_on_datastore")
_BINDING = ("bind_mode", "path_on_compute", "overwrite")
_REGISTERED = ("dataset_name", "dataset_id", "dataset_version")
_SQL = ("sql_table", "sql_query", "sql_stored_procedure", "sql_stored_procedure_params")
_PLAIN_READING = ("separator", "header", "encoding", "keep_columns")
_MORE_READING = ("format", "options", "transforms", "timestamps")
_READING = (*_PLAIN_READING, *_MORE_READING)

FindDataset = Callable[[Node, dict[str, Any]], DataSource]


@dataclass(frozen=True)
class Reference:
    """An entry of `data_references`: the data, and how inputs read it unless they say otherwise."""

    source: DataSource
    mode: InputMode
    path_on_compute: str | None
    overwrite: bool


def read_parameter(name: str, node: Node) -> ParameterDef:
    """An entry of the pipeline's `parameters`."""
    what = f"Parameter '{name}'"
    fields = node.fields(what, ("type", "default"))
    for key in ("type", "default"):
        if key not in fields:
            node.fail(f"{what} has no {key}.", "The default fixes the value of runs that do not set it.")
    kind = fields["type"].choice(f"The type of {what}", _TYPES)
    value = fields["default"]
    if kind in ("datapath", "dataset"):
        default: Scalar | DataSource = read_source(value, f"The default of {what}")
    else:
        default = value.text(what) if kind == "string" and not value.is_null() else value.scalar(what)
        default = float(default) if kind == "float" and has_type(default, "float") else default
    if not has_type(default, kind):
        value.fail(f"{what} is of type {kind}, but its default is not.")
    return ParameterDef(name=name, type=cast(ParameterType, kind), default=default)


def read_reference(name: str, node: Node, find_dataset: FindDataset) -> Reference:
    """An entry of `data_references`."""
    what = f"Data reference '{name}'"
    fields = node.items(what)
    sql = next((fields[key] for key in _SQL if key in fields), None)
    if sql is not None:
        sql.fail(f"{what} reads from SQL, which is not available in this version of Airloom.")
    if "dataset_name" in fields or "dataset_id" in fields:
        node.fields(what, (*_REGISTERED, *_BINDING))
        source = find_dataset(node, {key: fields[key].plain(what) for key in _REGISTERED if key in fields})
    else:
        source = read_source(node, what, _BINDING)
    return Reference(source, read_mode(fields, what, default_mode(source)), *read_placing(fields, what))


def default_mode(source: DataSource) -> InputMode:
    """How data is read when nothing is said: tables directly, all else where it lies."""
    return "direct" if isinstance(source, TabularSource) else "mount"


def read_mode(fields: dict[str, Node], what: str, default: InputMode) -> InputMode:
    """The key `bind_mode` of an input."""
    if "bind_mode" not in fields or fields["bind_mode"].is_null():
        return default
    return cast(InputMode, fields["bind_mode"].choice(f"bind_mode of {what}", BIND_MODES))


def read_placing(fields: dict[str, Node], what: str) -> tuple[str | None, bool]:
    """The keys `path_on_compute` and `overwrite` of an input or output."""
    path, overwrite = fields.get("path_on_compute"), fields.get("overwrite")
    return (
        None if path is None or path.is_null() else path.text(f"path_on_compute of {what}"),
        overwrite is not None and not overwrite.is_null() and overwrite.flag(f"overwrite of {what}"),
    )


def read_source(node: Node, what: str, more: tuple[str, ...] = ()) -> DataSource:
    """Data on a datastore: a path, `files` or a `tabular`. `more` are keys that may stand beside it."""
    fields = node.items(what)
    if "files" in fields:
        node.fields(what, ("files", *more))
        return FilesSource(locations=_locations(fields["files"], what))
    if "tabular" in fields:
        node.fields(what, ("tabular", *_READING, *more))
        return _table(fields, what)
    node.fields(what, (*_PLACE, *more))
    return PathSource(location=_location(node, what, more))


def _table(fields: dict[str, Node], what: str) -> TabularSource:
    return TabularSource(locations=_locations(fields["tabular"], what), **_reading(fields, what))


def read_table(node: Node, what: str) -> TableReading:
    """The key `table` of an input that reads the output of another step as a table."""
    return TableReading(**_reading(node.fields(what, _READING), what))


def _reading(fields: dict[str, Node], what: str) -> dict[str, Any]:
    columns = fields.get("keep_columns")
    reading: dict[str, Any] = {
        "separator": str(fields["separator"].raw.value) if "separator" in fields else ",",
        "header": fields["header"].flag(f"header of {what}") if "header" in fields else True,
        "encoding": fields["encoding"].text(f"encoding of {what}") if "encoding" in fields else "utf8",
        "keep_columns": None if columns is None else tuple(item.text("A column") for item in columns.elements(what)),
    }
    for key in _MORE_READING:
        if key in fields and not fields[key].is_null():
            reading[key] = _checked(key, fields[key], what)
    return reading


def _checked(key: str, node: Node, what: str) -> Any:
    """What stands below a key of a table, in the shape of the graph's model."""
    try:
        return getattr(TableReading.model_validate({key: node.tree(f"{key} of {what}")}), key)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        node.fail(f"{what} has a wrong {place}: {first['msg']}.")


def _locations(node: Node, what: str) -> tuple[DataLocation, ...]:
    return tuple(_location(item, what) for item in node.elements(what))


def _location(node: Node, what: str, more: tuple[str, ...] = ()) -> DataLocation:
    fields = node.fields(what, (*_PLACE, *more))
    if "datastore" not in fields:
        node.fail(f"{what} names no datastore.", "Add 'datastore' and 'path_on_datastore'.")
    path = fields.get("path_on_datastore")
    return DataLocation(
        datastore=fields["datastore"].text(f"The datastore of {what}"),
        path="" if path is None or path.is_null() else _text_or_empty(path, what),
    )


def _text_or_empty(node: Node, what: str) -> str:
    return "" if node.plain(what) == "" else node.text(f"path_on_datastore of {what}")


def read_environment(node: Node, what: str) -> EnvironmentSpec:
    """The key `environment` of a step."""
    what = f"The environment of {what}"
    fields = node.fields(what, ("python_version", "packages", "interpreter_path", "variables", "image"))
    texts = {
        key: fields[key].text(f"{key} of {what}")
        for key in ("python_version", "interpreter_path", "image")
        if key in fields and not fields[key].is_null()
    }
    packages = fields["packages"].elements(f"packages of {what}") if "packages" in fields else ()
    variables = fields["variables"].items(f"variables of {what}") if "variables" in fields else {}
    return EnvironmentSpec(
        packages=tuple(item.text("A package") for item in packages),
        variables={name: str(value.raw.value) for name, value in variables.items()},
        **texts,
    )
