"""What becomes of arguments that v1 accepts and Airloom cannot honour: a clear error, or one warning.

Nothing that a user passes is dropped without a word. An argument whose absence would change results raises
(`not_yet`); one that only describes machines of Azure warns once per process (`ignored`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from airloom.exceptions import UserErrorException

_warned: set[str] = set()


class IgnoredArgumentWarning(UserWarning):
    """An argument was accepted for the sake of existing code and has no effect."""


def not_yet(what: str, instead: str = "") -> UserErrorException:
    """The exception to raise for something that v1 has and this version of Airloom has not."""
    return UserErrorException(f"{what} is not available in this version of Airloom. {instead}".strip())


def ignored(name: str, reason: str) -> None:
    """Warn that the argument `name` has no effect; the second time in a process says nothing."""
    if name in _warned:
        return
    _warned.add(name)
    warnings.warn(f"{name} has no effect: {reason}", IgnoredArgumentWarning, stacklevel=_users_frame())


def ignored_unless_default(owner: str, given: Mapping[str, tuple[Any, Any]], reason: str) -> None:
    """`ignored` for each argument whose value (first of the pair) differs from its default (second)."""
    for name, (value, default) in given.items():
        if value != default:
            ignored(f"{owner}({name}=...)", reason)


def refuse_unless_default(owner: str, given: Mapping[str, tuple[Any, Any]], instead: str = "") -> None:
    """Raise `not_yet` for the first argument whose value (first of the pair) differs from its default (second)."""
    for name, (value, default) in given.items():
        if value != default:
            raise not_yet(f"The argument {name} of {owner}", instead)


def unknown_keywords(owner: str, keywords: Mapping[str, Any]) -> None:
    """Refuse keywords that neither v1 nor Airloom knows; v1's own swallow them, which hides typing errors."""
    public = sorted(name for name in keywords if not name.startswith("_"))
    if public:
        raise UserErrorException(f"{owner} does not know the argument(s) {', '.join(public)}.")


def _users_frame() -> int:
    """The stack level, as `warnings.warn` in this module's caller counts, of the first frame outside airloom."""
    level = 2
    while True:
        try:
            frame = sys._getframe(level)
        except ValueError:
            return level - 1
        if not str(frame.f_globals.get("__name__", "")).startswith("airloom."):
            return level
        level += 1
