"""The supervisor: starts Airflow's components, keeps them running, and ends every one of them."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable

import airloom
from airloom.embedded import database, processes
from airloom.embedded.components import Managed, components, last_lines, start_airflow
from airloom.embedded.health import API_SERVER, SCHEDULER, healthy_components, warm_up
from airloom.embedded.home import USERNAME, Home, ensure_password, write_json
from airloom.embedded.profile import write_profile
from airloom.embedded.scheduler_notes import SchedulerNotes
from airloom.embedded.state import Phase, ServerState, write_state
from airloom.errors import AirloomError

log = logging.getLogger(__name__)

START_SECONDS = 180.0
START_ATTEMPTS = 3
GRACE_SECONDS = 8.0
MIGRATION = "migration"


class Stopped(Exception):
    """The supervisor was asked to stop while it was starting."""


class Supervisor:
    """Runs one home's server until it is told to stop. The caller holds the home's lock."""

    def __init__(
        self, home: Home, port: int, report: Callable[[ServerState], None] | None = None, schedulers: int = 1
    ) -> None:
        self._home = home
        self._report = report or (lambda state: None)
        self._stopping = False
        self._published = ""
        self._warm: subprocess.Popen[bytes] | None = None
        self._managed = {component.name: Managed(component) for component in components(schedulers)}
        self._state = ServerState(
            pid=os.getpid(),
            port=port,
            version=airloom.__version__,
            airflow_version=database.airflow_version(),
            components={name: managed.state for name, managed in self._managed.items()},
        )

    def stop(self) -> None:
        """Ask `run` to end everything and return. A mere flag, since signal handlers may not take locks."""
        self._stopping = True

    def run(self) -> None:
        """Start, supervise until stopped, end everything. Raises AirloomError if the start fails."""
        phase: Phase = "stopped"
        message = ""
        try:
            self._prepare()
            self._start()
            self._watch()
        except Stopped:
            pass
        except Exception as error:
            phase, message = "failed", str(error)
            raise
        finally:
            self._shut_down()
            self._publish(phase, message)

    # --- start --------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._publish("starting")
        ensure_password(self._home)
        write_profile(self._home, self._state.port)
        if database.needs_migration(self._home):
            self._migrate()

    def _migrate(self) -> None:
        self._publish("starting", "preparing the database")
        process = start_airflow(self._home, MIGRATION, database.ARGUMENTS)
        while process.poll() is None:
            self._pause(0.05)
        if process.returncode != 0:
            raise self._failure(f"`airflow db migrate` ended with status {process.returncode}", MIGRATION)
        database.note_migrated(self._home)

    def _start(self) -> None:
        for managed in self._managed.values():
            if not managed.component.late:
                managed.start(self._home)
        deadline = time.monotonic() + START_SECONDS
        while missing := self._missing():
            self._publish("starting", f"waiting for {', '.join(missing)}")
            self._pause(0.1)
            self._revive()
            self._give_up_if_hopeless(missing, deadline)
            self._check_health()
        self._state.seconds_to_ready = round(time.time() - self._state.started_at, 2)
        self._write_config()
        self._publish("ready")
        log.info("ready at %s after %s s", self._state.url, self._state.seconds_to_ready)

    def _missing(self) -> list[str]:
        return [name for name, one in self._managed.items() if not (one.state.healthy or one.component.late)]

    def _give_up_if_hopeless(self, missing: list[str], deadline: float) -> None:
        for name in missing:
            if self._managed[name].failures >= START_ATTEMPTS:
                raise self._failure(f"The {name} ended {START_ATTEMPTS} times in a row", name)
        if time.monotonic() > deadline:
            raise self._failure(f"The {missing[0]} gave no sign of life within {START_SECONDS:.0f} s", missing[0])

    def _failure(self, what: str, component: str) -> AirloomError:
        log_file = self._home.log(component)
        return AirloomError(
            f"{what}. The end of its log:\n{last_lines(log_file)}",
            hint=f"\nThe whole log is {log_file}.",
            target=component,
        )

    def _write_config(self) -> None:
        settings = {
            "endpoint": self._state.url,
            "username": USERNAME,
            "password_file": str(self._home.passwords.relative_to(self._home.path)),
        }
        names = {"subscription_id": "airloom", "resource_group": "local", "workspace_name": "default"}
        write_json(self._home.config_json, {**names, "airloom": settings}, mode=0o644)

    # --- supervision --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        next_check = 0.0
        while True:
            self._pause(0.25)
            self._warm_up()
            changed = self._revive()
            if time.monotonic() > next_check:
                changed |= self._check_health()
                next_check = time.monotonic() + 1.0
            if changed:
                self._publish("ready")

    def _warm_up(self) -> None:
        api_server = self._managed[API_SERVER]
        if api_server.state.healthy and api_server.process is not self._warm:
            self._warm = api_server.process
            warm_up(self._state.port)

    def _revive(self) -> bool:
        """Start again what has died and is due, and what starts late; says whether anything changed."""
        changed = False
        for name, managed in self._managed.items():
            if managed.has_died():
                status = managed.process.returncode if managed.process else None
                log.warning("the %s ended with status %s; it will be started again", name, status)
                self._clear_remains(name)
                managed.plan_restart()
                changed = True
            elif managed.is_due() and (self._state.phase == "ready" or managed.failures):
                managed.start(self._home)
                changed = True
        return changed

    def _clear_remains(self, component: str) -> None:
        """End what a dead component has left.

        The tasks of a dead scheduler would run beside their own second attempts. They are killed together with the
        workers that watch them: told to end, they would count as failed, and their run with them, whereas a task that
        is silent is started again by the next scheduler.
        """
        for title in processes.kill(lambda: processes.belonging_to(self._home, component)):
            log.info("ended a remainder of the %s: %s", component, title)
        SchedulerNotes(self._home.schedulers).mark_dead(component)

    def _check_health(self) -> bool:
        """Ask after those not known to be well; says whether any of them is by now."""
        waiting = {name: one for name, one in self._managed.items() if one.process and not one.state.healthy}
        well = healthy_components(self._state.port, {name: one.started_at for name, one in waiting.items()})
        up = [name for name in well if self._has_workers(waiting[name])]
        for name in up:
            waiting[name].state.healthy = True
        return bool(up)

    @staticmethod
    def _has_workers(managed: Managed) -> bool:
        """True unless it is a scheduler that has not begun: of several, all would count as well when one is."""
        process = managed.process
        is_scheduler = managed.component.name.startswith(SCHEDULER)
        return not is_scheduler or (process is not None and bool(processes.workers_of(process.pid)))

    # --- end ----------------------------------------------------------------------------------------------------

    def _shut_down(self) -> None:
        self._publish("stopping")
        for title in processes.end_server(self._home, API_SERVER, GRACE_SECONDS):
            log.info("ended %s", title)
        for managed in self._managed.values():
            managed.state.pid = None
            managed.state.healthy = False

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        if self._stopping:
            raise Stopped

    def _publish(self, phase: Phase, message: str = "") -> None:
        self._state.phase = phase
        self._state.message = message
        content = self._state.model_dump_json()
        if content != self._published:
            self._published = content
            write_state(self._home, self._state)
            self._report(self._state)
