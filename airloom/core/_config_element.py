"""The base of configuration objects (run configuration, environment, and their sections) and their YAML form."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from airloom.exceptions import UserErrorException
from airloom.graph.suggest import did_you_mean

Element = TypeVar("Element", bound="ConfigElement")


class ConfigElement:
    """A dataclass that refuses attributes it does not have, so that a misspelt setting is never lost."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in _settable(type(self)):
            hint = did_you_mean(name, _settable(type(self)))
            raise UserErrorException(f"{type(self).__name__} has no setting {name!r}. {hint}")
        super().__setattr__(name, value)


def _settable(cls: type) -> set[str]:
    own = {field.name for field in dataclasses.fields(cls) if not field.name.startswith("_")}
    properties = {name for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, property)}
    return own | properties


def camel(name: str) -> str:
    """`node_count` as v1's YAML files write it: `nodeCount`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def to_document(element: ConfigElement) -> dict[str, Any]:
    """The element as plain dicts, lists and scalars, keys in camel case, private fields left out."""
    return {
        camel(field.name): _plain(getattr(element, field.name))
        for field in dataclasses.fields(element)  # type: ignore[arg-type]
        if not field.name.startswith("_")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, ConfigElement):
        return to_document(value)
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def fill(element: Element, document: dict[str, Any], source: str) -> Element:
    """Set the element's fields from its YAML form; `source` names the file in errors about unknown keys."""
    by_key = {
        camel(field.name): field.name
        for field in dataclasses.fields(element)  # type: ignore[arg-type]
        if not field.name.startswith("_")
    }
    for key, value in document.items():
        if key not in by_key:
            raise UserErrorException(
                f"{source}: {type(element).__name__} has no key {key!r}. {did_you_mean(key, by_key)}"
            )
        current = getattr(element, by_key[key])
        if isinstance(current, ConfigElement) and isinstance(value, dict):
            fill(current, value, source)
        else:
            setattr(element, by_key[key], value)
    return element
