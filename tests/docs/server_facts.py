"""Writes what the server side offers into a JSON file: run as a process of its own, so that no test imports Airflow."""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from airloom.graph.results import Explanation, OutputRef
from airloom.operators import DataTransferOperator, PythonScriptOperator, SkipIfUnchangedSensor
from airloom.plugins.api import dataset_schemas, datastore_schemas, schedule_schemas, schemas, table_schemas
from airloom.plugins.api.app import URL_PREFIX, create_app
from airloom.plugins.api.auth import Guard
from airloom.plugins.api.errors import CODE_OF_STATUS, STATUS_OF
from airloom.plugins.settings import Settings
from airloom.plugins.wire import bodies, entities
from airloom.plugins.wire.addresses import WORKSPACE
from airloom.plugins.wire.app import create_app as create_wire_app

OPERATORS = (DataTransferOperator, PythonScriptOperator, SkipIfUnchangedSensor)


def main() -> None:
    """Write all facts into the file that the argument names; Airflow itself prints to standard output."""
    facts = {
        "routes": [route for each in create_app().routes if isinstance(each, APIRoute) for route in _routes(each)],
        "models": {
            model.__name__: _fields(model)
            for module in (schemas, dataset_schemas, datastore_schemas, schedule_schemas, table_schemas)
            for model in _models(module, schemas.Body)
        },
        "wire_routes": list(_wire_routes()),
        "wire_models": {
            model.__name__: _wire_fields(model)
            for module in (bodies, entities)
            for model in _models(module, bodies.Wire, bodies.Asked)
        },
        "codes": sorted({kind.code for kind in STATUS_OF}),
        "status_codes": sorted(CODE_OF_STATUS.values()),
        "settings": [field.name for field in dataclasses.fields(Settings)],
        "operators": {kind.__name__: _own_arguments(kind) for kind in OPERATORS},
    }
    Path(sys.argv[1]).write_text(json.dumps(facts))


def _wire_routes() -> Iterator[dict[str, str]]:
    """Those below a workspace, by their paths there."""
    for each in create_wire_app().routes:
        if isinstance(each, APIRoute) and each.path.startswith(WORKSPACE):
            for route in _routes(each):
                yield {**route, "path": route["path"].removeprefix(f"{URL_PREFIX}{WORKSPACE}/")}


def _routes(route: APIRoute) -> Iterator[dict[str, str]]:
    path = URL_PREFIX + route.path.replace(":path}", "}")
    rights = sorted({_in_words(guard) for guard in _guards(route.dependant)})
    for method in sorted(route.methods):
        yield {"method": method, "path": path, "right": ", ".join(rights), "status": str(route.status_code or 200)}


def _guards(dependant: Dependant) -> Iterator[Guard]:
    if isinstance(dependant.call, Guard):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _guards(inner)


_KINDS = {"page": "run"}
"""What names of functions call otherwise than the documentation."""


def _in_words(guard: Guard) -> str:
    """A right as the documentation writes it: `GET dag`, `GET dag RUN`, perhaps narrowed `of the run`."""
    entity = f" {guard.right.entity.value}" if guard.right.entity is not None else ""
    narrowed = ""
    if guard._name_of is not None:
        kind = guard._name_of.__name__.removeprefix("dag_of_")
        narrowed = f" of the {_KINDS.get(kind, kind)}" if guard.right.resource == "dag" else " of this name"
    return f"{guard.right.method} {guard.right.resource}{entity}{narrowed}"


def _models(module: ModuleType, *bases: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in vars(module).values():
        own = inspect.isclass(model) and issubclass(model, BaseModel) and model.__module__ == module.__name__
        if own and model not in bases and not model.__name__.startswith("_"):
            yield model
    if module is schemas:
        yield from (Explanation, OutputRef)


def _wire_fields(model: type[BaseModel]) -> list[str]:
    """The names in JSON, without those that every entity has."""
    common = entities.Entity.model_fields if entities.Entity in model.__bases__ else {}
    return [str(field.alias) for name, field in model.model_fields.items() if name not in common]


def _fields(model: type[BaseModel]) -> list[str]:
    return list(model.model_fields)


def _own_arguments(operator: Any) -> list[str]:
    parameters = inspect.signature(operator.__init__).parameters
    return [name for name, each in parameters.items() if name != "self" and each.kind is not each.VAR_KEYWORD]


if __name__ == "__main__":
    main()
