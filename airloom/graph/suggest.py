"""Suggestions for names that were probably mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 8


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that helps to mend an unknown name.

    Names the closest known one if there is one, else lists what there is, at most eight names.
    """
    choices = sorted(set(known))
    folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    if close:
        return f"Did you mean '{folded[close[0]]}'?"
    if not choices:
        return "There is none yet."
    listed = ", ".join(f"'{choice}'" for choice in choices[:_LISTED])
    more = f" and {len(choices) - _LISTED} more" if len(choices) > _LISTED else ""
    return f"There is {listed}{more}."
