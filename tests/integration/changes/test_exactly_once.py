"""Files are dropped while what watches and hands over is killed: each change is handed over, and none twice."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from airloom.embedded import processes
from airloom.embedded.home import Home
from airloom.embedded.state import read_state
from airloom.execution.names import RUN_KEY
from tests.integration.changes.watching import SECONDS, Watched, pause, publish, watch
from tests.integration.chaos.stage import SCHEDULERS, a_stage, start_again
from tests.support.server import RunningServer, running_server

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose parts tests may kill, as they come back."""
    with running_server(tmp_path_factory.mktemp("changes") / "home") as server:
        yield server


@pytest.mark.timeout(600)
def test_a_run_sees_what_has_changed(server: RunningServer, tmp_path: Path) -> None:
    pipeline = publish(server, tmp_path / "source", "arrivals")
    with watch(server, pipeline, "arrivals", "arrivals") as arrivals:
        arrivals.drop(["a", "b"])
        expect({"a": 1, "b": 1}, arrivals)
        run = arrivals.runs()[0]["dag_run_id"]
        arrivals.airflow.wait_for_run(pipeline["dag_id"], run)
        (listed,) = arrivals.ask("runs")["runs"]
        check_disabling(arrivals)
    assert (listed["id"], listed["experiment"], listed["status"]) == (run, "watching", "Finished")
    assert listed["properties"]["changes.count"] == "2"
    changes, seen = server.cli("logs", run, "take").stdout.splitlines()
    assert json.loads(changes)["added"] == ["arrivals/a", "arrivals/b"]
    assert seen == "['a', 'b', 'there before']"


def check_disabling(watched: Watched) -> None:
    """Nobody looks at the folder of a disabled schedule; what has changed meanwhile comes when it is enabled."""
    watched.set_status("Disabled")
    looks = [watched.memory.last_check()]
    while len(looks) < 3 or looks[-1] != looks[-2]:
        time.sleep(2 * SECONDS)
        looks.append(watched.memory.last_check())
        assert len(looks) < 30, "it is still watched"
    watched.drop(["while disabled"])
    time.sleep(2 * SECONDS)
    assert watched.memory.last_check() == looks[-1]
    watched.set_status("Active")
    expect({"while disabled": 1}, watched)


