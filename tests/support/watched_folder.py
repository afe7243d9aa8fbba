"""A folder and an Airflow that a test moves by hand, for the hand-over of changes: nothing here reads a real file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airloom.execution.hand_over import PlannedRun
from airloom.execution.names import RUN_KEY
from airloom.storage.object_store import ObjectStore
from airloom.storage.watched import Survey, WatchedPlace

Hook = Callable[[], None]


class Crash(Exception):
    """Stands for the death of a process."""


class Folder:
    """Files that are marks only. A mark that was never there before stands for a change."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.young: set[str] = set()
        self.changes = 0

    def write(self, path: str, *, young: bool = False) -> str:
        """Add or change a file; returns its new mark."""
        self.changes += 1
        self.files[path] = f"mark {self.changes}"
        self.young.discard(path)
        if young:
            self.young.add(path)
        return self.files[path]

    def remove(self, path: str) -> None:
        self.files.pop(path, None)
        self.young.discard(path)

    def look(self, place: WatchedPlace) -> Survey:
        return Survey(dict(self.files), frozenset(self.young))


class Runs:
    """The runs of an Airflow, which refuses a second one of the same DAG and id."""

    def __init__(self) -> None:
        self.confs: dict[tuple[str, str], dict[str, Any]] = {}

    def start(self, run: PlannedRun) -> None:
        known = self.confs.setdefault((run.dag_id, run.run_id), run.conf)
        assert known == run.conf, "one id, two meanings"

    @property
    def changes(self) -> list[str]:
        """The paths that were handed over, once for each time."""
        return sorted(path for conf in self.confs.values() for path in conf[RUN_KEY]["changes"]["paths"])


class Interrupted:
    """A store (or another object) before and after each of whose methods something else may happen."""

    def __init__(self, inner: ObjectStore, hook: Hook) -> None:
        self._inner = inner
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*arguments: Any) -> Any:
            self._hook()
            answer = method(*arguments)
            self._hook()
            return answer

        return call


def at_step(number: int, event: Hook) -> Hook:
    """A hook whose `number`th call (from 0) lets an event happen."""
    count = -1

    def hook() -> None:
        nonlocal count
        count += 1
        if count == number:
            event()

    return hook


def crash() -> None:
    raise Crash
