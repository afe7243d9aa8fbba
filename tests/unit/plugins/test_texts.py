"""What cannot be stored is refused before anything behind the door sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from airloom.plugins.api.texts import MAX_DEPTH, check_json, check_texts, parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
)


@given(VALUES)
def test_what_can_be_stored_passes(value: Any) -> None:
    parsed = parse_json(json.dumps(value).encode())
    check_json(parsed)
    assert parsed == value


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": "x\\u0000"}', "holds a NUL character"),
        (b'{"x\\u0000": 1}', "holds a NUL character"),
        (b'[{"a": ["\\ud800"]}]', "half of a surrogate pair"),
        (b'{"\\udfff": 1}', "half of a surrogate pair"),
        (b'{"a": NaN}', "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"[1e999]", "too large for a float"),
        (b"[" + b"1" * 5000 + b"]", "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (nested(MAX_DEPTH + 1), "more than 64 levels deep"),
        (nested(100_000), "more than 64 levels deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "more than 64 levels deep"),
    ],
)
def test_what_cannot_be_stored_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(HTTPException, match=reason) as caught:
        check_json(parse_json(body))
    assert caught.value.status_code == 400


def test_pairs_of_surrogates_are_characters() -> None:
    check_json(parse_json(b'{"a": "\\ud83d\\ude00"}'))


def test_as_deep_as_may_be() -> None:
    check_json(parse_json(nested(MAX_DEPTH)))


def test_what_is_no_json_at_all_is_left_to_the_framework() -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(b"{")


def test_texts_of_an_address() -> None:
    check_texts(["a", 7, "ä"])
    with pytest.raises(HTTPException, match="NUL"):
        check_texts(["a", "b\0"])
