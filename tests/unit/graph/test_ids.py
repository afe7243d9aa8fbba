"""Step ids: derived from names, the same everywhere, and always usable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.graph.ids import assign_ids
from airloom.graph.names import ROOT_TASK, step_id_fault
from airloom.graph.suggest import did_you_mean


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["train.py"], ["train.py"]),
        (["Train the model!"], ["Train-the-model"]),
        (["a", "a", "a"], ["a", "a-2", "a-3"]),
        (["a", "a-2", "a"], ["a", "a-2", "a-3"]),
        (["a", "A"], ["a", "A-2"]),
        (["reuse", "Reuse"], ["reuse-2", "Reuse-3"]),
        (["Größe messen"], ["Groe-messen"]),
        (["训练"], ["step"]),
        (["../../etc"], ["etc"]),
        (["-rf"], ["rf"]),
    ],
)
def test_examples(names: list[str], ids: list[str]) -> None:
    assert assign_ids(names) == ids


@given(st.lists(st.text(max_size=150), max_size=20))
def test_any_names_give_valid_distinct_ids(names: list[str]) -> None:
    ids = assign_ids(names)
    assert len({one.casefold() for one in ids}) == len(names)
    assert all(step_id_fault(one) is None and one.casefold() != ROOT_TASK for one in ids)
    assert assign_ids(names) == ids


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("trian", ["train", "test"], "Did you mean 'train'?"),
        ("TRAIN", ["train"], "Did you mean 'train'?"),
        ("x", ["b", "a"], "There is 'a', 'b'."),
        ("x", [], "There is none yet."),
        ("zzz", [f"n{i}" for i in range(10)], "There is 'n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7' and 2 more."),
    ],
)
def test_suggestions(name: str, known: list[str], sentence: str) -> None:
    assert did_you_mean(name, known) == sentence
