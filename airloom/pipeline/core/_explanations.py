"""Why the steps of a run ran or were reused, in a form that reads well where it is printed."""

from __future__ import annotations

import json
from typing import Any

from airloom.graph.results import Change, Explanation

_LONGEST = 70


class Explanations(list[Explanation]):
    """The explanations of a run's steps, in the order of the pipeline; `print` shows them as text."""

    def __str__(self) -> str:
        if not self:
            return "Nothing is decided yet: the run has not started."
        return "\n".join(line for explanation in self for line in _lines(explanation))

    def __repr__(self) -> str:
        return str(self)


def _lines(explanation: Explanation) -> list[str]:
    return [
        f"{explanation.name} [{explanation.step_id}]: {explanation.action}. {explanation.message}",
        *(f"    {_change(change)}" for change in explanation.changed),
    ]


def _change(change: Change) -> str:
    return f"{change.part}: {_shown(change.before)} -> {_shown(change.now)}"


def _shown(value: Any) -> str:
    if value is None:
        return "(absent)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
