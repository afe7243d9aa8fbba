"""Graphs from outside: what is wrong with them is said in the words of the author, not of a schema library."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import InvalidGraph
from airloom.graph.model import PipelineGraph
from airloom.graph.parse import parse_graph
from tests.support.builders import a_graph, a_step


def a_document() -> dict[str, Any]:
    graph = a_graph(a_step("prep", reads=["raw"]), a_step("train", reads=["prep.out"]), sources={"raw": "store/raw"})
    document: dict[str, Any] = graph.model_dump(mode="json")
    return document


def message_of(document: Any) -> str:
    with pytest.raises(InvalidGraph, match="graph") as caught:
        parse_graph(document)
    return caught.value.message


def test_what_was_written_is_read_again() -> None:
    graph = a_graph(a_step("prep", reads=["raw"]), sources={"raw": "store/raw"})
    assert parse_graph(graph.model_dump_json()) == graph
    assert parse_graph(graph.model_dump_json().encode()) == graph
    assert parse_graph(graph.model_dump(mode="json")) == graph


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ('{"steps": [', "not valid JSON: Expecting value at line 1, column 12"),
        (b"\xff\xfe", "not UTF-8"),
        ("[]", "is a JSON object, not a list"),
        ("7", "is a JSON object, not a number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"steps": [NaN]}', "NaN is not a JSON number"),
        ('{"steps": [' + "9" * 5000 + "]}", "number that cannot be read"),
    ],
)
def test_what_is_no_json_object(data: str | bytes, complaint: str) -> None:
    assert complaint in message_of(data)


@pytest.mark.parametrize(("version", "hint"), [(2, "newer version"), (0, "Set format"), ("1", "Set format")])
def test_an_unknown_format(version: Any, hint: str) -> None:
    with pytest.raises(InvalidGraph, match=f"this version reads format 1. .*{hint}"):
        parse_graph({**a_document(), "format": version})


def test_a_missing_field_is_located_by_step_and_port() -> None:
    document = a_document()
    del document["steps"][1]["inputs"][0]["binding"]["port"]
    assert message_of(document) == "The graph is malformed: step 'train', input 'prep_out', binding: 'port' is missing."


def test_an_unknown_field() -> None:
    document = a_document()
    document["steps"][0]["tries"] = 3
    assert message_of(document) == "The graph is malformed: step 'prep': 'tries' is not a known field."


def test_an_unknown_kind_gets_a_suggestion() -> None:
    document = a_document()
    document["steps"][0]["arguments"][0]["kind"] = "inputs"
    assert message_of(document) == (
        "The graph is malformed: step 'prep', argument 1: it has the unknown kind 'inputs' (Did you mean 'input'?)."
    )


def test_a_value_that_is_none_of_the_choices() -> None:
    document = a_document()
    document["steps"][0]["inputs"][0]["mode"] = "copy"
    assert "step 'prep', input 'raw': 'mode' is \"copy\", but must be 'mount', 'download' or 'direct'" in message_of(
        document
    )


def test_several_faults_are_all_listed() -> None:
    document = a_document()
    del document["steps"][0]["name"]
    document["steps"][1]["timeout_seconds"] = "soon"
    assert message_of(document).count("\n  - ") == 2


ANYTHING: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({})
)


@st.composite
def damaged_documents(draw: st.DrawFn) -> Any:
    """A good document in which one value, anywhere, was replaced or removed."""
    document: Any = copy.deepcopy(a_document())
    place: Any = document
    parent: Any = None
    key: Any = None
    while isinstance(place, dict | list) and place and (parent is None or draw(st.booleans())):
        parent = place
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place = place[key]
    parent[key] = draw(ANYTHING)
    return document


@given(damaged_documents())
def test_whatever_is_damaged_is_read_or_refused_in_words(document: Any) -> None:
    try:
        graph = parse_graph(json.dumps(document))
    except InvalidGraph as error:
        assert "pydantic" not in str(error) and "type=" not in str(error)
    else:
        assert isinstance(graph, PipelineGraph)
