"""What reuse promises, as a model: no files, no digests, no leases, and short enough to be believed by reading it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

SHAPES: dict[str, dict[str, tuple[str, ...]]] = {
    "chain": {"a": ("raw",), "b": ("a",), "c": ("b",)},
    "diamond": {"a": ("raw",), "b": ("a",), "c": ("a",), "d": ("b", "c")},
    "fan-out": {"a": ("raw",), "b": ("raw",), "c": ("raw",), "d": ("a",)},
}
"""What each step reads: steps before it, or the data `raw`. Steps are in the order in which they run."""

USES_RATE = "b"
Values = dict[str, str]


@dataclass
class World:
    """What the author of a pipeline can change."""

    shape: str = "chain"
    code: dict[str, int] = field(default_factory=lambda: dict.fromkeys("abcd", 0))
    version: dict[str, int] = field(default_factory=lambda: dict.fromkeys("abcd", 0))
    refuses: frozenset[str] = frozenset()  # steps with allow_reuse=False
    rate: int = 0
    raw: str = "Data 0"

    def reads(self, step: str) -> tuple[str, ...]:
        return SHAPES[self.shape][step]

    def script(self, step: str, values: Values) -> str:
        """What a step's script writes. Letter case and every second edit of `a` do not reach its output."""
        read = "+".join(values[name] for name in self.reads(step))
        if step == "a":
            return f"a{self.code[step] // 2}({read.lower()})"
        return f"{step}{self.code[step]}{f'/{self.rate}' if step == USES_RATE else ''}({read})"

    def key(self, step: str, values: Values) -> Hashable:
        """All that may change what a step writes, and its version."""
        rate = self.rate if step == USES_RATE else None
        return step, self.code[step], self.version[step], rate, *(values[name] for name in self.reads(step))

    def whole(self) -> Hashable:
        """All that may change what any step writes."""
        steps = SHAPES[self.shape]
        return self.shape, *((self.code[s], self.version[s]) for s in steps), self.rate, self.raw

    def truth(self) -> Values:
        """What running every step now would give."""
        values = {"raw": self.raw}
        for step in SHAPES[self.shape]:
            values[step] = self.script(step, values)
        return values


@dataclass(eq=False)
class Attempt:
    """One attempt of a step that wrote `text`. `real` is for the test: which attempt of the system it is."""

    text: str
    intact: bool = True
    real: Any = None


@dataclass(eq=False)
class Entry:
    """A record of one step or of a whole pipeline."""

    attempts: dict[str, Attempt]
    intact: bool = True

    def believed(self) -> bool:
        return self.intact and all(attempt.intact for attempt in self.attempts.values())


class Stopped(Exception):
    """The run ends here: it crashed, or has to wait for another."""


@dataclass
class ModelRun:
    """One run: which steps ran, and whose output each step's result is."""

    executed: list[str] = field(default_factory=list)
    results: dict[str, Attempt] = field(default_factory=dict)


Event = Callable[[str], None]


class ReuseModel:
    """The records. `run` says what a run must do, and remembers what it leaves."""

    def __init__(self) -> None:
        self.records: dict[Hashable, Entry] = {}
        self.pipelines: dict[Hashable, Entry] = {}

    def run(self, world: World, mode: str, run: ModelRun, starts: Event, ends: Event) -> None:
        """Plan, then execute. The events are called when a script starts and ends, and may raise Stopped."""
        self._plan(world, mode, run)
        for step in SHAPES[world.shape]:
            if step not in run.results:
                run.results[step] = self._execute(world, mode, run, step, starts, ends)

    def _plan(self, world: World, mode: str, run: ModelRun) -> None:
        steps = SHAPES[world.shape]
        shortcut = mode == "auto" and not world.refuses & set(steps)
        whole = self.pipelines.get(world.whole()) if shortcut else None
        if whole is not None and whole.believed():
            run.results.update(whole.attempts)
            return
        for step in steps:
            if all(name == "raw" or name in run.results for name in world.reads(step)):
                found = self._find(world, mode, run, step)
                run.results.update({} if found is None else {step: found})
        if shortcut and len(run.results) == len(steps):
            self.pipelines[world.whole()] = Entry(dict(run.results))

    def _find(self, world: World, mode: str, run: ModelRun, step: str) -> Attempt | None:
        entry = self.records.get(world.key(step, values(world, run)))
        wanted = mode == "auto" and step not in world.refuses and entry is not None and entry.believed()
        return entry.attempts[step] if wanted and entry is not None else None

    def _execute(self, world: World, mode: str, run: ModelRun, step: str, starts: Event, ends: Event) -> Attempt:
        found = self._find(world, mode, run, step)
        if found is not None:
            return found
        key = world.key(step, values(world, run))
        starts(step)
        run.executed.append(step)
        attempt = Attempt(world.script(step, values(world, run)))
        ends(step)
        if step in world.refuses or mode == "off" or world.key(step, values(world, run)) != key:
            return attempt  # nothing to reuse: not wanted, or its inputs changed while it ran
        if mode == "refresh":
            self.pipelines.clear()  # they answer with what was refreshed
        else:
            found = self._find(world, mode, run, step)
            if found is not None:
                return found  # another run was faster
        self.records[key] = Entry({step: attempt})
        return attempt


def values(world: World, run: ModelRun) -> Values:
    """The content of all that a step may read now."""
    return {"raw": world.raw} | {step: attempt.text for step, attempt in run.results.items()}
