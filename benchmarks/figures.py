"""What a benchmark yields: a figure beside its baseline, and the goal that it is held to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["s", "ms", "ms/step", "files/s", "GB/s", "MB", "% of a core"]


@dataclass(frozen=True)
class Goal:
    """What a figure, or its ratio to the baseline, must be."""

    of: Literal["ratio", "value"]
    sign: Literal["<=", ">="]
    limit: float

    def is_met(self, figure: Figure) -> bool:
        """True if the figure is as good as it should be."""
        measured = figure.value if self.of == "value" else figure.ratio
        if measured is None:
            raise ValueError(f"{figure.name!r} has a goal for its ratio but no baseline")
        return measured <= self.limit if self.sign == "<=" else measured >= self.limit


@dataclass(frozen=True)
class Figure:
    """One line of the result. `baseline`, named `against`, is in the same unit and measured in the same run."""

    name: str
    value: float
    unit: Unit
    against: str | None = None
    baseline: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of the baseline."""
        return self.value / self.baseline if self.baseline else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if there is none."""
        return self.goal.is_met(self) if self.goal else None

    def as_json(self) -> dict[str, Any]:
        """The figure for the result file, with what follows from it."""
        return {**asdict(self), "ratio": self.ratio, "met": self.met}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Figure:
        """The figure of a result file."""
        fields = {name: data[name] for name in ("name", "value", "unit", "against", "baseline")}
        return cls(**fields, goal=Goal(**data["goal"]) if data["goal"] else None)


def at_most(limit: float) -> Goal:
    """The figure itself must not be above the limit."""
    return Goal("value", "<=", limit)


def at_least(limit: float) -> Goal:
    """The figure itself must not be below the limit."""
    return Goal("value", ">=", limit)


def ratio_at_most(limit: float) -> Goal:
    """The figure must not be more than so many times its baseline."""
    return Goal("ratio", "<=", limit)


def ratio_at_least(limit: float) -> Goal:
    """The figure must be at least so many times its baseline."""
    return Goal("ratio", ">=", limit)


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians(repeats: int, *actions: Callable[[], float]) -> list[float]:
    """The median of each action's results. They take turns, so that a machine which slows down slows all of them."""
    rounds = [[action() for action in actions] for _ in range(repeats)]
    return [statistics.median(results) for results in zip(*rounds, strict=True)]


# --- as a table -------------------------------------------------------------------------------------------------


def markdown(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | measured | against | ratio | goal | met |", "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(_cells(figure)) + " |" for figure in figures]
    return "\n".join(lines)


def _cells(figure: Figure) -> list[str]:
    against = f"{figure.against}: {_amount(figure.baseline, figure.unit)}" if figure.baseline else "-"
    return [
        figure.name,
        _amount(figure.value, figure.unit),
        against,
        f"{figure.ratio:.2f}" if figure.ratio is not None else "-",
        _goal(figure),
        {True: "yes", False: "**no**", None: "-"}[figure.met],
    ]


def _goal(figure: Figure) -> str:
    goal = figure.goal
    if goal is None:
        return "-"
    words = "at most" if goal.sign == "<=" else "at least"
    limit = f"{goal.limit:g} times" if goal.of == "ratio" else _amount(goal.limit, figure.unit)
    return f"{words} {limit}"


def _amount(value: float | None, unit: Unit) -> str:
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}"
