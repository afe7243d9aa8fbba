"""Eight processes that use the server's own functions on one database at the same moment.

Run as a program with the server's environment; reads one JSON command per line, and answers each with a line that
begins with "answer". The processes are forked from it, so that Airflow is imported once; each has connections of its
own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

from airflow import settings as airflow_settings
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from sqlalchemy.exc import IntegrityError

from airloom.errors import AlreadyExists
from airloom.plugins import computes, datastores, experiments, submission, workspaces
from airloom.plugins.airflow_gateway import Session, create_run, open_session
from airloom.plugins.db.models import RunRow
from airloom.plugins.idempotency import Once
from airloom.plugins.settings import load_settings
from airloom.storage.credentials import Credentials
from tests.support.crew import Crew

Work = Callable[[Session, int], object]


def attempt(who: int, work: Work) -> str:
    """The outcome of one transaction: what was made, or the name of the one error that is documented."""
    try:
        with open_session() as session:
            return f"made {work(session, who)}"
    except AlreadyExists:
        return "AlreadyExists"


def create_workspaces(who: int, names: list[str], exist_ok: bool) -> Any:
    settings = load_settings()
    for name in names:
        yield (
            lambda session, who, name=name: (
                workspaces.create(session, settings, name=name, created_by=str(who), exist_ok=exist_ok).id
            )
        )


SQL_WITH_SECRETS: dict[str, Any] = {
    "type": "azure_postgre_sql",
    "fields": {"host": "db.example.com", "port": 5432, "database": "sales"},
    "credentials": Credentials.model_validate({"username": "me", "password": "secret"}),
}


def register_datastores(who: int, workspace: str, names: list[str]) -> Any:
    settings = load_settings()
    storage = workspaces.open_storage(settings, workspace)
    for name in names:
        yield (
            lambda session, who, name=name: (
                datastores.register(
                    session,
                    settings,
                    workspaces.find(session, settings, workspace),
                    storage,
                    datastores.Registration(name, description=str(who), **SQL_WITH_SECRETS),
                ).id
            )
        )


def create_computes(who: int, workspace: str, names: list[str], exist_ok: bool) -> Any:
    settings = load_settings()
    for name in names:
        yield (
            lambda session, who, name=name: (
                computes.create(
                    session,
                    workspaces.find(session, settings, workspace),
                    exist_ok=exist_ok,
                    name=name,
                    type="local",
                    provisioning={"max_nodes": who + 1},
                ).id
            )
        )


def resize_compute(who: int, workspace: str, name: str, rounds: int) -> Any:
    """Even numbers change one size, odd ones another."""
    settings = load_settings()

    def resize(session: Session, who: int, number: int) -> None:
        row = computes.find(session, workspaces.find(session, settings, workspace), name)
        computes.resize(session, row, {"min_nodes" if who % 2 else "max_nodes": number + 1 + 100 * (1 - who % 2)})

    for number in range(rounds):
        yield lambda session, who, number=number: resize(session, who, number)


def ensure_experiments(who: int, workspace: str, names: list[str]) -> Any:
    settings = load_settings()
    for name in names:
        yield (
            lambda session, who, name=name: (
                experiments.ensure(session, workspaces.find(session, settings, workspace).id, name).id
            )
        )


def register_runs(who: int, workspace: str, names: list[str], dag_id: str) -> Any:
    """A new run each, in an experiment that all of them are the first to use."""
    settings = load_settings()
    user = SimpleAuthManagerUser(username=f"user-{who}", role="admin")

    def register(session: Session, who: int, name: str) -> str:
        workspace_id = workspaces.find(session, settings, workspace).id
        asked = submission.RunRequest(experiment=name, tags={"who": str(who)})
        return submission._register(submission._Run(user, workspace_id, dag_id, asked, {}, Once()))

    for name in names:
        yield lambda session, who, name=name: register(session, who, name)


def register_same_run(who: int, workspace: str, run_ids: list[str], dag_id: str) -> Any:
    """The same run each: our row and Airflow's run in one transaction, as a submission writes them."""
    settings = load_settings()

    def register(session: Session, who: int, run_id: str) -> str:
        workspace_id = workspaces.find(session, settings, workspace).id
        experiment = experiments.ensure(session, workspace_id, "same").id
        row = RunRow(
            id=run_id, workspace_id=workspace_id, experiment_id=experiment, dag_id=dag_id, definition="0" * 16,
            airflow_run_id=run_id,
            reuse="auto", created_by=str(who),
        )  # fmt: skip
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise AlreadyExists("This id is taken.") from None
        create_run(session, dag_id, run_id, {}, str(who))
        return run_id

    for run_id in run_ids:
        yield lambda session, who, run_id=run_id: register(session, who, run_id)


def race(who: int, barrier: Barrier, role: str, arguments: list[Any]) -> list[str]:
    """The whole work of one process: one attempt after another, each begun by all at once."""
    outcomes = []
    for work in globals()[role](who, *arguments):
        barrier.wait(60)
        outcomes.append(attempt(who, work))
    return outcomes


def connect_anew() -> None:
    """A forked process must not use the connections of its parent."""
    airflow_settings.dispose_orm(do_log=False)
    airflow_settings.configure_orm()


if __name__ == "__main__":
    with Crew(int(sys.argv[1]), start_method="fork", prepare=connect_anew) as crew:
        for line in sys.stdin:
            name, given, environment = json.loads(line)
            before = dict(os.environ)
            os.environ.update(environment)
            try:
                answer = {"outcomes": crew.run(race, name, given)}
            except AssertionError as error:
                answer = {"error": str(error)}
            os.environ.clear()
            os.environ.update(before)
            os.write(1, f"answer {json.dumps(answer)}\n".encode())
