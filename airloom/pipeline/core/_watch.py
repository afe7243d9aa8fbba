"""Waiting for a pipeline run, and showing meanwhile how it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airloom.core._console import say
from airloom.core.run import ENDED
from airloom.exceptions import ServiceException
from airloom.pipeline.core._progress_table import Row, rich_table, row_of, summary

if TYPE_CHECKING:
    from airloom.pipeline.core.run import PipelineRun

JsonObject = dict[str, Any]
Show = Callable[[JsonObject, list[JsonObject]], None]

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 3.0
PATIENCE = 60.0
"""Seconds for which a server that gives no answer is asked again."""


def watch(run: PipelineRun, show: Show, timeout_seconds: float | None = None) -> JsonObject | None:
    """Poll until the run has ended, and show every state; returns the last one, or None when time is up.

    The pause grows while nothing changes and starts anew when something does, so that short runs are not waited for
    and long ones cost little. A server that fails or restarts is waited for too, for a minute.
    """
    started = heard = time.monotonic()
    pause, last = SHORTEST_PAUSE, None
    while True:
        try:
            # The run first: when it has ended, the steps that are read after it have ended too.
            state, steps = run._refresh(), run._read_steps()
        except ServiceException:
            if last is None or time.monotonic() - heard > PATIENCE:
                raise
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            continue
        heard = time.monotonic()
        show(state, steps)
        if state["status"] in ENDED:
            return state
        waited = time.monotonic() - started
        if timeout_seconds is not None and waited >= timeout_seconds:
            return None
        now = (state["status"], [(step["step_id"], step["status"]) for step in steps])
        pause = SHORTEST_PAUSE if now != last else min(pause * 1.5, LONGEST_PAUSE)
        last = now
        left = pause if timeout_seconds is None else min(pause, timeout_seconds - waited)
        time.sleep(left)


@contextmanager
def display(show_output: bool) -> Iterator[Show]:
    """What to do with each state: nothing, a live table on a terminal, lines for what changed elsewhere."""
    if not show_output:
        yield lambda run, steps: None
    elif sys.stdout.isatty():
        from rich.live import Live

        with Live(refresh_per_second=4) as live:
            yield lambda run, steps: live.update(rich_table(run, [row_of(step) for step in steps]))
    else:
        yield ChangeLines().show


class ChangeLines:
    """Writes a line when the status of the run or of a step has changed."""

    def __init__(self) -> None:
        self._run = ""
        self._steps: dict[str, str] = {}

    def show(self, run: JsonObject, steps: list[JsonObject]) -> None:
        """Compare with what was shown before. The end of the run is told last."""
        ended = run["status"] in ENDED
        if not ended:
            self._show_run(run)
        for step in steps:
            row = row_of(step)
            if self._steps.get(step["step_id"], "NotStarted") != row.status:
                self._steps[step["step_id"]] = row.status
                say(_line(row))
        if ended:
            self._show_run(run)

    def _show_run(self, run: JsonObject) -> None:
        if run["status"] != self._run:
            self._run = run["status"]
            say(summary(run))


def _line(row: Row) -> str:
    took = f" after {row.seconds} s" if row.seconds and row.status in ENDED else ""
    return f"Step {row.name}: {row.status}{took}{f'. {row.note}' if row.note else ''}"
