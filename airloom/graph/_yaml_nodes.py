"""YAML with line numbers: values are read on demand, and every complaint says where in the file it belongs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from airloom.errors import InvalidGraph
from airloom.graph.suggest import did_you_mean

Plain = bool | int | float | str | None

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 400


def plain_value(text: str) -> Plain:
    """What an unquoted scalar means in YAML 1.2: `yes`, `12:30` and dates are text, unlike in YAML 1.1."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Loader(yaml.SafeLoader):
    """Leaves the type of unquoted scalars to `plain_value`."""


_Loader.yaml_implicit_resolvers = {}


@dataclass(frozen=True)
class Node:
    """A part of a YAML file."""

    file: str
    raw: yaml.Node

    @property
    def line(self) -> int:
        """Line number, from 1."""
        return int(self.raw.start_mark.line) + 1

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise InvalidGraph as `file:line: message`."""
        raise InvalidGraph(f"{self.file}:{self.line}: {message}", hint=hint, target=self.file)

    def is_mapping(self) -> bool:
        """True for `key: value` blocks."""
        return isinstance(self.raw, yaml.MappingNode)

    def items(self, what: str) -> dict[str, Node]:
        """The entries of a mapping by key. Merge keys (`<<`) are honoured, repeated keys refused."""
        if self.is_null():
            return {}
        if not isinstance(self.raw, yaml.MappingNode):
            self.fail(f"{what} must be a mapping of names to values.")
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key, value in self.raw.value:
            name = Node(self.file, key).text(f"A key of {what}")
            if name in own:
                Node(self.file, key).fail(f"{what} has the key '{name}' twice.")
            if name == "<<":
                merged.update(Node(self.file, value)._merged(what))
            else:
                own[name] = Node(self.file, value)
        return {**merged, **own}

    def _merged(self, what: str) -> dict[str, Node]:
        if not isinstance(self.raw, yaml.SequenceNode):
            return self.items(what)
        merged: dict[str, Node] = {}
        for part in reversed(list(self.elements(what))):
            merged.update(part.items(what))
        return merged

    def fields(self, what: str, known: Collection[str]) -> dict[str, Node]:
        """The entries of a mapping whose keys are given; others are refused with the closest known one."""
        entries = self.items(what)
        for name, node in entries.items():
            if name not in known:
                node.fail(f"{what} has the unknown key '{name}'.", did_you_mean(name, known))
        return entries

    def elements(self, what: str) -> Iterator[Node]:
        """The elements of a list; an empty value is an empty list."""
        if self.is_null():
            return
        if not isinstance(self.raw, yaml.SequenceNode):
            self.fail(f"{what} must be a list.")
        for item in self.raw.value:
            yield Node(self.file, item)

    def is_null(self) -> bool:
        """True for an empty value, `~` and `null`."""
        return isinstance(self.raw, yaml.ScalarNode) and self.plain("") is None

    def plain(self, what: str) -> Plain:
        """A single value: text if quoted, else by the rules of YAML 1.2."""
        if not isinstance(self.raw, yaml.ScalarNode):
            self.fail(f"{what} must be a single value.")
        value = str(self.raw.value)
        return plain_value(value) if self.raw.style is None else value

    def tree(self, what: str) -> Any:
        """All that is below: mappings, lists and single values."""
        if self.is_mapping():
            return {name: node.tree(what) for name, node in self.items(what).items()}
        if isinstance(self.raw, yaml.SequenceNode):
            return [node.tree(what) for node in self.elements(what)]
        return self.plain(what)

    def scalar(self, what: str) -> bool | int | float | str:
        """A single value that is not empty."""
        value = self.plain(what)
        if value is None:
            self.fail(f"{what} is empty.")
        return value

    def text(self, what: str) -> str:
        """A value as it is written, quoted or not, and not empty."""
        self.scalar(what)
        return str(self.raw.value)

    def flag(self, what: str) -> bool:
        """true or false."""
        value = self.plain(what)
        if not isinstance(value, bool):
            self.fail(f"{what} must be true or false, not {value!r}.")
        return value

    def whole_number(self, what: str) -> int:
        """A whole number."""
        value = self.plain(what)
        if not isinstance(value, int) or isinstance(value, bool):
            self.fail(f"{what} must be a whole number, not {value!r}.")
        return value

    def number(self, what: str) -> float:
        """A number."""
        value = self.plain(what)
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.fail(f"{what} must be a number, not {value!r}.")
        return float(value)

    def choice(self, what: str, choices: Collection[str]) -> str:
        """One of some words."""
        value = self.text(what)
        if value not in choices:
            self.fail(f"{what} cannot be '{value}'.", did_you_mean(value, choices))
        return value


def compose_file(file: str | Path, kind: str) -> Node:
    """Read a YAML file. Raises InvalidGraph; `kind` says what the file should hold."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidGraph(f"The {kind} file '{file}' cannot be read: {reason}.", target=str(file)) from None
    return compose(text, str(file))


def compose(text: str, file: str) -> Node:
    """Read YAML text. Raises InvalidGraph with the line for anything that is not YAML."""
    try:
        raw = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}" if mark is not None else file
        raise InvalidGraph(f"{place}: This is not YAML: {error.problem}.", target=file) from None
    except yaml.YAMLError as error:
        raise InvalidGraph(f"{file}: This is not YAML: {error}.", target=file) from None
    except RecursionError:
        raise InvalidGraph(f"{file}: This is nested too deeply to be a pipeline.", target=file) from None
    if raw is None:
        raise InvalidGraph(f"{file}:1: The file is empty.", hint="It must begin with 'pipeline:'.", target=file)
    return Node(file, raw)
