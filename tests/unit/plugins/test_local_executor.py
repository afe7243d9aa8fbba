"""The embedded server's executor: what becomes of work when processes are killed. Its workers are real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.utils.state import TaskInstanceState

from airloom.plugins.local_executor import WatchfulLocalExecutor


@dataclass(frozen=True)
class Work:
    """What a worker is given: a name and, in place of a task, how long it takes and where it says that it began."""

    key: str
    seconds: float = 0.0
    began: Path | None = None
    running_state: Any = None
    success_state: Any = TaskInstanceState.SUCCESS
    failure_state: Any = TaskInstanceState.FAILED
    display_name: str = "work"


def run(work: Work, conf: Any) -> str | None:
    """In place of a task: a child that sleeps, as Airflow's worker has one for the task."""
    child = os.fork()
    if child == 0:
        if work.began is not None:
            work.began.write_text(str(os.getpid()))
        time.sleep(work.seconds)
        os._exit(0)
    os.waitpid(child, 0)
    return "it is bad" if work.key == "bad" else None


class Executor(WatchfulLocalExecutor):
    """The executor, with work that needs no server."""

    run = staticmethod(run)


@pytest.fixture
def executor() -> Iterator[Executor]:
    executor = Executor(parallelism=2)
    executor.start()
    yield executor
    executor._kill(executor._workers)
    executor.end()


def give(executor: Executor, *work: Work) -> None:
    executor._process_workloads(work)


def wait_for(executor: Executor, condition: Callable[[], object]) -> None:
    """Do what the scheduler's loop does, until the condition is true."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, executor.event_buffer
        executor.sync()
        time.sleep(0.01)


def states(executor: Executor) -> dict[Any, Any]:
    return {key: state for key, (state, _) in executor.event_buffer.items()}


def pids(executor: Executor) -> set[int | None]:
    return {worker.process.pid for worker in executor._workers}


def written(path: Path) -> bool:
    return path.exists() and path.read_text() != ""


def test_work_is_done_and_reported(executor: Executor) -> None:
    give(executor, Work("good"), Work("bad"), Work("third"))
    wait_for(executor, lambda: len(executor.event_buffer) == 3)
    assert states(executor) == {"good": "success", "bad": "failed", "third": "success"}
    assert executor.event_buffer["bad"][1] == "it is bad"


def test_work_whose_worker_is_killed_has_failed_at_once_and_ends(executor: Executor, tmp_path: Path) -> None:
    give(executor, Work("long", 60, tmp_path / "began"))
    wait_for(executor, lambda: written(tmp_path / "began"))
    task = psutil.Process(int((tmp_path / "began").read_text()))
    victim = task.ppid()
    os.kill(victim, signal.SIGKILL)
    wait_for(executor, lambda: executor.event_buffer)
    assert executor.event_buffer["long"] == ("failed", f"Its worker process {victim} was killed.")
    wait_for(executor, lambda: not psutil.pid_exists(task.pid) or task.status() == psutil.STATUS_ZOMBIE)
    assert len(pids(executor)) == 2
    assert victim not in pids(executor)


def test_idle_workers_that_are_killed_are_replaced_before_there_is_work(executor: Executor) -> None:
    before = pids(executor)
    for pid in before:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    wait_for(executor, lambda: not before & pids(executor))
    give(executor, Work("next"))
    wait_for(executor, lambda: states(executor) == {"next": "success"})


def test_work_that_is_handed_out_while_workers_die_is_never_forgotten(executor: Executor) -> None:
    """Whether it is done by a new worker, or has failed with an old one, the scheduler hears of it."""
    for pid in pids(executor):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    give(executor, *[Work(f"work {number}") for number in range(6)])
    wait_for(executor, lambda: len(executor.event_buffer) == 6)
    assert list(states(executor).values()).count("success") >= 4


def test_work_that_the_scheduler_gave_up_is_ended(executor: Executor, tmp_path: Path) -> None:
    """As when a worker was stopped for so long that its task is tried again: it must not wake up beside the other."""
    give(executor, Work("stopped", 60, tmp_path / "began"))
    wait_for(executor, lambda: written(tmp_path / "began"))
    task = psutil.Process(int((tmp_path / "began").read_text()))
    worker = task.parent()
    assert worker is not None
    worker.suspend()
    executor.change_state("stopped", TaskInstanceState.FAILED)
    wait_for(executor, lambda: worker.pid not in pids(executor))
    wait_for(executor, lambda: not psutil.pid_exists(task.pid) or task.status() == psutil.STATUS_ZOMBIE)
    assert states(executor) == {"stopped": "failed"}


SCHEDULER = """
import sys, time
from pathlib import Path
from tests.unit.plugins.test_local_executor import Executor, Work
executor = Executor(parallelism=2)
executor.start()
executor._process_workloads([Work("long", 60, Path(sys.argv[1]))])
try:
    while not Path(sys.argv[2]).exists():
        executor.sync()
        time.sleep(0.01)
    raise ValueError("the database is gone")
finally:
    executor.end()
"""


@pytest.mark.parametrize("end", ["kill", "raise"])
def test_nothing_outlives_a_scheduler_that_is_killed_or_fails(tmp_path: Path, end: str) -> None:
    """One that fails does not wait for its tasks: nothing would be scheduled for as long as they take."""
    began = tmp_path / "began"
    fail = tmp_path / "fail"
    scheduler = psutil.Popen([sys.executable, "-c", SCHEDULER, str(began), str(fail)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not written(began):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    family = scheduler.children(recursive=True)
    if end == "kill":
        scheduler.kill()
    else:
        fail.touch()
    scheduler.wait(timeout=30)
    gone, alive = psutil.wait_procs(family, timeout=15)
    assert len(gone) >= 1
    assert alive == []
