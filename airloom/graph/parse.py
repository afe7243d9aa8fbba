"""Reading a graph that somebody else wrote. Whatever is wrong with the bytes is said in plain words."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from airloom.errors import InvalidGraph
from airloom.graph.model import PipelineGraph
from airloom.graph.suggest import did_you_mean

FORMAT = 1
_SINGULAR = {
    "steps": "step",
    "inputs": "input",
    "outputs": "output",
    "arguments": "argument",
    "parameters": "parameter",
    "sources": "source",
    "params": "param",
    "locations": "location",
}


def parse_graph(data: bytes | str | dict[str, Any]) -> PipelineGraph:
    """Read a graph from JSON text or from already decoded JSON.

    Raises InvalidGraph for malformed JSON, an unknown `format`, and missing, unknown or wrongly typed fields; its
    message names the place by step and port, and lists every fault found.
    """
    value = data if isinstance(data, dict) else _decode(data)
    if not isinstance(value, dict):
        raise InvalidGraph(f"A pipeline graph is a JSON object, not {_json_type(value)}.", target="graph")
    version = value.get("format", FORMAT)
    if type(version) is not int or version != FORMAT:
        hint = "Use a newer version of Airloom." if type(version) is int and version > FORMAT else "Set format to 1."
        raise InvalidGraph(f"The graph has format {version!r}; this version reads format {FORMAT}.", hint=hint)
    try:
        return PipelineGraph.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
    faults = list(dict.fromkeys(_fault(detail, value) for detail in details))
    if len(faults) == 1:
        raise InvalidGraph(f"The graph is malformed: {faults[0]}.", target="graph")
    lines = "\n".join(f"  - {fault}" for fault in faults)
    raise InvalidGraph(f"The graph is malformed in {len(faults)} places:\n{lines}", target="graph")


def _decode(data: bytes | str) -> object:
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"The graph is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    except UnicodeDecodeError as error:
        message = f"The graph is not UTF-8 text: wrong byte at position {error.start}."
    except RecursionError:
        message = "The graph is nested too deeply to be a pipeline."
    except ValueError as error:
        message = f"The graph holds a number that cannot be read: {error}."
    raise InvalidGraph(message, target="graph")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _fault(detail: ErrorDetails, root: object) -> str:
    place, field, holder = _locate(detail["loc"], root)
    return f"{place}{_complaint(detail, field, holder)}"


def _locate(location: tuple[int | str, ...], root: object) -> tuple[str, str, object]:
    """Walk to the fault; returns the place in words, the name of the faulty field, and the object that holds it."""
    words: list[str] = []
    value: object = root
    holder: object = root
    field = ""
    for part in location:
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            holder, value = value, value[part]
            words.append(_element(words.pop() if words else "item", part, value))
            field = ""
        elif isinstance(part, str) and isinstance(value, dict):
            holder = value
            value = value.get(part, _MISSING)
            if value is _MISSING and part != location[-1]:
                # Not a field: the name by which the model tells variants apart.
                value = holder
                continue
            field = part
            words.append(part)
    if words and words[-1] == field:
        words.pop()
    place = ", ".join(words)
    return (f"{place}: " if place else ""), field, holder


_MISSING = object()


def _element(group: str, index: int, value: object) -> str:
    label = _SINGULAR.get(group, group)
    name = value.get("id") or value.get("name") if isinstance(value, dict) else None
    return f"{label} '{name}'" if isinstance(name, str) and name else f"{label} {index + 1}"


def _complaint(detail: ErrorDetails, field: str, holder: object) -> str:
    kind, found, about = detail["type"], detail["input"], detail.get("ctx", {})
    subject = f"'{field}'" if field else "it"
    match kind:
        case "missing":
            return f"{subject} is missing"
        case "extra_forbidden":
            return f"{subject} is not a known field"
        case "literal_error":
            return f"{subject} is {_shown(found)}, but must be {about['expected']}"
        case "union_tag_not_found":
            return f"{subject} does not say which kind it is (field {about['discriminator']})"
        case "union_tag_invalid":
            kind, known = str(about["tag"]), str(about["expected_tags"]).replace("'", "").split(", ")
            return f"{subject} has the unknown kind '{kind}' ({did_you_mean(kind, known).rstrip('.')})"
        case _:
            expected = detail["msg"].removeprefix("Input should be ").removeprefix("a ").removeprefix("an ")
            # Sequences are tuples here and lists in JSON.
            expected = expected.replace("valid tuple", "list")
            return f"{subject} is {_shown(found)}, but should be {expected}"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return _json_type(value)
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _json_type(value: object) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
