"""Runs a scenario in a process of its own that dies at a chosen moment. See `scenarios` for what is run.

A server that has loaded the code forks one process per death: that takes milliseconds, a new interpreter would take a
third of a second. A process dies by strace at one of its system calls, or, where strace may not be used, by its own
hand at one of the events that Python reports to audit hooks.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.naive_writers import NAIVE
from tests.support.scenarios import SCENARIOS
from tests.support.syscalls import CHANGING, Tracer

REPOSITORY = Path(__file__).resolve().parents[2]
BALLAST = 20
"""Calls of each name that the main thread makes in vain before a scenario. strace counts calls by thread, so below this
number only the scenario's other threads can die, and above it the main thread does."""

FILE_EVENTS = {
    "open",
    *(f"os.{name}" for name in ("link", "mkdir", "remove", "rename", "rmdir", "symlink", "truncate", "utime")),
}
_PR_SET_PTRACER = 0x59616D61
_NO_FILE = 1 << 20


class ForkServer:
    """Forks processes that run scenarios."""

    def __init__(self, cache: Path) -> None:
        path = os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crashes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": path, "AIRLOOM_CACHE_DIR": str(cache)},
        )

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def run(self, scenario: str, root: Path, *, dies_at_event: int | None = None) -> int:
        """Run a scenario. The exit code, -9 for one that was killed."""
        self._begin(scenario, root, dies_at_event)
        return self._go()

    def run_traced(
        self, scenario: str, root: Path, log: Path, *, calls: Sequence[str] = CHANGING, inject: Sequence[str] = ()
    ) -> int:
        """Run a scenario under strace. Raises TracingRefused if that is not possible here."""
        pid = self._begin(scenario, root, None)
        try:
            tracer = Tracer(pid, log, calls=calls, inject=inject)
        except BaseException:
            self._go()
            raise
        code = self._go()
        tracer.wait()
        return code

    def _begin(self, scenario: str, root: Path, dies_at_event: int | None) -> int:
        return int(self._ask({"scenario": scenario, "root": str(root), "dies_at_event": dies_at_event}))

    def _go(self) -> int:
        return int(self._ask("go"))

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    """A server for one test. Its processes keep digests outside of the folders that scenarios work in."""
    with memory_folder() as cache:
        server = ForkServer(cache)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is such a place: a killed process leaves there what it would leave on a disk."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="airloom-crash-", dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


# --- the server's side ------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer each request with a process id, and each "go" with the exit code of that process."""
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        wait, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            _be_scenario(request, wait)
        os.close(wait)
        _answer(pid)
        sys.stdin.readline()
        os.write(go, b"!")
        os.close(go)
        _answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _answer(value: int) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _be_scenario(request: dict[str, Any], wait: int) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # where only parents may trace
        os.read(wait, 1)
        _make_ballast()
        if request["dies_at_event"] is not None:
            _die_at_event(request["dies_at_event"])
        (SCENARIOS | NAIVE)[request["scenario"]].act(Path(request["root"]))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _make_ballast() -> None:
    nowhere = "/nowhere/nothing"
    calls: list[Callable[[], object]] = [
        lambda: os.write(_NO_FILE, b""),
        lambda: os.fsync(_NO_FILE),
        lambda: os.utime(_NO_FILE),
        lambda: os.link(nowhere, nowhere),
        lambda: os.unlink(nowhere),
        lambda: os.rename(nowhere, nowhere),
        lambda: os.mkdir(nowhere),
        lambda: fcntl.flock(_NO_FILE, fcntl.LOCK_UN),
    ]
    for call in calls:
        for _ in range(BALLAST):
            try:
                call()
            except OSError:
                pass


def _die_at_event(number: int) -> None:
    """Kill this process at its `number`th event that touches a file for writing."""
    seen = 0
    lock = threading.Lock()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in FILE_EVENTS or (event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        with lock:
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    serve()
