"""Glob patterns over the files of a datastore."""

from __future__ import annotations

from fnmatch import fnmatchcase

from airloom.storage.paths import validate_relative

_MAGIC = frozenset("*?[")


def is_glob(path: str) -> bool:
    """True if the path has characters that make it a pattern."""
    return not _MAGIC.isdisjoint(path)


class Glob:
    """A pattern such as `images/2024/**/*.png`: `*`, `?` and `[...]` stay within one part, `**` spans any number.

    `base` is the folder above the first part with a wildcard; paths are matched relative to it.
    """

    def __init__(self, pattern: str) -> None:
        parts = validate_relative(pattern).split("/")
        fixed = next((index for index, part in enumerate(parts) if is_glob(part)), len(parts) - 1)
        self.base = "/".join(parts[:fixed])
        self._parts = parts[fixed:]

    def matches(self, path: str) -> bool:
        """True for a file (relative to the base) that the pattern selects."""
        return len(self._parts) in self._reached(path)

    def may_hold(self, folder: str) -> bool:
        """False if nothing below this folder (relative to the base) can match."""
        return bool(self._reached(folder) - {len(self._parts)})

    def excludes(self, path: str) -> bool:
        """For a walk of the base: what need not be visited. Folders end with a slash."""
        return not (self.may_hold(path.rstrip("/")) if path.endswith("/") else self.matches(path))

    def _reached(self, path: str) -> set[int]:
        """How many parts of the pattern may be used up once the whole path is read: all possibilities side by side."""
        states = self._with_empty({0})
        for name in path.split("/"):
            states = self._with_empty({after for state in states for after in self._step(state, name)})
        return states

    def _step(self, state: int, name: str) -> tuple[int, ...]:
        if state == len(self._parts):
            return ()
        if self._parts[state] == "**":
            return (state,)
        return (state + 1,) if fnmatchcase(name, self._parts[state]) else ()

    def _with_empty(self, states: set[int]) -> set[int]:
        """Add what is reached when a `**` stands for no part at all."""
        reached = set(states)
        for state in sorted(states):
            while state < len(self._parts) and self._parts[state] == "**":
                state += 1
                reached.add(state)
        return reached
