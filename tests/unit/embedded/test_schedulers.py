"""Several schedulers: what is started, what is refused, and how the death of one is told to the others."""

from __future__ import annotations

import pytest

from airloom.embedded.components import components
from airloom.embedded.home import Home
from airloom.embedded.processes import workers_of
from airloom.embedded.scheduler_notes import SchedulerNotes
from airloom.embedded.server import prepare
from airloom.errors import AirloomError
from tests.unit.embedded.conftest import Spawn

WITH_WORKERS = (
    "import multiprocessing, setproctitle, time; "
    "work = lambda: (setproctitle.setproctitle('airflow worker -- LocalExecutor: <idle>'), "
    "open(r'{ready}', 'w').close(), time.sleep(60)); "
    "multiprocessing.Process(target=work).start()"
)


def test_further_schedulers_have_numbers_and_run_the_same_command() -> None:
    assert [part.name for part in components()] == ["api-server", "scheduler", "dag-processor", "triggerer"]
    more = components(3)[4:]
    assert [part.name for part in more] == ["scheduler-2", "scheduler-3"]
    assert {part.arguments for part in more} == {components()[1].arguments}


def test_sqlite_has_one_scheduler(home: Home) -> None:
    with pytest.raises(AirloomError, match="cannot work on a SQLite database") as refused:
        prepare(home, 0, None, schedulers=2)
    assert "--database" in refused.value.hint
    assert not home.is_locked()


def test_a_scheduler_works_once_it_has_workers(spawn: Spawn) -> None:
    assert workers_of(spawn().pid) == []
    assert len(workers_of(spawn(WITH_WORKERS).pid)) == 1
    assert workers_of(2**22 + 1) == []


def test_the_job_of_a_scheduler_that_died_is_told_once(home: Home) -> None:
    notes = SchedulerNotes(home.schedulers)
    notes.begin("scheduler", "7")
    notes.begin("scheduler-2", "8")
    assert list(notes.take_dead()) == []
    notes.mark_dead("scheduler-2")
    notes.mark_dead("api-server")
    assert list(notes.take_dead()) == ["8"]
    assert list(notes.take_dead()) == []


def test_one_that_is_started_in_place_of_another_declares_it_dead(home: Home) -> None:
    """As after the supervisor itself was killed, and nobody has seen the scheduler die."""
    SchedulerNotes(home.schedulers).begin("scheduler", "7")
    notes = SchedulerNotes(home.schedulers)
    notes.begin("scheduler", "9")
    assert list(notes.take_dead()) == ["7"]


def test_a_death_that_could_not_be_told_is_told_again(home: Home) -> None:
    notes = SchedulerNotes(home.schedulers)
    notes.begin("scheduler", "7")
    notes.mark_dead("scheduler")
    with pytest.raises(OSError, match="database"):
        for _ in notes.take_dead():
            raise OSError("no database")
    assert list(notes.take_dead()) == ["7"]
