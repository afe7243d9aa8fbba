"""Figures say truly whether they meet their goals, and the documentation shows what was measured."""

from __future__ import annotations

import importlib
import json

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.docs import PAGE, RESULT, page_with, table
from benchmarks.figures import Figure, Goal, at_least, at_most, markdown, medians, ratio_at_least, ratio_at_most


@pytest.mark.parametrize(
    ("value", "baseline", "goal", "met"),
    [
        (2.0, None, at_most(2.0), True),
        (2.1, None, at_most(2.0), False),
        (5.0, None, at_least(5.0), True),
        (4.9, None, at_least(5.0), False),
        (2.5, 2.0, ratio_at_most(1.25), True),
        (2.6, 2.0, ratio_at_most(1.25), False),
        (1.6, 2.0, ratio_at_least(0.8), True),
        (1.5, 2.0, ratio_at_least(0.8), False),
        (1.0, 2.0, None, None),
    ],
)
def test_goals(value: float, baseline: float | None, goal: Goal | None, met: bool | None) -> None:
    assert Figure("name", value, "s", "peer", baseline, goal).met is met


def test_a_goal_for_a_ratio_needs_a_baseline() -> None:
    with pytest.raises(ValueError, match="no baseline"):
        _ = Figure("name", 1.0, "s", goal=ratio_at_most(1.0)).met


def test_figures_survive_the_result_file() -> None:
    figure = Figure("name", 1.5, "ms", "peer", 3.0, ratio_at_most(1.0))
    assert Figure.from_json(json.loads(json.dumps(figure.as_json()))) == figure


def test_missed_goals_stand_out() -> None:
    table = markdown([Figure("slow", 3.0, "s", "peer", 1.0, ratio_at_most(1.25)), Figure("files", 2e5, "files/s")])
    assert table.splitlines()[2:] == [
        "| slow | 3 s | peer: 1 s | 3.00 | at most 1.25 times | **no** |",
        "| files | 200,000 files/s | - | - | - | - |",
    ]


def test_actions_take_turns() -> None:
    order: list[str] = []
    results = iter([1.0, 10.0, 3.0, 30.0, 2.0, 20.0])

    def action(name: str) -> float:
        order.append(name)
        return next(results)

    assert medians(3, lambda: action("a"), lambda: action("b")) == [2.0, 20.0]
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_the_page_shows_the_result() -> None:
    page = PAGE.read_text()
    result = json.loads(RESULT.read_text())
    assert page == page_with(result, page)
    assert table(result) in page


def test_the_page_names_every_benchmark() -> None:
    for name in NAMES:
        assert f"| `{name}` |" in PAGE.read_text()
        assert callable(importlib.import_module(f"benchmarks.{name}").measure)
