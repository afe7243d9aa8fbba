"""Parameter values between the shape of the original service and ours.

The service has three lists of assignments, by the kind of the parameter, and its scalars are texts. Ours is one list
of typed values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airloom.errors import NotFound
from airloom.graph.model import FilesSource, ParameterDef, TabularSource
from airloom.plugins.errors import BadRequest
from airloom.plugins.wire.bodies import DataSetDefinitionValue, LegacyDataPath, PipelineSubmissionInfo

_BY_ID_ONLY = (
    'Datasets have no names in this version. Give its id, {"SavedDataSetReference": {"Id": "..."}}, or the data '
    'itself, {"LiteralValue": {"DataStoreName": "...", "RelativePath": "..."}}.'
)
Saved = Callable[[str], FilesSource | TabularSource]
"""Finds a saved dataset by its id. Raises NotFound."""


def given_values(info: PipelineSubmissionInfo, parameters: Iterable[ParameterDef], saved: Saved) -> dict[str, Any]:
    """The values that a body gives, in our form. Raises BadRequest for one that cannot be read, or is given twice.

    Whether there are such parameters, and whether the types fit, is checked where all values are.
    """
    defaults = {parameter.name: parameter.default for parameter in parameters}
    texts = {parameter.name for parameter in parameters if parameter.type == "string"}
    lists: tuple[dict[str, Any], ...] = (
        {n: _as_text(v) if n in texts else v for n, v in (info.parameter_assignments or {}).items()},
        {n: _path(v) for n, v in (info.data_path_assignments or {}).items()},
        {
            n: _dataset(n, v, defaults.get(n), saved)
            for n, v in (info.data_set_definition_value_assignments or {}).items()
        },
    )
    values: dict[str, Any] = {}
    for each in lists:
        for name, value in each.items():
            if name in values:
                raise BadRequest(f"The parameter {name!r} is given in two lists of assignments.", target=name)
            values[name] = value
    return values


def scalars(values: Mapping[str, Any]) -> dict[str, str]:
    """Those values that are no data, as text."""
    return {name: _as_text(value) for name, value in values.items() if not isinstance(value, dict)}


def data_paths(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The paths among the values."""
    paths = {name: value["location"] for name, value in values.items() if _kind(value) == "path"}
    return {name: _literal(location) for name, location in paths.items()}


def datasets(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The datasets among the values. The original shape holds one path, so of several the first is shown."""
    found = {name: value["locations"] for name, value in values.items() if _kind(value) in ("files", "tabular")}
    return {name: {"LiteralValue": _literal(locations[0])} for name, locations in found.items()}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _path(given: LegacyDataPath) -> dict[str, Any]:
    return {"kind": "path", "location": _location(given)}


def _dataset(name: str, given: DataSetDefinitionValue, default: Any, saved: Saved) -> dict[str, Any]:
    """A saved dataset, or a place, which is read in the way that the parameter's default says."""
    ways = (given.saved_data_set_reference, given.data_set_reference, given.literal_value)
    if sum(way is not None for way in ways) > 1:
        raise BadRequest(f"The dataset of the parameter {name!r} is named in two ways.", target=name)
    reference = given.saved_data_set_reference or given.data_set_reference
    if reference is not None and reference.id is not None:
        try:
            return saved(reference.id).model_dump(mode="json")
        except NotFound as error:
            raise BadRequest(
                f"The dataset of the parameter {name!r} is not known. {error.message}", hint=error.hint, target=name
            ) from None
    if given.literal_value is None:
        raise BadRequest(f"The dataset of the parameter {name!r} is not known.", hint=_BY_ID_ONLY, target=name)
    source = default if isinstance(default, FilesSource | TabularSource) else FilesSource(locations=())
    return {**source.model_dump(mode="json"), "locations": [_location(given.literal_value)]}


def _location(given: LegacyDataPath) -> dict[str, str]:
    return {"datastore": given.data_store_name, "path": given.relative_path.strip("/")}


def _literal(location: Mapping[str, str]) -> dict[str, str]:
    return {"DataStoreName": location["datastore"], "RelativePath": location["path"]}


def _kind(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else None