@pytest.mark.timeout(600)
def test_each_change_is_handed_over_once_though_triggerer_and_worker_are_killed(
    server: RunningServer, tmp_path: Path
) -> None:
    """Two schedules share the poll of one folder: one makes a run for each batch, the other one for each table."""
    pipeline = publish(server, tmp_path / "source", "incoming")
    pause(server, pipeline["dag_id"])
    with both_schedules(server, pipeline) as (batches, tables):
        texts = [f"{number}.txt" for number in range(20)]
        csvs = [f"deep/{number}.csv" for number in range(20)]

        batches.drop(texts[:10])
        eventually(batches.handed_over, "the first hand-over")
        component(server, "triggerer").kill()
        batches.drop(texts[10:] + csvs)
        kill_workers_in(server, tables, len(csvs))

        expect(dict.fromkeys(texts + csvs, 1), batches)
        expect(dict.fromkeys(csvs, 1), tables)
        check_batches(batches)
        batches.drop([csvs[0]], "changed")
        expect({csvs[0]: 2}, batches, tables)
        assert batches.ask()["last_check"]["outcome"] in ("handed_over", "unchanged")


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.postgres
@pytest.mark.timeout(3600)
def test_a_thousand_files_while_everything_is_killed_in_turn(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With two schedulers on PostgreSQL, and at last a loss of power."""
    if not request.config.getoption("--thorough"):
        pytest.skip("takes long, and a smaller one always runs: run with --thorough")
    with a_stage(tmp_path) as stage:
        server = stage.server
        pipeline = publish(server, tmp_path / "source", "incoming")
        pause(server, pipeline["dag_id"])
        with both_schedules(server, pipeline) as (batches, tables):
            texts = [f"{number % 7}/{number}.txt" for number in range(500)]
            csvs = [f"{number % 7}/{number}.csv" for number in range(500)]
            names = [name for pair in zip(texts, csvs, strict=True) for name in pair]
            began = time.monotonic()
            with dropping_in_bursts(batches, names, size=40, pause=6.0):
                eventually(lambda: batches.handed_over(), "the first hand-over")
                stage.kill("triggerer")
                log.info("triggerer killed %.0f s after the start", time.monotonic() - began)
                kill_workers_in(server, tables, len(csvs))
                log.info("workers killed %.0f s after the start", time.monotonic() - began)
                stage.wait_until_whole()
                before = sum(batches.handed_over().values())
                eventually(lambda: sum(batches.handed_over().values()) > before, "a hand-over after the kills")
                stage.kill("triggerer")
                log.info("triggerer killed again %.0f s after the start", time.monotonic() - began)
                stage.kill(SCHEDULERS[0])
                log.info("a scheduler killed %.0f s after the start", time.monotonic() - began)
                stage.wait_until_whole()
                for process in (psutil.Process(stage.state().pid), *stage.processes()):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                log.info("everything killed %.0f s after the start", time.monotonic() - began)
                start_again(stage)
                stage.wait_until_whole()
                log.info("the server was up again %.0f s after the start", time.monotonic() - began)
            expect(dict.fromkeys(names, 1), batches, seconds=900)
            expect(dict.fromkeys(csvs, 1), tables, seconds=900)
            log.info("all was handed over %.0f s after the start", time.monotonic() - began)
            check_batches(batches)
            changed = names[::9]
            batches.drop(changed, "changed")
            expect({name: 2 if name in changed else 1 for name in names}, batches, seconds=300)
            expect({name: 2 if name in changed else 1 for name in csvs}, tables, seconds=300)
            log.info(
                "%d files: %d batches and as many runs; %d runs of one file each",
                len(names), batches.memory.state().number, len(tables.runs()),
            )  # fmt: skip
            assert server.cli("down").returncode == 0
            server.cli("up", "--detach", "--schedulers", "2")
            batches.drop(["after the restart"])
            expect({"after the restart": 1, names[0]: 2, names[1]: 1}, batches, seconds=300)
            check_batches(batches)


@contextmanager
def both_schedules(server: RunningServer, pipeline: dict[str, Any]) -> Iterator[tuple[Watched, Watched]]:
    """One that makes a run for each batch of changes, and one that makes a run for each table."""
    with (
        watch(server, pipeline, "in batches", "incoming") as batches,
        watch(server, pipeline, "table by table", "incoming/**/*.csv", one_run_per="file") as tables,
    ):
        yield batches, tables


@contextmanager
def dropping_in_bursts(watched: Watched, names: list[str], *, size: int, pause: float) -> Iterator[None]:
    """Let a thread drop files while the block runs; when it is left, all are there."""

    def drop() -> None:
        for start in range(0, len(names), size):
            watched.drop(names[start : start + size])
            time.sleep(pause)

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def eventually(condition: Callable[[], object], what: str, seconds: float = 180, pause: float = 0.5) -> None:
    """Return once the condition is true. A server that is just being started again has no answer yet."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(httpx.HTTPError):
            if condition():
                return
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(pause)


def expect(wanted: dict[str, int], *schedules: Watched, seconds: float = 180) -> None:
    """Wait until these files were handed over so often; none may ever be handed over more often."""
    for watched in schedules:
        found: Counter[str] = Counter()

        def is_there(watched: Watched = watched) -> bool:
            nonlocal found
            found = watched.handed_over()
            doubled = {name: count for name, count in found.items() if name in wanted and count > wanted[name]}
            assert not doubled, doubled
            return all(found[name] == count for name, count in wanted.items())

        try:
            eventually(is_there, "all changes to be handed over", seconds)
        except AssertionError as late:
            missing = sorted(name for name, count in wanted.items() if found[name] < count)
            raise AssertionError(f"{late}: {missing[:20]}; {watched.memory.last_check()}") from None


def check_batches(watched: Watched) -> None:
    """There is one run for each batch, and each batch that was counted is there."""
    numbers = sorted(run["conf"][RUN_KEY]["changes"]["batch"] for run in watched.runs())
    assert numbers == list(range(1, watched.memory.state().number + 1))


def component(server: RunningServer, name: str) -> psutil.Process:
    """The process of a component of the server, once there is one."""
    home = Home(server.home.resolve())

    def pid() -> int | None:
        state = read_state(home)
        return state.components[name].pid if state is not None else None

    eventually(pid, f"the start of the {name}")
    return psutil.Process(pid())


def kill_workers_in(server: RunningServer, watched: Watched, most: int) -> None:
    """Kill the worker of a schedule that makes a run for each file, once some of these runs and not all are there."""
    eventually(lambda: len(watched.runs()) > 0, "the first runs of single files", pause=0.05)
    seen = len(watched.runs())
    killed = list(_kill(busy_workers(server)))
    log.info("%d runs of at most %d were there; killed %s", seen, most, killed)


def busy_workers(server: RunningServer) -> Iterable[psutil.Process]:
    """The processes that run tasks."""
    for process in processes.belonging_to(Home(server.home.resolve())):
        with suppress(psutil.NoSuchProcess):
            title = " ".join(process.cmdline())
            if "LocalExecutor" in title and "<idle>" not in title:
                yield process


def _kill(found: Iterable[psutil.Process]) -> Iterator[int]:
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            yield process.pid
