"""Finding and ending the processes of a home.

The process tree does not suffice: a LocalExecutor worker whose scheduler was killed is init's child from then on. So
every process is started with the id of its home in its environment, which all its children inherit. But Airflow makes
workers that have run a task unreadable (PR_SET_DUMPABLE), so that only root sees their environment. What cannot be
hidden is the session: each component is started in one of its own, and the state file remembers which.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil

from airloom.embedded.home import Home
from airloom.embedded.state import read_state

MARKER = "AIRLOOM_HOME_ID"
COMPONENT_VARIABLE = "AIRLOOM_COMPONENT"

WORKER_TITLE = "LocalExecutor"
ROUNDS = 5
KILL_SECONDS = 2.0
# Once no task is left, what is still there has nothing to do but to report: more patience would gain nothing.
SETTLE_SECONDS = 2.5
CLOCK_TOLERANCE = 5.0

Process = psutil.Process


# --- finding ------------------------------------------------------------------------------------------------------


def belonging_to(home: Home, component: str | None = None) -> list[Process]:
    """The processes of a home, or of one of its components, and all that they have started; never this one."""
    everything = list(psutil.process_iter())
    own = [process for process in everything if _is_marked(process, home, component)]
    own += _in_sessions(everything, _sessions(home, component))
    found = {process.pid: process for process in own}
    for process in own:
        # A step's script may have been given an environment without the marker and a session of its own.
        found |= {child.pid: child for child in _children(process)}
    found.pop(os.getpid(), None)
    return [process for process in found.values() if is_alive(process)]


def _is_marked(process: Process, home: Home, component: str | None) -> bool:
    try:
        variables = process.environ()
    except (psutil.Error, OSError):
        return False
    return variables.get(MARKER) == home.id and component in (None, variables.get(COMPONENT_VARIABLE))


def _sessions(home: Home, component: str | None) -> dict[int, float]:
    """The sessions of the components that were started last, with the time of their start."""
    state = read_state(home)
    parts = state.components if state else {}
    return {
        part.session: part.started_at.timestamp()
        for name, part in parts.items()
        if part.session and part.started_at and component in (None, name)
    }


def _in_sessions(everything: Iterable[Process], sessions: dict[int, float]) -> list[Process]:
    """The members of sessions. A session's number may long be another's: its leader then started at another time."""
    ours = {session: start for session, start in sessions.items() if _is_of_that_time(session, start)}
    return [process for process in everything if _session(process) in ours]


def _is_of_that_time(session: int, start: float) -> bool:
    try:
        return abs(psutil.Process(session).create_time() - start) < CLOCK_TOLERANCE
    except psutil.Error:
        # Its leader is gone. The kernel gives the number to no new process while the session has members.
        return True


def _session(process: Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def workers_of(scheduler: int) -> list[Process]:
    """The LocalExecutor's workers of a scheduler, which it starts when it begins to schedule."""
    try:
        children = psutil.Process(scheduler).children()
    except psutil.Error:
        return []
    return [child for child in children if WORKER_TITLE in describe(child)]


def _children(process: Process) -> list[Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def is_alive(process: Process) -> bool:
    """False also for one that has ended and whose parent has not asked for its status."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def describe(process: Process) -> str:
    """A short title for people: that which Airflow gave the process, or its command."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return "process"
    words = [os.path.basename(word) for word in command if not word.startswith("-")]
    return " ".join(words)[:60].strip() or "process"


# --- ending -------------------------------------------------------------------------------------------------------


def end_server(home: Home, last: str, grace: float) -> list[str]:
    """End all processes of a home; those of the component `last` after the others. Returns what was ended.

    The API server is that component: until it ends, tasks can tell it how they ended.
    """

    def all_others() -> list[Process]:
        kept = {process.pid for process in belonging_to(home, last)}
        return [process for process in belonging_to(home) if process.pid not in kept]

    return end(all_others, grace) + end(lambda: belonging_to(home), grace)


def end(find: Callable[[], Iterable[Process]], grace: float) -> list[str]:
    """End all processes that `find` finds: SIGTERM, and SIGKILL later. Returns what was ended.

    Tasks, with what they have started, get `grace` seconds, the others less. Looks again afterwards, for what was
    started in the meantime.
    """
    ended: dict[int, str] = {}
    for _ in range(ROUNDS):
        processes = list(find())
        if not processes:
            break
        ended |= {process.pid: describe(process) for process in processes if process.pid not in ended}
        _signal(processes, signal.SIGTERM)
        alive = _wait(processes, grace)
        ended |= {process.pid: f"{ended[process.pid]}, by force" for process in alive}
        _signal(alive, signal.SIGKILL)
        _wait(alive, KILL_SECONDS)
    return [f"{title} (pid {pid})" for pid, title in sorted(ended.items())]


def kill(find: Callable[[], Iterable[Process]]) -> list[str]:
    """End all processes that `find` finds with no word, parents before children. Returns what was ended."""
    ended: dict[int, str] = {}
    for _ in range(ROUNDS):
        processes = sorted(find(), key=_age)
        if not processes:
            break
        ended |= {process.pid: describe(process) for process in processes if process.pid not in ended}
        _signal(processes, signal.SIGKILL)
        _wait(processes, KILL_SECONDS)
    return [f"{title} (pid {pid})" for pid, title in sorted(ended.items())]


def _age(process: Process) -> float:
    try:
        return process.create_time()
    except psutil.Error:
        return 0.0


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue


def _wait(processes: Iterable[Process], grace: float) -> list[Process]:
    """Wait until the processes have ended; returns those that had not when patience was at its end."""
    now = time.monotonic()
    until = now + grace
    settled = now + SETTLE_SECONDS
    alive = [process for process in processes if is_alive(process)]
    while alive and now < min(until, settled):
        time.sleep(0.05)
        now = time.monotonic()
        alive = [process for process in alive if is_alive(process)]
        if any(_is_of_a_task(process) for process in alive):
            settled = now + SETTLE_SECONDS
    return alive


def _is_of_a_task(process: Process) -> bool:
    """A component and its workers are in the group that the component leads; Airflow gives each task its own."""
    try:
        return os.getpgid(process.pid) != os.getsid(process.pid)
    except OSError:
        return False
