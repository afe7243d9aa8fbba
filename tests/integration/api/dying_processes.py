"""Processes that use the server's own functions and kill themselves before a chosen one of their writes.

Run as a program with the server's environment; reads one JSON command per line, and answers each with a line that
begins with "answer". Each command is done by a fork, so that Airflow is imported once. A write is a statement that
changes the database, the commit of such statements, or an event by which Python tells that a file will be changed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from airflow import settings as airflow_settings
from airflow.api_fastapi.app import init_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from sqlalchemy import event
from sqlalchemy.engine import Engine

from airloom.plugins import datastores, publishing, schedule_documents, schedules, submission, workspaces
from airloom.plugins.airflow_gateway import open_session
from airloom.plugins.settings import load_settings
from airloom.storage.credentials import Credentials
from tests.integration.api.racing_processes import connect_anew
from tests.support.crashes import FILE_EVENTS

FAILED = 1
CHANGES = ("INSERT", "UPDATE", "DELETE")
USER = SimpleAuthManagerUser(username="user", role="user")


def publish(workspace: str, **fields: Any) -> str:
    return publishing.publish(load_settings(), USER, workspace, publishing.Publishing(**fields))


def start(workspace: str, pipeline_id: str, **fields: Any) -> str:
    settings = load_settings()
    with open_session() as session:
        target = publishing.find(session, workspaces.find(session, settings, workspace), pipeline_id)
    return submission.start(settings, USER, workspace, target, submission.RunRequest(**fields))


def schedule(workspace: str, **fields: Any) -> str:
    return schedules.create(load_settings(), USER, workspace, schedules.Scheduling(**fields))


def change_schedule(workspace: str, schedule_id: str, **changes: Any) -> None:
    schedules.change(load_settings(), USER, workspace, schedule_id, changes)


def register(workspace: str, credentials: dict[str, str], **fields: Any) -> None:
    settings = load_settings()
    wanted = datastores.Registration(credentials=Credentials.model_validate(credentials), **fields)
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        datastores.register(session, settings, row, workspaces.open_storage(settings, workspace), wanted)


def unregister(workspace: str, name: str) -> None:
    settings = load_settings()
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        datastores.unregister(session, row, workspaces.open_storage(settings, workspace), name)


def begin_serving() -> None:
    """What a server does about published pipelines and schedules when it starts."""
    publishing.mend_index(load_settings())
    schedule_documents.reconcile(load_settings())


class Death:
    """Kills this process at its `number`th write."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()
        event.listen(Engine, "before_cursor_execute", self._on_statement)
        event.listen(Engine, "commit", self._on_commit)
        sys.addaudithook(self._on_event)

    def _on_statement(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.lstrip().upper().startswith(CHANGES):
            connection.info["changed"] = True
            self._count()

    def _on_commit(self, connection: Any) -> None:
        if connection.info.pop("changed", False):
            self._count()

    def _on_event(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in FILE_EVENTS and not (name == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            self._count()

    def _count(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def be(command: Callable[..., object], arguments: dict[str, Any], dies_at: int | None) -> None:
    """Do a command in this process, which ends with it at the latest."""
    code = FAILED
    try:
        connect_anew()
        if dies_at is not None:
            Death(dies_at)
        command(**arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    init_auth_manager()
    airflow_settings.dispose_orm(do_log=False)
    for line in sys.stdin:
        name, given, dies_at = json.loads(line)
        pid = os.fork()
        if pid == 0:
            be(globals()[name], given, dies_at)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(1, f"answer {json.dumps(code)}\n".encode())
