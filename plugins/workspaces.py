"""Workspaces. The one called `default` comes into being when it is first used; each has two datastores at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from airloom.errors import AlreadyExists, InvalidName, NotFound
from airloom.plugins import computes, datastores
from airloom.plugins.airflow_gateway import DAG_RUNS, AirflowSecrets, Session, delete_pool, open_session, retire_dag
from airloom.plugins.creation import create_once
from airloom.plugins.db.models import RunRow, WorkspaceRow
from airloom.plugins.db.published import ScheduleRow
from airloom.plugins.errors import Conflict
from airloom.plugins.settings import Settings
from airloom.storage.object_store import open_store
from airloom.storage.schedules import ScheduleStore, short_id
from airloom.storage.workspace import WorkspaceStore

DEFAULT_WORKSPACE = "default"
BLOB_DATASTORE = "workspaceblobstore"
FILE_DATASTORE = "workspacefilestore"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,32}")


def open_storage(settings: Settings, workspace: str) -> WorkspaceStore:
    """The part of the deployment's store that belongs to a workspace."""
    return WorkspaceStore(open_store(settings.store), workspace, secrets=AirflowSecrets())


def list_all(session: Session, settings: Settings) -> Sequence[WorkspaceRow]:
    """All workspaces, by name."""
    find(session, settings, DEFAULT_WORKSPACE)
    return session.scalars(select(WorkspaceRow).order_by(WorkspaceRow.name)).all()


def find(session: Session, settings: Settings, name: str) -> WorkspaceRow:
    """The workspace of this name. Raises NotFound."""
    row = _get(session, name)
    if row is None and name == DEFAULT_WORKSPACE:
        row = create(session, settings, name=DEFAULT_WORKSPACE, created_by="", exist_ok=True)
    if row is None:
        raise NotFound(
            f"There is no workspace {name!r}.", hint="Create it with Workspace.create, or check the name.", target=name
        )
    return row


def ensure_default(settings: Settings) -> None:
    """Make the default workspace unless it is there."""
    with open_session() as session:
        find(session, settings, DEFAULT_WORKSPACE)


def create(
    session: Session, settings: Settings, *, name: str, created_by: str, exist_ok: bool = False, **fields: Any
) -> WorkspaceRow:
    """Create a workspace and its datastores. AlreadyExists if there is one, unless `exist_ok`."""
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name[:80]!r} cannot be the name of a workspace.",
            hint="Use 2 to 33 letters, digits, '-' and '_', beginning with a letter or digit.",
            target=name[:80],
        )

    def make(own: Session) -> None:
        row = WorkspaceRow(name=name, default_datastore=BLOB_DATASTORE, created_by=created_by, **fields)
        own.add(row)
        own.flush()
        storage = open_storage(settings, name)
        for datastore in (BLOB_DATASTORE, FILE_DATASTORE):
            datastores.add_default(own, settings, row, storage, datastore)

    row, made = create_once(lambda: _get(session, name), make, f"workspace {name!r}")
    if not made and not exist_ok:
        raise AlreadyExists(
            f"There is a workspace {name!r} already.",
            hint="Use it (exist_ok=True) or choose another name.",
            target=name,
        )
    return row


def delete(session: Session, settings: Settings, row: WorkspaceRow) -> None:
    """Forget a workspace with all that belongs to it. Its files in the store stay, but for its schedules.

    These go first: should the server die before the rest is gone, they are written anew when it comes back.
    """
    live = session.scalar(
        select(RunRow.id)
        .join(DAG_RUNS, (DAG_RUNS.c.dag_id == RunRow.dag_id) & (DAG_RUNS.c.run_id == RunRow.airflow_run_id))
        .where(RunRow.workspace_id == row.id, DAG_RUNS.c.state.in_(("queued", "running")))
        .limit(1)
    )
    if live is not None:
        raise Conflict(
            f"Workspace {row.name!r} has a run that has not ended, {live}.", hint="Cancel it first.", target=row.name
        )
    documents = ScheduleStore(open_store(settings.store))
    for schedule in session.scalars(select(ScheduleRow).where(ScheduleRow.workspace_id == row.id)):
        documents.delete(short_id(schedule.id))
        retire_dag(session, schedule.dag_id)
    for pool in computes.pools(session, row).values():
        delete_pool(session, pool)
    datastores.forget_connections(session, row)
    session.delete(row)


def _get(session: Session, name: str) -> WorkspaceRow | None:
    return session.scalar(select(WorkspaceRow).where(WorkspaceRow.name == name))
