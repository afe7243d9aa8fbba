"""What only a scheduler and workers would do, done by hand on the server's database.

Run as a program with the server's environment; reads one JSON command per line and answers each with a line.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import structlog
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.dag_processing.processor import DagFileParseRequest, _parse_file
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.errors import ParseImportError
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import ScheduleRow
from airloom.plugins.schedule_documents import reconcile
from airloom.plugins.settings import load_settings


def set_states(run_id: str, tasks: dict[str, str], run: str | None = None) -> None:
    """Put tasks, and the run if asked, into states."""
    with create_session() as session:
        for task in session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)):
            if task.task_id in tasks:
                task.set_state(tasks[task.task_id], session=session)
        if run is not None:
            dag_run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
            dag_run.set_state(run)  # type: ignore[arg-type]


def push(run_id: str, task_id: str, key: str, value: Any) -> None:
    """Leave an XCom as a task does through the task API: as JSON, not as text."""
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
        XComModel.set(key, value, dag_id=run.dag_id, task_id=task_id, run_id=run_id, serialize=False, session=session)


def leave_import_error(bundle: str, file: str, trace: str) -> None:
    """Say that a file of a bundle could not be imported, as the DAG processor does."""
    with create_session() as session:
        session.add(ParseImportError(bundle_name=bundle, filename=file, stacktrace=trace))


def use_bundle(name: str, active: bool) -> None:
    """Say that a bundle is in use or not, as a DAG processor does when it starts."""
    with create_session() as session:
        session.get_one(DagBundleModel, name).active = active


def make_stale(dag_id: str) -> None:
    """Say that a DAG is no more, as the DAG processor does when its file no longer has it."""
    with create_session() as session:
        session.get_one(DagModel, dag_id).is_stale = True


def parse(bundle: str, file: str, times: int) -> None:
    """Parse a file of a bundle and write what it holds, as often as asked, as the DAG processor does."""
    configured = DagBundlesManager().get_bundle(bundle)
    request = DagFileParseRequest(
        file=str(configured.path / file), bundle_path=configured.path, bundle_name=bundle, callback_requests=[]
    )
    for _ in range(times):
        result = _parse_file(request, structlog.get_logger())
        assert result is not None and not result.import_errors
        with create_session() as session:
            update_dag_parsing_results_in_db(
                bundle, None, result.serialized_dags, {}, 0.1, set(), session, files_parsed={(bundle, file)}
            )


def delete_run(run_id: str) -> None:
    """Delete a run as a user of Airflow's UI may."""
    with create_session() as session:
        session.delete(session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one())


def change_schedule(schedule_id: str, status: str) -> None:
    """Change a schedule's row and nothing else, like a server that dies after its transaction."""
    with create_session() as session:
        session.get_one(ScheduleRow, schedule_id).status = status


def move_schedule(schedule_id: str, workspace: str) -> None:
    """Let a schedule belong to another workspace, which no route does."""
    with create_session() as session:
        home = session.scalars(select(WorkspaceRow).where(WorkspaceRow.name == workspace)).one()
        session.get_one(ScheduleRow, schedule_id).workspace_id = home.id


def mend_schedules() -> None:
    """What a server does when it starts."""
    reconcile(load_settings())


if __name__ == "__main__":
    for line in sys.stdin:
        name, arguments = json.loads(line)
        globals()[name](**arguments)
        sys.stdout.write("done\n")
        sys.stdout.flush()
