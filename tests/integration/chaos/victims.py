"""Who is killed, how they are found, and what brings them back."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.integration.chaos.scene import STEPS, Entry, Scene
from tests.integration.chaos.stage import SCHEDULERS, Stage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blow:
    """What was done, and when, so that a failure can be done again and recovery be measured."""

    victim: str
    step: str
    delay: float
    pids: tuple[int, ...]
    at: float

    def __str__(self) -> str:
        pids = ", ".join(map(str, self.pids))
        return f"SIGKILL to the {self.victim} (pid {pids}), {self.delay:.2f} s after step {self.step} began"


Find = Callable[[Stage, Entry], list[psutil.Process]]


def script(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The step's own script."""
    return [psutil.Process(entry.pid)]


def guardian(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The process that watches the script."""
    return [_ancestors(entry)[0]]


def task(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """Airflow's process that runs the task: the operator and the runner are in it."""
    return [_ancestors(entry)[1]]


def worker(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The LocalExecutor's process that watches the task."""
    return [_ancestors(entry)[2]]


def idle_workers(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """All workers with nothing to do: in Airflow's own executor one of them holds the lock that all need."""
    children = [child for scheduler in both_schedulers(stage, entry) for child in scheduler.children()]
    idle = [child for child in children if "<idle>" in " ".join(child.cmdline())]
    assert idle
    return idle


def its_scheduler(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The one of the two schedulers that started the step."""
    return [_ancestors(entry)[3]]


def both_schedulers(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """All schedulers."""
    return [stage.component(name) for name in SCHEDULERS]


def api_server(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The API server, through which tasks tell how they fare."""
    return [stage.component("api-server")]


def dag_processor(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The DAG processor."""
    return [stage.component("dag-processor")]


def triggerer(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The triggerer."""
    return [stage.component("triggerer")]


def everything(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """Supervisor, components, workers, tasks and scripts: what a loss of power does."""
    return [psutil.Process(stage.state().pid), *stage.processes()]


def supervisor(stage: Stage, entry: Entry) -> list[psutil.Process]:
    """The supervisor alone; what it has started goes on."""
    return [psutil.Process(stage.state().pid)]


IN_A_RUN: dict[str, Find] = {
    "guardian": guardian,
    "task process": task,
    "worker": worker,
    "idle workers": idle_workers,
    "scheduler of the step": its_scheduler,
    "both schedulers": both_schedulers,
    "API server": api_server,
    "DAG processor": dag_processor,
    "triggerer": triggerer,
}
"""Those that come back without help, and with whose death the run ends well."""


def strike(stage: Stage, scene: Scene, victim: str, find: Find, chance: random.Random, step: str | None = None) -> Blow:
    """Kill a victim at a moment that chance decides: some time into an attempt of a step, which chance may decide."""
    step = step or chance.choice(list(STEPS))
    delay = chance.uniform(0.0, STEPS[step][1])
    entry = scene.wait_for_start(step)
    time.sleep(delay)
    processes = find(stage, entry)
    blow = Blow(victim, step, delay, tuple(process.pid for process in processes), time.time())
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it may end by itself, or with one killed before it
            process.kill()
    log.info("%s", blow)
    return blow


def _ancestors(entry: Entry) -> list[psutil.Process]:
    """From a script upwards: guardian, task process, worker, scheduler."""
    return psutil.Process(entry.pid).parents()
