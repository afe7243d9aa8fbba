"""Experiments: the names under which runs are gathered. They come into being with their first run, or by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from airloom.errors import NotFound
from airloom.plugins.airflow_gateway import Session, open_session, open_session_in_turn
from airloom.plugins.checking import check_name
from airloom.plugins.creation import create_once
from airloom.plugins.db.models import ExperimentRow, WorkspaceRow
from airloom.plugins.errors import Conflict


def list_all(session: Session, workspace: WorkspaceRow) -> Sequence[ExperimentRow]:
    """The experiments of a workspace, by name."""
    query = select(ExperimentRow).where(ExperimentRow.workspace_id == workspace.id).order_by(ExperimentRow.name)
    return session.scalars(query).all()


def find(session: Session, workspace: WorkspaceRow, name: str) -> ExperimentRow:
    """The experiment of this name. Raises NotFound."""
    row = _get(session, workspace.id, name)
    if row is None:
        raise NotFound(
            f"Workspace {workspace.name!r} has no experiment {name!r}.",
            hint="An experiment comes into being with its first run.",
            target=name,
        )
    return row


def ensure(session: Session, workspace_id: int, name: str, **fields: Any) -> ExperimentRow:
    """The experiment of this name, created if it is new."""
    check_experiment_name(name)
    row, _ = create_once(
        lambda: _get(session, workspace_id, name),
        lambda own: own.add(ExperimentRow(workspace_id=workspace_id, name=name, **fields)),
        f"experiment {name!r}",
    )
    return row


def id_of(workspace_id: int, name: str) -> int:
    """The id of the experiment of this name, created if it is new.

    It never holds two connections at a time: if many callers did, each might wait for the second of another.
    """
    found = _id(workspace_id, name)
    if found is None:
        try:
            with open_session_in_turn() as session:
                session.add(ExperimentRow(workspace_id=workspace_id, name=name))
        except IntegrityError:
            pass  # somebody else has made it at the same moment, or the workspace is no more
        found = _id(workspace_id, name)
    if found is None:
        raise Conflict(f"The experiment {name!r} cannot be created: its workspace was deleted at the same moment.")
    return found


def check_experiment_name(name: str) -> None:
    """Raises InvalidName."""
    check_name(name, "an experiment")


def _id(workspace_id: int, name: str) -> int | None:
    with open_session() as session:
        row = _get(session, workspace_id, name)
        return row.id if row is not None else None


def _get(session: Session, workspace_id: int, name: str) -> ExperimentRow | None:
    query = select(ExperimentRow).where(ExperimentRow.workspace_id == workspace_id, ExperimentRow.name == name)
    return session.scalar(query)
