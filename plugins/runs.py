"""Runs: found, listed, canceled, resumed. Their state is always Airflow's, read with our rows in one query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from sqlalchemy import ColumnElement, Select, select, update

from airloom.errors import NotFound
from airloom.execution.names import ROOT_TASK
from airloom.graph.model import PipelineGraph
from airloom.plugins.adoption import adopt, adopt_new
from airloom.plugins.airflow_gateway import DAG_RUNS, Session, cancel_run, failed_tasks, restart_run
from airloom.plugins.api.schemas import RunStatus
from airloom.plugins.db.models import ExperimentRow, RunRow, WorkspaceRow, utc_now
from airloom.plugins.errors import Conflict
from airloom.plugins.run_states import RunFacts, airflow_states, read_facts, run_status
from airloom.plugins.tags import Tag, conditions

_Query: TypeAlias = "Select[RunRow, str | None, datetime | None, datetime | None]"
_JOINED: _Query = select(RunRow, DAG_RUNS.c.state, DAG_RUNS.c.start_date, DAG_RUNS.c.end_date).outerjoin(
    DAG_RUNS, (DAG_RUNS.c.dag_id == RunRow.dag_id) & (DAG_RUNS.c.run_id == RunRow.airflow_run_id)
)


@dataclass(frozen=True)
class RunFilter:
    """Which runs are wanted; what is None does not matter. All of `tags` must be there."""

    experiment: str | None = None
    status: RunStatus | None = None
    pipeline_id: str | None = None
    schedule_id: str | None = None
    tags: Sequence[Tag] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """What our own rows must fulfil; the status is Airflow's."""
        found = conditions(self.tags, RunRow.tags)
        if self.experiment is not None:
            found.append(RunRow.experiment.has(ExperimentRow.name == self.experiment))
        if self.pipeline_id is not None:
            found.append(RunRow.pipeline_id == self.pipeline_id)
        if self.schedule_id is not None:
            found.append(RunRow.schedule_id == self.schedule_id)
        return found


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
        _let_go(session)
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
        _let_go(session)
        adopt(workspace.id)
        found = session.execute(query).first()
    if found is None:
        raise _no_run(workspace, run_id)
    return _with_errors(session, [_view(*found)])[0]


def list_some(
    session: Session,
    workspace: WorkspaceRow,
    *,
    wanted: RunFilter,
    limit: int,
    may_read: Callable[[str], bool],
) -> list[RunView]:
    """The newest runs that pass a filter and whose DAG the caller may read, at most `limit`.

    Those that Airflow made by itself are included.
    """
    _let_go(session)
    adopt_new(workspace.id)
    query = _JOINED.where(RunRow.workspace_id == workspace.id).order_by(RunRow.created_at.desc(), RunRow.id)
    query = query.where(*wanted.conditions())
    if wanted.status is not None:
        query = _of_status(query, wanted.status)
    readable = _readable(session, query, may_read)
    found = (view for view in readable if all(tag.among(view.row.tags) for tag in wanted.tags))
    return _with_errors(session, list(islice(found, limit)))


def _let_go(session: Session) -> None:
    """End what has only been read so far, and give the connection back before another session is opened.

    If many held one connection and waited for a second, all of them would wait until they fail.
    """
    session.commit()


def cancel(session: Session, row: RunRow) -> None:
    """End a run. A run that has ended already stays as it is."""
    now = utc_now()
    if cancel_run(session, row.dag_id, row.airflow_run_id):
        row.cancel_requested_at = now


def resume(session: Session, workspace: WorkspaceRow, run_id: str, graph: PipelineGraph) -> None:
    """Let a run that failed or was canceled go on: the steps without a result run, and what follows them.

    Raises Conflict if it cannot. Of several callers at a time one resumes it.
    """
    lock_row = update(RunRow).where(RunRow.id == run_id, RunRow.workspace_id == workspace.id)
    session.execute(lock_row.values(cancel_requested_at=RunRow.cancel_requested_at))
    run = find(session, workspace, run_id)
    if run.status not in ("Failed", "Canceled"):
        raise Conflict(
            f"The run {run_id} is {run.status}.", hint="Only a run that failed or was canceled resumes.", target=run_id
        )
    if not run.known:
        raise Conflict(
            f"Airflow no longer has the run {run_id}, so it cannot go on.", hint="Submit again.", target=run_id
        )
    row = run.row
    again = tasks_to_run_again(graph, read_facts(session, row.dag_id, row.airflow_run_id))
    if not again:
        raise Conflict(f"All steps of the run {run_id} have ended well: nothing is left to be done.", target=run_id)
    restart_run(session, row.dag_id, row.airflow_run_id, again)
    row.cancel_requested_at = None


def tasks_to_run_again(graph: PipelineGraph, facts: RunFacts) -> set[str]:
    """The tasks of a run that ended badly which have no result, and those that follow them.

    What follows a step may have ended well, if the step was cleared by hand since; it then decides anew whether it is
    unchanged. If the run was not even planned, that comes first.
    """
    root = facts.states.get(ROOT_TASK)
    if root is None or root.state != "success":
        return {ROOT_TASK, *(step.id for step in graph.steps)}
    again = {step.id for step in graph.steps if not facts.has_result(step.id)}
    while more := {step.id for step in graph.steps if again.intersection(step.upstream())} - again:
        again |= more
    return again


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
