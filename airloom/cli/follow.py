"""Watching a run: its logs as they grow, its steps as they change."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import typer

from airloom.cli.connection import Target
from airloom.cli.output import STYLES, duration
from airloom.exceptions import NotFoundException, ServiceException

T = TypeVar("T")

ENDED = frozenset({"Finished", "Failed", "Canceled"})
POLL_SECONDS = 0.5
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
PATIENCE_SECONDS = 60.0


class Stream(StrEnum):
    """The logs of a step."""

    stdout = "stdout"
    stderr = "stderr"
    job = "job"


def step_state(step: dict[str, Any]) -> str:
    """The state of a step in a word: a reused one says so."""
    return "Reused" if step["reused"] else str(step["status"])


@dataclass
class LogReader:
    """Reads one log of a step piece by piece."""

    target: Target
    run_id: str
    step_id: str
    name: str
    stream: Stream
    _offset: int = 0
    _pending: str = field(default="", init=False)

    def rest(self) -> str:
        """All that has not been read yet; nothing while there is no log."""
        text = self._pending
        self._pending = ""
        while piece := self._piece():
            text += piece
        return text

    def whole_lines(self) -> list[str]:
        """The lines that have been completed since the last call."""
        self._pending += self._piece()
        *lines, self._pending = self._pending.split("\n")
        return lines

    def _piece(self) -> str:
        try:
            text, self._offset = _patiently(
                lambda: self.target.client.read_log(
                    self.target.workspace, self.run_id, self.step_id, self.stream.value, self._offset
                )
            )
        except NotFoundException:
            return ""
        return text


def follow_logs(target: Target, run_id: str, readers: list[LogReader], *, titled: bool) -> None:
    """Print logs as they grow, until the steps that write them, or the run, have ended."""
    open_readers = list(readers)
    while open_readers:
        # The state is read before the log, so that nothing written before the end is missed.
        run, steps = _patiently(lambda: _run_and_steps(target, run_id))
        run_ended = run["status"] in ENDED
        states = {step["step_id"]: step["status"] for step in steps}
        for reader in list(open_readers):
            ended = run_ended or states.get(reader.step_id) in ENDED
            lines = reader.rest().splitlines() if ended else reader.whole_lines()
            for line in lines:
                _print_line(reader.name, line, titled)
            if ended:
                open_readers.remove(reader)
        if open_readers:
            time.sleep(POLL_SECONDS)


def _print_line(name: str, line: str, titled: bool) -> None:
    if titled:
        typer.secho(f"{name} | ", fg=typer.colors.CYAN, nl=False)
    typer.echo(line)


def wait_for_run(target: Target, run_id: str) -> dict[str, Any]:
    """Wait until a run has ended, printing each step as it changes; returns the run.

    The pause grows while nothing changes, so that a run which ends at once is not waited for, and a long one costs
    little.
    """
    shown: dict[str, str] = {}
    pause = SHORTEST_PAUSE
    while True:
        before = dict(shown)
        run, steps = _patiently(lambda: _run_and_steps(target, run_id))
        for step in steps:
            state = step_state(step)
            if state != shown.get(step["step_id"]) and state not in ("NotStarted", "Queued"):
                shown[step["step_id"]] = state
                _print_step(step, state)
        if run["status"] in ENDED:
            return run
        pause = SHORTEST_PAUSE if shown != before else min(pause * 1.5, LONGEST_PAUSE)
        time.sleep(pause)


def _run_and_steps(target: Target, run_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The run first: when it has ended, the steps that are read after it have ended too."""
    return target.client.get_run(target.workspace, run_id), target.client.list_steps(target.workspace, run_id)


def _patiently(ask: Callable[[], T]) -> T:
    """What the server answers. One that is being started again, or whose database is, is waited for."""
    until = time.monotonic() + PATIENCE_SECONDS
    told = False
    while True:
        try:
            return ask()
        except ServiceException:
            if time.monotonic() > until:
                raise
            if not told:
                typer.echo("The server does not answer; waiting for it. The run goes on without it.", err=True)
                told = True
            time.sleep(POLL_SECONDS)


def _print_step(step: dict[str, Any], state: str) -> None:
    typer.secho(f"{state:>9}", fg=STYLES.get(state), nl=False, err=True)
    took = f" ({duration(step['seconds'])})" if state in ENDED and step["seconds"] is not None else ""
    typer.echo(f"  {step['name']}{took}", err=True)
