"""The executor of the embedded server: Airflow's LocalExecutor, but the death of a worker is noticed and mended.

In Airflow's own, all workers share two queues. A worker that is killed while it waits for work takes the lock of the
queue with it, and no other worker is ever given work again. One that is killed with a task is replaced, but nobody is
told of the task: it counts as running until its heartbeat has been missing for long. Here each worker has a pipe of
its own, and the executor knows what each of them is working on.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

from airflow.configuration import AIRFLOW_HOME
from airflow.executors.base_executor import BaseExecutor, get_execution_api_server_url
from airflow.executors.local_executor import LocalExecutor
from airflow.jobs.job import Job, JobState
from airflow.utils.session import create_session
from setproctitle import setproctitle
from sqlalchemy import update

from airloom.embedded.processes import COMPONENT_VARIABLE
from airloom.embedded.scheduler_notes import SchedulerNotes
from airloom.runner.guardian import end_with_parent

TITLE = "airflow worker -- LocalExecutor:"


def run_workload(workload: Any, conf: Any) -> str | None:
    """Run a task as Airflow does; returns None, or in words what went wrong."""
    try:
        BaseExecutor.run_workload(
            workload,
            server=get_execution_api_server_url(conf),
            proctitle=f"{TITLE} {workload.display_name}",
            subprocess_logs_to_stdout=True,
        )
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


Run = Callable[[Any, Any], str | None]


@dataclass
class Worker:
    """A worker process, the pipe to it, and what it was given and has not answered yet."""

    process: BaseProcess
    pipe: Connection
    workload: Any = None


class WatchfulLocalExecutor(LocalExecutor):
    """Runs tasks in processes of this machine; a task whose worker dies has failed at once, and may be tried again."""

    run: ClassVar[Run] = staticmethod(run_workload)

    def start(self) -> None:
        """Start all workers, and say which of Airflow's jobs this scheduler is."""
        self._workers: list[Worker] = []
        self._backlog: deque[Any] = deque()
        self._notes: SchedulerNotes | None = None
        if COMPONENT_VARIABLE in os.environ:
            self._notes = SchedulerNotes(Path(AIRFLOW_HOME) / "schedulers")
            self._notes.begin(os.environ[COMPONENT_VARIABLE], str(self.job_id))
            self._let_go_of_dead_schedulers()
        self._start_workers()

    def sync(self) -> None:
        """Take in what workers have answered, replace those that are lost, and hand out what waits."""
        for worker in list(self._workers):
            alive = worker.process.is_alive()
            self._hear(worker)
            if not alive:
                self._bury(worker)
        self._start_workers()
        self._hand_out()
        self._let_go_of_dead_schedulers()

    def end(self) -> None:
        """Wait for the tasks that run. If the scheduler has failed, end them: nothing is scheduled until it is gone."""
        if isinstance(sys.exc_info()[1], Exception):
            self._kill(self._workers)
        for worker in self._workers:
            try:
                worker.pipe.send(None)
            except OSError:
                continue  # it is gone already
        for worker in self._workers:
            worker.process.join()
            self._hear(worker)
            worker.pipe.close()

    def change_state(self, key: Any, state: Any, info: Any = None, remove_running: bool = True) -> None:
        """Note the end of a task. One that the scheduler has given up must not go on: its worker is killed."""
        self._kill(worker for worker in self._workers if worker.workload is not None and worker.workload.key == key)
        super().change_state(key, state, info, remove_running)

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        for workload in workload_items:
            for queue in (self.queued_tasks, self.queued_callbacks, self.queued_connection_tests):
                queue.pop(workload.key, None)
        self._backlog.extend(workload_items)
        self._hand_out()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if self._backlog and worker.workload is None and worker.process.is_alive():
                self._give(worker, self._backlog[0])

    def _give(self, worker: Worker, workload: Any) -> None:
        try:
            worker.pipe.send(workload)
        except OSError:
            return  # it has just died; another one will be given the work
        self._backlog.popleft()
        worker.workload = workload
        if workload.running_state is not None:
            self.event_buffer[workload.key] = (workload.running_state, None)

    def _hear(self, worker: Worker) -> None:
        try:
            if worker.pipe.poll():
                fault = worker.pipe.recv()
                self._finish(worker, fault)
        except (EOFError, OSError):
            return  # it died without an answer

    def _finish(self, worker: Worker, fault: str | None) -> None:
        workload, worker.workload = worker.workload, None
        if workload is not None:
            state = workload.success_state if fault is None else workload.failure_state
            self.change_state(workload.key, state, fault)

    def _bury(self, worker: Worker) -> None:
        worker.process.join()
        self.log.warning("Worker %s has ended with status %s.", worker.process.pid, worker.process.exitcode)
        self._workers.remove(worker)
        worker.pipe.close()
        self._finish(worker, f"Its worker process {worker.process.pid} was killed.")

    def _let_go_of_dead_schedulers(self) -> None:
        """Tell Airflow which schedulers are dead, so that their tasks are started again.

        By itself it finds that out only when a scheduler's heartbeat has been missing for long.
        """
        for job in self._notes.take_dead() if self._notes else ():
            self.log.warning("The scheduler of job %s has died.", job)
            with create_session() as session:
                dead = update(Job).where(Job.id == int(job), Job.state == JobState.RUNNING)
                session.execute(dead.values(state=JobState.FAILED))

    def _kill(self, workers: Iterable[Worker]) -> None:
        for worker in workers:
            self.log.warning("Worker %s is killed with what it works on.", worker.process.pid)
            worker.process.kill()

    def _start_workers(self) -> None:
        if len(self._workers) == self.parallelism:
            return
        # As in Airflow's own: what is frozen is not copied by the collector of each child.
        gc.freeze()
        try:
            while len(self._workers) < self.parallelism:
                self._workers.append(self._start_worker())
        finally:
            gc.unfreeze()

    def _start_worker(self) -> Worker:
        ours, theirs = multiprocessing.Pipe()
        # A forked child inherits our ends of all pipes. It must close them, or nobody would see us end.
        inherited = [ours, *(worker.pipe for worker in self._workers)] if self.is_mp_using_fork else []
        arguments = (theirs, inherited, os.getpid(), self.run, self.conf)
        process = multiprocessing.Process(target=_work, args=arguments)
        process.start()
        theirs.close()
        return Worker(process, ours)


def _work(pipe: Connection, inherited: Sequence[Connection], scheduler: int, run: Run, conf: Any) -> None:
    """The life of a worker: one workload after the other."""
    for other in inherited:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(scheduler)
    worker = os.getpid()
    os.register_at_fork(after_in_child=lambda: _end_with_worker(worker))
    while True:
        setproctitle(f"{TITLE} <idle>")
        try:
            workload = pipe.recv()
        except EOFError:
            return
        if workload is None:
            return
        pipe.send(run(workload, conf))


def _end_with_worker(worker: int) -> None:
    """In a task's process: let it end with its worker, since it could tell nobody how it ended. Not in its children."""
    if os.getppid() == worker:
        end_with_parent(worker)
