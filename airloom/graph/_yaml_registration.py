"""`register` of outputs in pipeline YAML: the dataset that an output becomes."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from airloom.graph._yaml_nodes import Node
from airloom.graph.model import DatasetRegistration

_KEYS = ("name", "description", "tags", "create_new_version", "reading")


def read_registration(node: Node, what: str) -> DatasetRegistration:
    """The key `register` of an output: a name, or a mapping. `reading` is that of a table, as graphs write it."""
    what = f"register of {what}"
    if not node.is_mapping():
        return DatasetRegistration(name=node.text(what))
    fields = node.fields(what, _KEYS)
    if "name" not in fields:
        node.fail(f"{what} has no name.", "Name the dataset that the output is to become.")
    again, reading = fields.get("create_new_version"), fields.get("reading")
    document: dict[str, Any] = {
        "name": fields["name"].text(f"The name of {what}"),
        "description": fields["description"].text(f"The description of {what}") if "description" in fields else "",
        "tags": {
            name: value.text(f"A tag of {what}")
            for name, value in (fields["tags"].items(f"tags of {what}") if "tags" in fields else {}).items()
        },
        "create_new_version": True if again is None else again.flag(f"create_new_version of {what}"),
    }
    if reading is not None:
        document["reading"] = {**_mapping(reading, f"reading of {what}"), "locations": []}
    try:
        return DatasetRegistration.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        node.fail(f"{what}: {'.'.join(map(str, first['loc']))}: {first['msg']}.")


def write_registration(registration: DatasetRegistration) -> dict[str, Any]:
    """The mapping that `read_registration` reads."""
    written = registration.model_dump(mode="json", exclude={"reading"}, exclude_defaults=True)
    reading = registration.reading
    options = reading.model_dump(mode="json", exclude={"locations", "kind"}, exclude_defaults=True)
    if options or reading.kind != "files":
        written["reading"] = {"kind": reading.kind, **options}
    return written


def _mapping(node: Node, what: str) -> dict[str, Any]:
    return {name: _value(value, what) for name, value in node.items(what).items()}


def _value(node: Node, what: str) -> Any:
    if node.is_mapping():
        return _mapping(node, what)
    if node.is_list():
        return [_value(element, what) for element in node.elements(what)]
    return node.plain(what)
