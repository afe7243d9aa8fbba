"""The commands of one attempt, run one after the other, and its cancellation, which ends whichever runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from airloom.runner.failures import cancelled
from airloom.runner.process import CommandProcess, Ended, OnLine


class Commands:
    """Runs commands until it is cancelled; `step` names the step in the error."""

    def __init__(self, step: str) -> None:
        self._step = step
        # Reentrant, because cancel may come in a signal handler of the thread that holds it.
        self._lock = threading.RLock()
        self._process: CommandProcess | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End the command that runs, and refuse further ones. From any thread or signal handler; returns at once."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.cancel()

    def check(self) -> None:
        """Raise ScriptFailed if the attempt was cancelled."""
        if self._cancelled:
            raise cancelled(self._step)

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        on_line: OnLine,
        timeout_seconds: float | None = None,
    ) -> Ended:
        """Run a command to its end. Raises ScriptFailed if the attempt was cancelled before it began."""
        process = CommandProcess(argv, cwd=cwd, environ=environ, on_line=on_line, timeout_seconds=timeout_seconds)
        with self._lock:
            self.check()
            self._process = process
        try:
            return process.run()
        finally:
            with self._lock:
                self._process = None
