"""Homes, and processes that belong to them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from airloom.embedded.home import Home
from airloom.embedded.processes import COMPONENT_VARIABLE, MARKER

Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    home = Home((tmp_path / "home").resolve())
    home.create()
    return home


@pytest.fixture
def spawn(home: Home) -> Iterator[Spawn]:
    """Starts Python code as a process of the home; whatever it becomes is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str = SLEEP, *, component: str = "scheduler", marked: bool = True) -> subprocess.Popen[bytes]:
        marks = {MARKER: home.id, COMPONENT_VARIABLE: component} if marked else {}
        ready = home.path / f"ready-{len(started)}"
        process = subprocess.Popen(
            [sys.executable, "-c", f"{code.format(ready=str(ready))}"],
            env={**os.environ, **marks},
            start_new_session=True,
        )
        started.append(process)
        wait_for(ready.exists)
        return process

    yield start
    for process in started:
        for pid in _session(process.pid):
            psutil.Process(pid).kill()
        process.wait()


def _session(session: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except (OSError, psutil.Error):
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition is true."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{condition} was not true within {seconds} s")
        time.sleep(0.02)


# Each announces itself by making the file named `ready`, when its signal handlers and children are in place.
SLEEP = "import time; open(r'{ready}', 'w').close(); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
PARENT_OF_UNMARKED = (
    "import subprocess, sys; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], env=dict(), start_new_session=True); "
) + SLEEP
PARENT_THAT_LEAVES = (
    "import os, sys, time; child = os.fork(); child or time.sleep(60); open(r'{ready}', 'w').close(); os._exit(0)"
)
