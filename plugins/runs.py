"""Runs: found, listed and canceled. Their state is always Airflow's, read together with our rows in one query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from sqlalchemy import Select, select

from airloom.errors import NotFound
from airloom.execution.names import ROOT_TASK
from airloom.plugins.adoption import adopt
from airloom.plugins.airflow_gateway import DAG_RUNS, Session, cancel_run, failed_tasks
from airloom.plugins.api.schemas import RunStatus
from airloom.plugins.db.models import ExperimentRow, RunRow, WorkspaceRow, utc_now
from airloom.plugins.run_states import airflow_states, run_status

_Query: TypeAlias = "Select[RunRow, str | None, datetime | None, datetime | None]"
_JOINED: _Query = select(RunRow, DAG_RUNS.c.state, DAG_RUNS.c.start_date, DAG_RUNS.c.end_date).outerjoin(
    DAG_RUNS, (DAG_RUNS.c.dag_id == RunRow.dag_id) & (DAG_RUNS.c.run_id == RunRow.airflow_run_id)
)


@dataclass(frozen=True)
class RunView:
    """A run with what Airflow knows of it. `known` is False if it was deleted in Airflow."""

    row: RunRow
    status: RunStatus
    started_at: datetime | None
    ended_at: datetime | None
    known: bool
    failed: Sequence[str] = ()

    @property
    def error(self) -> tuple[str, str] | None:
        """Code and message of what went wrong, if the run failed."""
        if self.status != "Failed":
            return None
        if not self.known:
            return "RunDeleted", "Airflow no longer has this run: it was deleted there, or by `airflow db clean`."
        if ROOT_TASK in self.failed:
            return "PlanningFailed", "The run could not be planned. The log of its task 'reuse' in Airflow tells why."
        if self.failed:
            steps = ", ".join(repr(step) for step in self.failed)
            return "StepFailed", f"Failed: {steps}. The log of the step tells why."
        return "RunFailed", "The run failed before any step of it did. Its page in Airflow tells more."


def find_row(session: Session, workspace: WorkspaceRow, run_id: str) -> RunRow:
    """Our row of a run. Raises NotFound."""
    query = select(RunRow).where(RunRow.id == run_id, RunRow.workspace_id == workspace.id)
    row = session.scalar(query)
    if row is None:
        adopt(workspace.id)
        row = session.scalar(query)
    if row is None:
        raise _no_run(workspace, run_id)
    return row


def find(session: Session, workspace: WorkspaceRow, run_id: str) -> RunView:
    """A run with its state. Raises NotFound."""
    query = _JOINED.where(RunRow.id == run_id, RunRow.workspace_id == workspace.id)
    found = session.execute(query).first()
    if found is None:
        adopt(workspace.id)
        found = session.execute(query).first()
    if found is None:
        raise _no_run(workspace, run_id)
    return _with_errors(session, [_view(*found)])[0]


def list_some(
    session: Session,
    workspace: WorkspaceRow,
    *,
    experiment: str | None = None,
    status: RunStatus | None = None,
    pipeline_id: str | None = None,
    schedule_id: str | None = None,
    limit: int,
    may_read: Callable[[str], bool],
) -> list[RunView]:
    """The newest runs whose DAG the caller may read, at most `limit`; those that Airflow made by itself included."""
    adopt(workspace.id)
    query = _JOINED.where(RunRow.workspace_id == workspace.id).order_by(RunRow.created_at.desc(), RunRow.id)
    if experiment is not None:
        query = query.where(RunRow.experiment.has(ExperimentRow.name == experiment))
    if status is not None:
        query = _of_status(query, status)
    if pipeline_id is not None:
        query = query.where(RunRow.pipeline_id == pipeline_id)
    if schedule_id is not None:
        query = query.where(RunRow.schedule_id == schedule_id)
    return _with_errors(session, list(islice(_readable(session, query, may_read), limit)))


def cancel(session: Session, row: RunRow) -> None:
    """End a run. A run that has ended already stays as it is."""
    now = utc_now()
    if cancel_run(session, row.dag_id, row.airflow_run_id):
        row.cancel_requested_at = now


def _of_status(query: _Query, status: RunStatus) -> _Query:
    wanted = DAG_RUNS.c.state.in_(airflow_states(status))
    if status == "Canceled":
        return query.where(wanted | DAG_RUNS.c.state.is_(None), RunRow.cancel_requested_at.is_not(None))
    if status == "Failed":
        return query.where(wanted | DAG_RUNS.c.state.is_(None), RunRow.cancel_requested_at.is_(None))
    return query.where(wanted)


def _readable(session: Session, query: _Query, may_read: Callable[[str], bool]) -> Iterator[RunView]:
    """The runs of a query that the caller may read; no more are fetched than are asked for."""
    allowed: dict[str, bool] = {}
    for found in session.execute(query.execution_options(yield_per=100)):
        row, state, started_at, ended_at = found
        view = _view(row, state, started_at, ended_at)
        if view.row.dag_id not in allowed:
            allowed[view.row.dag_id] = may_read(view.row.dag_id)
        if allowed[view.row.dag_id]:
            yield view


def _view(row: RunRow, state: str | None, started_at: datetime | None, ended_at: datetime | None) -> RunView:
    status = run_status(state, row.cancel_requested_at)
    return RunView(row=row, status=status, started_at=started_at, ended_at=ended_at, known=state is not None)


def _with_errors(session: Session, views: list[RunView]) -> list[RunView]:
    """Say of the failed ones which steps failed: one query for all."""
    runs = [(view.row.dag_id, view.row.airflow_run_id) for view in views if view.status == "Failed" and view.known]
    failed = failed_tasks(session, runs)
    return [replace(view, failed=failed.get(view.row.airflow_run_id, ())) for view in views]


def _no_run(workspace: WorkspaceRow, run_id: str) -> NotFound:
    return NotFound(
        f"Workspace {workspace.name!r} has no run {run_id[:80]!r}.", hint="Check the run id.", target=run_id[:80]
    )
