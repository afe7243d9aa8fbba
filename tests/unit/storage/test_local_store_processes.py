"""The local object store under racing and dying processes. Each test starts real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from airloom.errors import NotFound
from airloom.storage.local import LocalStore

PREAMBLE = """
import json, os, sys, time
from airloom.storage.local import LocalStore
store, who = LocalStore(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
"""
WRITERS = 8
SIZE = 300_000


class Workers:
    """Processes that load the code, say they are ready, and start their work together."""

    def __init__(self, store: LocalStore, code: str, count: int) -> None:
        command = [sys.executable, "-c", PREAMBLE + code, str(store.root)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.processes = [
            subprocess.Popen(
                [*command, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for number in range(count)
        ]
        for process in self.processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"

    def start(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

    def alive(self) -> bool:
        return any(process.poll() is None for process in self.processes)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate(timeout=30)
            assert process.returncode == -signal.SIGKILL

    def results(self) -> list[str]:
        outputs = [process.communicate(timeout=60)[0] for process in self.processes]
        assert [process.returncode for process in self.processes] == [0] * len(self.processes)
        return [output.strip() for output in outputs]


def test_of_eight_racing_writers_exactly_one_wins_and_no_reader_sees_a_part(store: LocalStore) -> None:
    rounds = 10
    code = f"print([n for n in range({rounds}) if store.put_if_absent(f'race/{{n}}', who.encode() * {SIZE})])"
    workers = Workers(store, code, WRITERS)
    workers.start()
    while workers.alive():
        for number in range(rounds):
            assert_whole(store, f"race/{number}")
    wins = [json.loads(output) for output in workers.results()]
    assert sorted(number for won in wins for number in won) == list(range(rounds))
    for who, won in enumerate(wins):
        assert all(store.get(f"race/{number}") == str(who).encode() * SIZE for number in won)


def test_readers_of_an_object_that_is_replaced_see_one_version_or_the_other(store: LocalStore) -> None:
    workers = Workers(store, f"for n in range(15): store.put('k', who.encode() * {SIZE})", 4)
    workers.start()
    while workers.alive():
        assert_whole(store, "k")
    workers.results()
    assert_whole(store, "k")


def test_eight_updating_processes_lose_no_update(store: LocalStore) -> None:
    code = """
def add(old):
    numbers = json.loads(old or b"[]")
    time.sleep(0.001)  # as long as it takes for another process to come between, if it could
    return json.dumps([*numbers, f"{who}-{n}"]).encode()
for n in range(15):
    store.update("index", add)
"""
    workers = Workers(store, code, WRITERS)
    workers.start()
    workers.results()
    expected = sorted(f"{who}-{number}" for who in range(WRITERS) for number in range(15))
    assert sorted(json.loads(store.get("index"))) == expected


def test_a_killed_writer_leaves_whole_objects_only(store: LocalStore) -> None:
    code = f"""
n = 0
while True:
    store.put(f"put/{{n % 5}}", b"x" * {SIZE * 10})
    store.put_if_absent(f"once/{{n}}", b"x" * {SIZE})
    n += 1
"""
    for delay in (0.05, 0.11, 0.17, 0.29):
        kill_after(store, code, lambda wait=delay: time.sleep(wait))  # type: ignore[misc]
    keys = list(store.list())
    assert keys
    for key in keys:
        assert set(store.get(key)) == {ord("x")}
        assert len(store.get(key)) == (SIZE * 10 if key.startswith("put/") else SIZE)


def test_a_writer_killed_before_the_end_of_its_object_leaves_none(store: LocalStore, tmp_path: Path) -> None:
    """The source is a pipe that never ends: the kill is certain to hit half an object."""
    pipe = tmp_path / "endless"
    os.mkfifo(pipe)
    code = f"from pathlib import Path; store.put_file('half', Path({str(pipe)!r}))"

    worker = Workers(store, code, 1)
    worker.start()
    with pipe.open("wb") as source:
        source.write(b"x" * 3_000_000)
        source.flush()
        wait_until(lambda: any(path.stat().st_size for path in store.root.iterdir()))
        worker.kill()
    assert not store.exists("half")
    assert list(store.list()) == []
    assert len(os.listdir(store.root)) == 1, "the half object is on disk, under a name that no reader sees"


def test_a_process_killed_while_it_updates_does_not_block_the_others(store: LocalStore) -> None:
    store.put("k", b"old")
    marker = store.root.parent / "inside"
    code = f"store.update('k', lambda old: open({str(marker)!r}, 'w').close() or time.sleep(60))"
    kill_after(store, code, lambda: wait_until(marker.exists))
    store.update("k", lambda old: (old or b"") + b" and new")
    assert store.get("k") == b"old and new"


def kill_after(store: LocalStore, code: str, wait: Callable[[], object]) -> None:
    worker = Workers(store, code, 1)
    worker.start()
    wait()
    worker.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited for 30 seconds"
        time.sleep(0.01)


def assert_whole(store: LocalStore, key: str) -> None:
    try:
        data = store.get(key)
    except NotFound:
        return
    assert len(data) == SIZE
    assert len(set(data)) == 1
