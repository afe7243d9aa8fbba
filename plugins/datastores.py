"""Datastores: a row of ours, and a file in the store by which workers find them without a database."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from airloom.errors import AlreadyExists, InvalidName, NotFound, UnsafePath
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.creation import create_once, lock
from airloom.plugins.db.models import DatastoreRow, WorkspaceRow
from airloom.plugins.errors import Conflict
from airloom.plugins.settings import Settings
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.paths import check_name, is_inside
from airloom.storage.workspace import WorkspaceStore


def list_all(session: Session, workspace: WorkspaceRow) -> Sequence[DatastoreRow]:
    """The datastores of a workspace, by name."""
    query = select(DatastoreRow).where(DatastoreRow.workspace_id == workspace.id).order_by(DatastoreRow.name)
    return session.scalars(query).all()


def names(session: Session, workspace: WorkspaceRow) -> list[str]:
    """The names of the datastores of a workspace."""
    return [row.name for row in list_all(session, workspace)]


def find(session: Session, workspace: WorkspaceRow, name: str) -> DatastoreRow:
    """The datastore of this name. Raises NotFound."""
    row = _get(session, workspace, name)
    if row is None:
        raise NotFound(
            f"Workspace {workspace.name!r} has no datastore {name!r}.",
            hint=f"It has: {', '.join(names(session, workspace))}.",
            target=name,
        )
    return row


def register(
    session: Session,
    settings: Settings,
    workspace: WorkspaceRow,
    storage: WorkspaceStore,
    *,
    name: str,
    root: str | None = None,
    overwrite: bool = False,
    **fields: Any,
) -> DatastoreRow:
    """Register a datastore of type local. AlreadyExists if there is one, unless `overwrite`."""
    row, made = create_once(
        lambda: _get(session, workspace, name),
        lambda own: add(own, settings, workspace, storage, name=name, root=root, **fields),
        f"datastore {name!r}",
    )
    if made:
        return row
    if not overwrite:
        raise AlreadyExists(
            f"Workspace {workspace.name!r} has a datastore {name!r} already.",
            hint="Pass overwrite to change it, or choose another name.",
            target=name,
        )
    lock(session, row)
    _write(session, settings, storage, row, root, fields)
    return row


def add(
    session: Session,
    settings: Settings,
    workspace: WorkspaceRow,
    storage: WorkspaceStore,
    *,
    name: str,
    root: str | None = None,
    **fields: Any,
) -> None:
    """Make a registration that is not there yet, within the caller's transaction."""
    row = DatastoreRow(workspace_id=workspace.id, name=check_name("datastore", name), type="local")
    session.add(row)
    _write(session, settings, storage, row, root, fields)


def _write(
    session: Session,
    settings: Settings,
    storage: WorkspaceStore,
    row: DatastoreRow,
    root: str | None,
    fields: Mapping[str, Any],
) -> None:
    """Fill in a row, and write the workers' file before the caller commits, never after."""
    folder = _allowed_root(settings, storage, root) if root else _default_root(settings, storage, row.name)
    row.config = {"root": str(folder)}
    for field, value in fields.items():
        setattr(row, field, value)
    session.flush()  # of racing callers, all but one fail or wait before they could touch the file
    if not root:
        folder.mkdir(parents=True, exist_ok=True)  # a schedule may watch it before anything was written to it
    storage.put_datastore(LocalConfig(name=row.name, type="local", root=str(folder)))


def unregister(session: Session, workspace: WorkspaceRow, storage: WorkspaceStore, name: str) -> None:
    """Forget a datastore; its data stays. The workers' file goes only once the row is gone for good."""
    row = find(session, workspace, name)
    if workspace.default_datastore == name:
        raise Conflict(
            f"Datastore {name!r} is the default of workspace {workspace.name!r}.",
            hint="Make another one the default first.",
            target=name,
        )
    session.delete(row)
    session.commit()
    storage.delete_datastore(name)


def _allowed_root(settings: Settings, storage: WorkspaceStore, root: str) -> Path:
    """The folder, if administrators let it be given away. Whoever may use a datastore reads all that lies in it."""
    path = os.path.realpath(root)
    allowed = (_default_root(settings, storage, "any").parent, *settings.local_roots)
    if os.path.isabs(root) and any(is_inside(path, os.path.realpath(folder)) for folder in allowed):
        return Path(path)
    raise UnsafePath(
        f"A datastore may not have the root {root!r}.",
        hint="Allowed are absolute folders below local_roots in section [airloom] of airflow.cfg.",
        target="root",
    )


def _default_root(settings: Settings, storage: WorkspaceStore, name: str) -> Path:
    """The folder of a datastore for which none is given: in the store, or below data_root if that is elsewhere."""
    if settings.data_root is None or storage.store.local_path("any") is not None:
        return storage.default_datastore_root(name)
    if not settings.data_root.is_absolute():
        raise InvalidName(
            f"The setting data_root is {str(settings.data_root)!r}, which is not absolute.",
            hint="Set data_root in section [airloom] of airflow.cfg to an absolute folder.",
            target="data_root",
        )
    return settings.data_root / storage.workspace / check_name("datastore", name)


def _get(session: Session, workspace: WorkspaceRow, name: str) -> DatastoreRow | None:
    query = select(DatastoreRow).where(DatastoreRow.workspace_id == workspace.id, DatastoreRow.name == name)
    return session.scalar(query)
