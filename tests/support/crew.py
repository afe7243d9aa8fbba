"""Processes that do the same thing at the same moment.

They are forked by a process that has imported what they need, so that eight of them start in the time of one. Between
rounds they wait for each other, so that each round is a race.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Any

Role = Callable[..., Any]
WAIT_SECONDS = 1800  # a race at full scale takes long on a busy machine


def preload(*modules: str) -> None:
    """Let the server of forks import modules before its first fork. Counts only before any crew has worked."""
    multiprocessing.set_forkserver_preload(list(modules))


class Crew:
    """`count` processes, which live until the `with` block ends.

    `start_method` may be "fork" in a program that has no threads; `prepare` is called first in each process then.
    """

    def __init__(self, count: int, *, start_method: str = "forkserver", prepare: Role | None = None) -> None:
        context: Any = multiprocessing.get_context(start_method)
        self._barrier = context.Barrier(count)
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, number, self._barrier, prepare), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def run(self, role: Role, *arguments: Any) -> list[Any]:
        """What `role(number, barrier, *arguments)` returns in each process, by number.

        The processes get this one's environment. Any that fails is reported with its traceback.
        """
        self._barrier.reset()
        for pipe in self._pipes:
            pipe.send((dict(os.environ), role, arguments))
        answers = [_answer(pipe) for pipe in self._pipes]
        failures = [error for error, _ in answers if error]
        own = [failure for failure in failures if "BrokenBarrierError" not in failure]
        assert not failures, f"{len(failures)} processes failed, one with:\n{(own or failures)[0]}"
        return [result for _, result in answers]


def _answer(pipe: Connection) -> tuple[str, Any]:
    try:
        return pipe.recv() if pipe.poll(WAIT_SECONDS) else ("It gave no answer in time.", None)
    except EOFError:
        return "It died.", None


def _serve(pipe: Connection, number: int, barrier: Barrier, prepare: Role | None) -> None:
    """Do what is asked until the process ends, or its parent is gone."""
    parent = os.getppid()
    if prepare is not None:
        prepare()
    while os.getppid() == parent:
        if pipe.poll(1):
            pipe.send(_work(number, barrier, *pipe.recv()))


def _work(
    number: int, barrier: Barrier, environment: dict[str, str], role: Role, arguments: tuple[Any, ...]
) -> tuple[str, Any]:
    os.environ.clear()
    os.environ.update(environment)
    try:
        barrier.wait(WAIT_SECONDS)
        return "", role(number, barrier, *arguments)
    except BaseException:
        barrier.abort()
        return traceback.format_exc(), None
