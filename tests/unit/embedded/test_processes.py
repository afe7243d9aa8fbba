"""Finding and ending real processes."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from airloom.embedded import processes
from airloom.embedded.home import Home
from airloom.embedded.state import ComponentState, ServerState, write_state
from tests.unit.embedded.conftest import PARENT_OF_UNMARKED, PARENT_THAT_LEAVES, STUBBORN, Spawn, wait_for


def pids(home: Home, component: str | None = None) -> set[int]:
    return {process.pid for process in processes.belonging_to(home, component)}


def test_processes_are_told_apart_by_home_and_component(home: Home, spawn: Spawn) -> None:
    scheduler, triggerer = spawn(), spawn(component="triggerer")
    stranger = spawn(marked=False)
    assert pids(home) == {scheduler.pid, triggerer.pid}
    assert pids(home, "triggerer") == {triggerer.pid}
    assert pids(Home(home.path / "other")) == set()
    assert stranger.poll() is None


def test_children_without_the_mark_are_found(home: Home, spawn: Spawn) -> None:
    parent = spawn(PARENT_OF_UNMARKED)
    (child,) = psutil.Process(parent.pid).children()
    assert pids(home) == {parent.pid, child.pid}
    assert len(processes.end(lambda: processes.belonging_to(home), grace=5)) == 2


def test_orphans_without_a_readable_mark_are_found_by_their_session(home: Home, spawn: Spawn) -> None:
    leader = spawn(PARENT_THAT_LEAVES, marked=False)
    leader.wait()
    assert pids(home) == set()
    remember_session(home, leader.pid, datetime.now(UTC))
    (orphan,) = pids(home)
    assert os.getsid(orphan) == leader.pid
    processes.end(lambda: processes.belonging_to(home), grace=5)
    assert pids(home) == set()


def test_a_number_that_has_become_another_session_is_left_alone(home: Home, spawn: Spawn) -> None:
    stranger = spawn(marked=False)
    remember_session(home, stranger.pid, datetime.now(UTC) - timedelta(hours=1))
    assert pids(home) == set()
    assert stranger.poll() is None


def remember_session(home: Home, session: int, started_at: datetime) -> None:
    part = ComponentState(session=session, started_at=started_at)
    write_state(home, ServerState(pid=1, port=1, components={"scheduler": part}))


def test_those_that_do_not_heed_sigterm_are_killed_and_named_so(home: Home, spawn: Spawn) -> None:
    stubborn = spawn(STUBBORN)
    (ended,) = processes.end(lambda: processes.belonging_to(home), grace=0.3)
    assert ended.endswith(f"by force (pid {stubborn.pid})")
    assert stubborn.wait(timeout=5) == -9


def test_components_are_not_waited_for_longer_than_they_need(
    home: Home, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SETTLE_SECONDS", 0.2)
    spawn(STUBBORN)
    began = time.monotonic()
    processes.end(lambda: processes.belonging_to(home), grace=30)
    assert time.monotonic() - began < 10


def test_tasks_get_all_the_grace(home: Home, spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SETTLE_SECONDS", 0.2)
    group_of_its_own = "import os; child = os.fork(); child or os.setpgid(0, 0); "
    late = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.5), os._exit(0))); "
    spawn(group_of_its_own + late + "open(r'{ready}' , 'w').close(); time.sleep(60); time.sleep(60)")
    ended = processes.end(lambda: processes.belonging_to(home), grace=20)
    assert len(ended) == 2
    assert "by force" not in "".join(ended)


def test_the_last_component_is_ended_after_the_others(home: Home, spawn: Spawn) -> None:
    log = home.path / "order"
    tell = "import signal, os, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep({delay}), "
    tell += f"open(r'{log}', 'a').write('{{name}} '), os._exit(0))); "
    wait = "open(r'{{ready}}', 'w').close(); time.sleep(60)"
    spawn((tell + wait).format(delay=0.6, name="scheduler"))
    spawn((tell + wait).format(delay=0, name="api"), component="api-server")
    processes.end_server(home, "api-server", grace=10)
    assert log.read_text() == "scheduler api "


def test_a_process_nobody_waits_for_counts_as_ended(home: Home, spawn: Spawn) -> None:
    zombie = spawn()
    zombie.kill()
    wait_for(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
    assert pids(home) == set()
