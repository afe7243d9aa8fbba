"""When a shared poll is due: each of those who share it says how often, and none waits for another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Pace:
    """Who takes part in which poll, and when each of them is due."""

    def __init__(self) -> None:
        self._due: dict[Hashable, dict[object, float]] = {}
        self._every: dict[object, float] = {}
        self._waiting: dict[Hashable, asyncio.Event] = {}

    @contextmanager
    def part(self, key: Hashable, every: float) -> Iterator[object]:
        """Take part in a poll, every so many seconds, beginning at once. Yields what stands for the participant."""
        participant = object()
        self._due.setdefault(key, {})[participant] = time.monotonic()
        self._every[participant] = every
        if key in self._waiting:
            self._waiting[key].set()
        try:
            yield participant
        finally:
            del self._every[participant]
            del self._due[key][participant]
            if not self._due[key]:
                del self._due[key]

    async def turn(self, key: Hashable) -> frozenset[object]:
        """Wait until someone is due, and return all who are. Their next turn is counted from now."""
        while True:
            now = time.monotonic()
            turns = self._due.get(key, {})
            due = frozenset(participant for participant, at in turns.items() if at <= now)
            if due:
                turns.update({participant: now + self._every[participant] for participant in due})
                return due
            await self._wait(key, min(turns.values()) - now if turns else None)

    async def _wait(self, key: Hashable, seconds: float | None) -> None:
        """Wait so long, or until someone joins."""
        joined = self._waiting[key] = asyncio.Event()
        try:
            await asyncio.wait_for(joined.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            if self._waiting.get(key) is joined:
                del self._waiting[key]
