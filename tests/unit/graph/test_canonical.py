"""Canonical JSON: equal values have equal bytes everywhere, and different values different ones."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.graph.canonical import canonical_json, digest_bytes, digest_value
from airloom.graph.model import DataLocation, Model, Retries
from tests.support.builders import a_step
from tests.unit.graph.graphs import scalars

scalar_pool = st.sampled_from(
    [None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, "", "0", "1", "null", "é", "e\u0301", 2**70]
)
values = st.recursive(
    st.none() | scalars | scalar_pool, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)
)
small_values = st.recursive(
    scalar_pool, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner), max_leaves=4
)


def typed(value: Any) -> Any:
    """A value that equals another only if types, and signs of zeros, are equal too."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return type(value).__name__, repr(value)


@given(values)
def test_it_is_json_and_stays_as_it_is(value: Any) -> None:
    data = canonical_json(value)
    assert typed(json.loads(data)) == typed(value)
    assert canonical_json(json.loads(data)) == data
    assert data.isascii() and b"\n" not in data


@given(small_values, small_values)
def test_different_values_have_different_bytes(one: Any, other: Any) -> None:
    assert (canonical_json(one) == canonical_json(other)) == (typed(one) == typed(other))
    assert (digest_value(one) == digest_value(other)) == (typed(one) == typed(other))


@given(st.dictionaries(st.text(), scalars))
def test_the_order_of_entries_does_not_count(value: dict[str, Any]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e400, [math.nan], {"a": -1e400}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        canonical_json(value)


def test_the_form_itself() -> None:
    value = {"b": [1, 1.5, True, None], "a": "é/\u2028\U0001f600", "A": {}}
    assert canonical_json(value) == rb'{"A":{},"a":"\u00e9/\u2028\ud83d\ude00","b":[1,1.5,true,null]}'
    assert canonical_json(DataLocation(datastore="d")) == b'{"datastore":"d","path":""}'
    assert digest_value("a") == digest_bytes(b'"a"')
    assert digest_bytes(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


class Stamped(Model):
    when: datetime
    among: tuple[Path, ...]


def test_a_model_is_written_as_its_json() -> None:
    value = Stamped(when=datetime(2026, 7, 1, tzinfo=UTC), among=(Path("a/b"),))
    assert canonical_json(value) == b'{"among":["a/b"],"when":"2026-07-01T00:00:00Z"}'


def test_text_counts_as_it_is_written() -> None:
    """Two ways to write one letter are two texts: a script that compares them sees a difference."""
    assert digest_value("\u00e9") != digest_value("e\u0301")
    assert digest_value("a\r\n") != digest_value("a\n")


def test_a_step_without_retries_has_the_digest_that_it_always_had() -> None:
    """Otherwise every pipeline would be another DAG after an upgrade."""
    assert "retries" not in a_step("train").model_dump(mode="json")
    assert "retries" in a_step("train", retries=Retries(count=2)).model_dump(mode="json")


@pytest.mark.parametrize(
    ("retries", "pauses"),
    [
        (Retries(count=4, delay_seconds=10), [10, 20, 40, 80]),
        (Retries(count=4, delay_seconds=10, backoff=3, max_delay_seconds=60), [10, 30, 60, 60]),
        (Retries(count=3, delay_seconds=5, backoff=1), [5, 5, 5]),
        (Retries(count=2, delay_seconds=0), [0, 0]),
        (Retries(count=2, delay_seconds=100, max_delay_seconds=7), [7, 7]),
        (Retries(count=100, delay_seconds=1, backoff=100), [1, 100, 600] + [600] * 97),
    ],
)
def test_pauses_between_retries(retries: Retries, pauses: list[float]) -> None:
    assert [retries.delay(failures) for failures in range(1, retries.count + 1)] == pauses
