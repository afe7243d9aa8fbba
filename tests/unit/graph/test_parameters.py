"""Values that a run gives to parameters: typed like the defaults, or refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import InvalidGraph
from airloom.graph.model import DataLocation, FilesSource, ParameterDef, TabularSource
from airloom.graph.parameters import check_parameters
from tests.support.builders import a_graph, a_path, a_step

FILES = FilesSource(locations=(DataLocation(datastore="store", path="*.csv"),))
TABLE = TabularSource(locations=(DataLocation(datastore="store", path="t.csv"),))
GRAPH = a_graph(
    a_step("s"),
    parameters=(
        ParameterDef(name="count", type="int", default=10),
        ParameterDef(name="rate", type="float", default=0.5),
        ParameterDef(name="fast", type="bool", default=False),
        ParameterDef(name="style", type="string", default="candy"),
        ParameterDef(name="folder", type="datapath", default=a_path("store/in")),
        ParameterDef(name="files", type="dataset", default=FILES),
    ),
)


def given_as(**values: Any) -> Any:
    (name,) = values
    return check_parameters(GRAPH, values)[name]


def test_what_is_not_given_has_its_default() -> None:
    assert check_parameters(GRAPH, {}) == {
        "count": 10,
        "rate": 0.5,
        "fast": False,
        "style": "candy",
        "folder": {"kind": "path", "location": {"datastore": "store", "path": "in"}},
        "files": {"kind": "files", "locations": [{"datastore": "store", "path": "*.csv"}]},
    }


@given(st.integers())
def test_whole_numbers_as_numbers_and_as_text(number: int) -> None:
    assert given_as(count=number) == number
    if abs(number) < 10**4000:
        assert given_as(count=str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_as_numbers_and_as_text(number: float) -> None:
    assert given_as(rate=number) == number
    assert given_as(rate=repr(number)) == number


@pytest.mark.parametrize(("value", "meaning"), [(True, True), ("true", True), ("False", False), (" TRUE ", True)])
def test_booleans(value: Any, meaning: bool) -> None:
    assert given_as(fast=value) is meaning


@given(st.text().filter(lambda text: "\0" not in text))
def test_text_arrives_as_it_is(text: str) -> None:
    assert given_as(style=text) == text


def test_a_whole_number_becomes_a_float_where_one_is_expected() -> None:
    assert isinstance(given_as(rate=1), float)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"count": "4.5"}, r"Parameter 'count' expects int \(a whole number\), but was given '4.5' \(string\)\."),
        ({"count": 4.5}, r"expects int .* but was given 4.5 \(float\)"),
        ({"count": True}, r"expects int .* but was given True \(bool\)"),
        ({"count": None}, r"expects int .* but was given None"),
        ({"count": "1_000"}, "expects int"),
        ({"rate": "nan"}, "expects float"),
        ({"rate": math.inf}, "expects float"),
        ({"rate": 10**400}, "too large"),
        ({"fast": 1}, "expects bool"),
        ({"fast": "yes"}, "expects bool"),
        ({"style": 5}, r"expects string \(text\), but was given 5 \(int\)"),
        ({"style": "a\0"}, "NUL character"),
        ({"folder": "in"}, "expects datapath"),
        ({"folder": FILES}, "expects datapath .* but was given a file dataset"),
        ({"folder": a_path("store/../x")}, "leads out"),
        ({"folder": {"kind": "path"}}, "location: Field required"),
        ({"files": TABLE}, "a tabular dataset: its default is a file dataset"),
        ({"cuont": 1}, r"no pipeline parameter 'cuont'\. Did you mean 'count'\?"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidGraph, match=complaint):
        check_parameters(GRAPH, values)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InvalidGraph, match=r"(?s)'count'.*'fast'|'fast'.*'count'"):
        check_parameters(GRAPH, {"count": "x", "fast": "y"})


def test_data_as_object_and_as_json() -> None:
    other = a_path("store/other")
    assert given_as(folder=other) == given_as(folder=other.model_dump(mode="json"))
