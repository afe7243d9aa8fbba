"""Airflow's components as processes: started, watched, and started again with growing pauses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from airloom.embedded.health import API_SERVER, SCHEDULER
from airloom.embedded.home import Home
from airloom.embedded.profile import environment
from airloom.embedded.state import ComponentState

LOG_LIMIT = 20 * 1024 * 1024
LONGEST_PAUSE = 30.0
# A component that ran for so long is not failing at its start; its next pause is short again.
SETTLED_SECONDS = 60.0


@dataclass(frozen=True)
class Component:
    """One of Airflow's long-running commands. Of schedulers there may be several, with a number after the name.

    A `late` one starts when the others are up and is not waited for: on two cores it would delay them by seconds.
    """

    name: str
    arguments: tuple[str, ...]
    late: bool = False


# Task logs are read from the disk, so the log servers, which would listen on all addresses, are not started.
SCHEDULER_COMMAND = ("scheduler", "--skip-serve-logs")
COMPONENTS = (
    Component(API_SERVER, ("api-server",)),
    Component(SCHEDULER, SCHEDULER_COMMAND),
    Component("dag-processor", ("dag-processor",)),
    Component("triggerer", ("triggerer", "--skip-serve-logs"), late=True),
)


def components(schedulers: int = 1) -> tuple[Component, ...]:
    """The components of a server with so many schedulers."""
    more = (Component(f"{SCHEDULER}-{number}", SCHEDULER_COMMAND, late=True) for number in range(2, schedulers + 1))
    return (*COMPONENTS, *more)


def start_airflow(home: Home, name: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start an `airflow` command in a session of its own; what it prints goes to its log."""
    log = home.log(name)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "airloom.embedded.launch", *arguments],
            env=environment(home, name, Path(sys.executable).parent),
            cwd=home.path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@dataclass
class Managed:
    """A component and how it fares."""

    component: Component
    process: subprocess.Popen[bytes] | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    failures: int = 0
    next_start: float = 0.0
    state: ComponentState = field(default_factory=ComponentState)

    def start(self, home: Home) -> None:
        """Start the process."""
        self.started_at = datetime.now(UTC)
        self.state.started_at = self.started_at
        self.process = start_airflow(home, self.component.name, self.component.arguments)
        self.state.pid = self.state.session = self.process.pid

    def has_died(self) -> bool:
        """True if the process was started and has ended."""
        return self.process is not None and self.process.poll() is not None

    def plan_restart(self) -> None:
        """Note that the process is gone, and set the time of the next start."""
        lived = datetime.now(UTC) - self.started_at
        self.failures = 1 if lived.total_seconds() > SETTLED_SECONDS else self.failures + 1
        self.next_start = time.monotonic() + min(2.0 ** (self.failures - 1) / 2, LONGEST_PAUSE)
        self.process = None
        self.state.pid = None
        self.state.healthy = False
        self.state.restarts += 1

    def is_due(self) -> bool:
        """True if the process is down and may be started now."""
        return self.process is None and time.monotonic() >= self.next_start


def last_lines(path: Path, count: int = 15) -> str:
    """The end of a log file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
