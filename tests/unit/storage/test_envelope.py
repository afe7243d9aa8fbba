"""Sealed objects: what was sealed comes back, and anything else is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import IntegrityError
from airloom.graph.model import DataLocation
from airloom.storage.envelope import seal, unseal
from tests.unit.graph.graphs import scalars


@given(st.dictionaries(st.text(), scalars))
def test_what_was_sealed_comes_back(body: dict[str, Any]) -> None:
    assert unseal(seal(body), "It") == body
    assert unseal(seal(body) + b"\n", "It") == body


def test_the_form_never_changes() -> None:
    """Objects of any version are read by any other."""
    digest = "930e320660b772c509ac19250c2f6830f2cbd71f5225ad60718cd539f4e18680"
    assert seal({"b": 1, "a": "é"}) == b'{"body":{"a":"\\u00e9","b":1},"digest":"%b"}' % digest.encode()
    assert seal(DataLocation(datastore="d")) == seal({"path": "", "datastore": "d"})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"body": {}}', b'{"digest": ""}', b"\xff", b"[" * 10**5])
def test_what_is_no_envelope_is_named(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        unseal(data, "The thing")
    assert caught.value.message == "The thing is truncated or is not JSON."
    assert caught.value.target == "The thing"


@pytest.mark.parametrize("data", [seal({"a": 1}).replace(b"1}", b"2}"), seal([1]), seal("ab"), seal(None)])  # type: ignore[arg-type]
def test_what_was_altered_is_named(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        unseal(data, "The thing")
    assert caught.value.message == "The thing was altered: its content does not have the digest it carries."
    assert caught.value.target == "The thing"
