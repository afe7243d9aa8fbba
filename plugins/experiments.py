"""Experiments: the names under which runs are gathered. They come into being with their first run, or by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from airloom.errors import InvalidName, NotFound
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.creation import create_once
from airloom.plugins.db.models import NAME_LENGTH, ExperimentRow, WorkspaceRow


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


def check_experiment_name(name: str) -> None:
    """Any printable name will do: the DAG id is made of it, not the name itself."""
    if not name.strip() or len(name) > NAME_LENGTH or not name.isprintable() or "/" in name:
        raise InvalidName(
            f"{name[:80]!r} cannot be the name of an experiment.",
            hint=f"Use 1 to {NAME_LENGTH} printable characters without '/'.",
            target=name[:80],
        )


def _get(session: Session, workspace_id: int, name: str) -> ExperimentRow | None:
    query = select(ExperimentRow).where(ExperimentRow.workspace_id == workspace_id, ExperimentRow.name == name)
    return session.scalar(query)
