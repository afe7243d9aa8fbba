"""Parameter values between the shape of the original service and ours.

The service has three lists of assignments, by the kind of the parameter, and its scalars are texts. Ours is one list
of typed values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from airloom.errors import InvalidName, NotFound
from airloom.graph.model import DatasetSource, FilesSource, ParameterDef, TabularSource
from airloom.plugins.errors import BadRequest
from airloom.plugins.wire.bodies import DataSetDefinitionValue, LegacyDataPath, PipelineSubmissionInfo

_THREE_WAYS = (
    'Give its id, {"SavedDataSetReference": {"Id": "..."}}, its name, {"DataSetReference": {"Name": "...", '
    '"Version": 1}}, or the data itself, {"LiteralValue": {"DataStoreName": "...", "RelativePath": "..."}}.'
)


class FindDataset(Protocol):
    """Finds what a registered or saved dataset reads. Both raise NotFound."""

    def by_id(self, dataset_id: str) -> DatasetSource:
        """The version, or the saved dataset, of an id."""

    def by_name(self, name: str, version: str | int | None) -> DatasetSource:
        """A version of a name, by default the latest."""


def given_values(info: PipelineSubmissionInfo, parameters: Iterable[ParameterDef], find: FindDataset) -> dict[str, Any]:
    """The values that a body gives, in our form. Raises BadRequest for one that cannot be read, or is given twice.

    Whether there are such parameters, and whether the types fit, is checked where all values are.
    """
    defaults = {parameter.name: parameter.default for parameter in parameters}
    texts = {parameter.name for parameter in parameters if parameter.type == "string"}
    lists: tuple[dict[str, Any], ...] = (
        {n: _as_text(v) if n in texts else v for n, v in (info.parameter_assignments or {}).items()},
        {n: _path(v) for n, v in (info.data_path_assignments or {}).items()},
        {
            n: _dataset(n, v, defaults.get(n), find)
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
    """The datasets among the values: by name if they are registered, else by a path, of several the first."""
    found = {name: value for name, value in values.items() if _kind(value) in ("files", "tabular")}
    return {name: _definition(value) for name, value in found.items()}


def _definition(value: Mapping[str, Any]) -> dict[str, Any]:
    registered = value.get("dataset")
    if registered is None:
        return {"LiteralValue": _literal(value["locations"][0])}
    reference = {"Id": registered["id"], "Name": registered["name"], "Version": str(registered["version"])}
    return {"DataSetReference": reference}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _path(given: LegacyDataPath) -> dict[str, Any]:
    return {"kind": "path", "location": _location(given)}


def _dataset(name: str, given: DataSetDefinitionValue, default: Any, find: FindDataset) -> dict[str, Any]:
    """A registered or saved dataset, or a place, which is read in the way that the parameter's default says."""
    ways = (given.saved_data_set_reference, given.data_set_reference, given.literal_value)
    if sum(way is not None for way in ways) > 1:
        raise BadRequest(f"The dataset of the parameter {name!r} is named in two ways.", target=name)
    try:
        found = _referred(given, find)
    except (NotFound, InvalidName) as error:
        raise BadRequest(
            f"The dataset of the parameter {name!r} is not known. {error.message}", hint=error.hint, target=name
        ) from None
    if found is not None:
        return found.model_dump(mode="json")
    if given.literal_value is None:
        raise BadRequest(f"The dataset of the parameter {name!r} is not known.", hint=_THREE_WAYS, target=name)
    source = default if isinstance(default, FilesSource | TabularSource) else FilesSource(locations=())
    reading = source.model_copy(update={"dataset": None}).model_dump(mode="json")
    return {**reading, "locations": [_location(given.literal_value)]}


def _referred(given: DataSetDefinitionValue, find: FindDataset) -> DatasetSource | None:
    """The dataset that is meant by its id or name; of both, the id counts."""
    if given.saved_data_set_reference is not None:
        return find.by_id(given.saved_data_set_reference.id)
    reference = given.data_set_reference
    if reference is None or (reference.id is None and reference.name is None):
        return None
    if reference.id is not None:
        return find.by_id(reference.id)
    return find.by_name(reference.name or "", reference.version)


def _location(given: LegacyDataPath) -> dict[str, str]:
    return {"datastore": given.data_store_name, "path": given.relative_path.strip("/")}


def _literal(location: Mapping[str, str]) -> dict[str, str]:
    return {"DataStoreName": location["datastore"], "RelativePath": location["path"]}


def _kind(value: Any) -> str | None:
    return value.get("kind") if isinstance(value, dict) else None
