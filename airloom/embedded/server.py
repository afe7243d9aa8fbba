"""What the `airloom` command does with an embedded server: start it, end it, look at it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import psutil

from airloom.embedded import database, processes, store
from airloom.embedded.components import last_lines
from airloom.embedded.health import API_SERVER
from airloom.embedded.home import Home, read_json
from airloom.embedded.ports import choose_port
from airloom.embedded.profile import environment
from airloom.embedded.state import ServerState, read_state
from airloom.embedded.supervisor import GRACE_SECONDS, Supervisor
from airloom.errors import AirloomError, AlreadyExists

Report = Callable[[ServerState], None]

SUPERVISOR = "supervisor"
STOP_SECONDS = 3 * GRACE_SECONDS


@dataclass(frozen=True)
class Prepared:
    """A home whose lock this process holds, ready for a server to start in it."""

    home: Home
    port: int
    lock: int
    leftovers: list[str]
    schedulers: int = 1


def prepare(
    home: Home,
    asked_port: int | None,
    asked_database: str | None = None,
    schedulers: int = 1,
    asked_store: str | None = None,
) -> Prepared:
    """Check all that can be checked before anything starts, and end what a killed server has left in the home."""
    if not database.airflow_version():
        raise AirloomError(
            "Apache Airflow is not installed in this environment.", hint="Install it: pip install 'airloom[airflow]'."
        )
    home.create()
    lock = home.take_lock()
    if lock is None:
        raise _running_already(home)
    try:
        # First the leftovers: they may hold the port that the home has had so far.
        ended = processes.end_server(home, API_SERVER, GRACE_SECONDS)
        port = choose_port(asked_port, _last_port(home))
        database.choose(home, asked_database)
        store.choose(home, asked_store)
        _check_schedulers(home, schedulers)
        # From here on, a state that can be read is this server's own.
        home.state.unlink(missing_ok=True)
    except BaseException:
        os.close(lock)
        raise
    return Prepared(home, port, lock, ended, schedulers)


def _check_schedulers(home: Home, schedulers: int) -> None:
    if schedulers > 1 and database.given_address(home) is None:
        raise AirloomError(
            f"{schedulers} schedulers cannot work on a SQLite database: it has no locks on rows.",
            hint="Give a PostgreSQL database with --database, or leave --schedulers out.",
            target="--schedulers",
        )


def _running_already(home: Home) -> AlreadyExists:
    state = read_state(home)
    where = f" at {state.url} (pid {state.pid})" if state else ""
    return AlreadyExists(
        f"A server of the home {home.path} is running already{where}.",
        hint="Use it, or end it with `airloom down`; another one needs another --home.",
        target=str(home.path),
    )


def _last_port(home: Home) -> int | None:
    endpoint = str(read_json(home.config_json).get("airloom", {}).get("endpoint", ""))
    return urlsplit(endpoint).port


def serve(home: Home, port: int, report: Report | None = None, schedulers: int = 1) -> None:
    """Run the server in this process, which holds the home's lock, until SIGINT, SIGTERM or SIGHUP."""
    supervisor = Supervisor(home, port, report, schedulers)

    def on_signal(number: int, frame: FrameType | None) -> None:
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    supervisor.run()


def serve_detached(prepared: Prepared, report: Report | None = None) -> ServerState:
    """Start the server in the background, hand it the lock, and wait until it is ready."""
    home = prepared.home
    log = home.log(SUPERVISOR)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airloom.embedded", str(home.path), str(prepared.port), str(prepared.schedulers)],
            env=environment(home, SUPERVISOR, Path(sys.executable).parent),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(prepared.lock,),
        )
    os.close(prepared.lock)
    seen: ServerState | None = None
    while process.poll() is None:
        state = _state_of(home, process.pid)
        if state and state != seen and report:
            report(state)
        if state and state.phase == "ready":
            return state
        seen = state
        time.sleep(0.1)
    state = _state_of(home, process.pid)
    if state and state.phase == "failed":
        raise AirloomError(state.message)
    if process.returncode == 0:
        raise AirloomError("The server was stopped before it was ready.")
    raise AirloomError(f"The supervisor ended with status {process.returncode}:\n{last_lines(log)}")


def _state_of(home: Home, supervisor: int) -> ServerState | None:
    state = read_state(home)
    return state if state and state.pid == supervisor else None


def shut_down(home: Home) -> list[str]:
    """End the home's server with all its processes, and what a killed one has left; returns what was ended."""
    before = {process: processes.describe(process) for process in processes.belonging_to(home)}
    if home.is_locked():
        _stop_supervisor(home)
    gone = [f"{title} (pid {process.pid})" for process, title in before.items() if not processes.is_alive(process)]
    late = processes.end_server(home, API_SERVER, GRACE_SECONDS)
    return gone + [title for title in late if title not in gone]


def _stop_supervisor(home: Home) -> None:
    asked = None
    until = time.monotonic() + STOP_SECONDS
    while home.is_locked() and time.monotonic() < until:
        # A server that has only just been started may not have written its state yet.
        state = read_state(home)
        if state and asked is None:
            asked = psutil.Process(state.pid)
            asked.terminate()
        time.sleep(0.1)
    if asked and home.is_locked():
        asked.kill()


def running_state(home: Home) -> ServerState | None:
    """The state of the home's server if its supervisor runs, else None."""
    return read_state(home) if home.is_locked() else None


def leftovers(home: Home) -> list[str]:
    """The processes of a home whose supervisor is gone."""
    if home.is_locked():
        return []
    return [f"{processes.describe(process)} (pid {process.pid})" for process in processes.belonging_to(home)]


def configure_logging(home: Home) -> None:
    """Send the supervisor's log to its file, and warnings to standard error too."""
    file = logging.FileHandler(home.log(SUPERVISOR))
    screen = logging.StreamHandler()
    screen.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[file, screen])
