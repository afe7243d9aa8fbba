"""Runs one command with its output streamed line by line, and ends it with everything that it started."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from airloom.runner.lines import LineSplitter

OnLine = Callable[[str, str], None]
"""Called with the name of a stream and one line of it."""

EndReason = Literal["exited", "timeout", "cancelled", "lost"]
"""`lost`: the guardian was killed, so nobody knows how the command would have ended; it has been killed, too."""

GRACE_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL."""

DRAIN_SECONDS = 2.0
"""How long to wait for the end of output after all processes have ended."""

_GUARDIAN = Path(__file__).with_name("guardian.py")
_NO_TIMEOUT = "inf"


@dataclass(frozen=True)
class Ended:
    """How a command ended. `returncode` is negative when a signal killed it, None when it could not be started."""

    reason: EndReason
    returncode: int | None
    seconds: float
    error: str = ""

    @property
    def signal_name(self) -> str:
        """Name of the signal that killed the command, or the empty string."""
        if self.returncode is None or self.returncode >= 0:
            return ""
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return f"signal {-self.returncode}"

    def describe(self) -> str:
        """One phrase for a log."""
        if self.returncode is None:
            how = f"it did not start ({self.error})"
        elif self.signal_name:
            how = f"killed by {self.signal_name}"
        else:
            how = f"exit code {self.returncode}"
        why = "" if self.reason == "exited" else f", {self.reason}"
        return f"{how}{why}, after {self.seconds:.2f} s"


class CommandProcess:
    """One command in a process group of its own, started without a shell.

    `cancel` may be called from any thread or signal handler, at any time. Should this very process be killed, the
    command and what it started are killed too (see guardian.py).
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        on_line: OnLine,
        timeout_seconds: float | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._argv = list(argv)
        self._cwd = cwd
        self._environ = dict(environ)
        self._on_line = on_line
        self._limits = [_NO_TIMEOUT if timeout_seconds is None else str(timeout_seconds), str(grace_seconds)]
        # Reentrant, because a signal handler may interrupt the thread that holds it.
        self._lock = threading.RLock()
        self._control: int | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End the command: SIGTERM, and SIGKILL after the grace time. Returns at once."""
        with self._lock:
            self._cancelled = True
            if self._control is not None:
                try:
                    os.write(self._control, b"c")
                except BrokenPipeError:
                    pass  # it has just ended

    def run(self) -> Ended:
        """Run the command to its end; all its output has been handed out when this returns."""
        started = time.monotonic()
        control_read, control = os.pipe()
        status, status_write = os.pipe()
        try:
            process = self._start(control_read, status_write)
        except OSError as error:  # no such folder, or more arguments than the system takes
            os.close(control)
            os.close(status)
            return Ended("exited", None, time.monotonic() - started, error=error.strerror or str(error))
        finally:
            os.close(control_read)
            os.close(status_write)
        with self._lock:
            self._control = control
            if self._cancelled:
                self.cancel()
        try:
            report = self._pump(process, status)
        finally:
            self._close_control()
            os.close(status)
            process.wait()
        return self._ended(report, time.monotonic() - started)

    def _start(self, control: int, status: int) -> subprocess.Popen[bytes]:
        guardian = [sys.executable, "-I", "-S", str(_GUARDIAN), str(control), str(status)]
        return subprocess.Popen(
            [*guardian, *self._limits, *self._argv],
            cwd=self._cwd,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(control, status),
            start_new_session=True,
        )

    def _close_control(self) -> None:
        with self._lock:
            control, self._control = self._control, None
        if control is not None:
            os.close(control)

    def _pump(self, process: subprocess.Popen[bytes], status: int) -> bytes:
        """Stream the output until its end; the guardian's reports."""
        report = b""
        drain_until = float("inf")
        assert process.stdout is not None and process.stderr is not None
        streams = {"stdout": process.stdout, "stderr": process.stderr}
        splitters = {stream.fileno(): self._splitter(name) for name, stream in streams.items()}
        with process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            for descriptor in (*splitters, status):
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map() and time.monotonic() < drain_until:
                for key, _ in selector.select(None if drain_until == float("inf") else DRAIN_SECONDS):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fd)
                    if key.fd in splitters:
                        splitters[key.fd].feed(data)
                    elif data:
                        report += data
                    else:
                        drain_until = time.monotonic() + DRAIN_SECONDS
        for splitter in splitters.values():
            splitter.close()
        return report

    def _splitter(self, name: str) -> LineSplitter:
        return LineSplitter(lambda line: self._on_line(name, line))

    def _ended(self, report: bytes, seconds: float) -> Ended:
        messages = dict(line.split("=", 1) for line in report.decode().splitlines())
        if "error" in messages:
            return Ended("exited", None, seconds, error=messages["error"])
        if "reason" not in messages:
            _kill_group(int(messages["pid"]) if "pid" in messages else None)
            return Ended("cancelled" if self._cancelled else "lost", -int(signal.SIGKILL), seconds)
        return Ended(cast(EndReason, messages["reason"]), int(messages["returncode"]), seconds)


def _kill_group(leader: int | None) -> None:
    """The guardian itself was killed: end what its parent-death signal has not ended."""
    if leader is not None:
        try:
            os.killpg(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
