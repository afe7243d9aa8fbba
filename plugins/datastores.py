"""Datastores: a row of ours, a connection of Airflow with the secrets, and a file in the store for the workers.

Row and connection are written in one transaction. Workers have no database, so they find the configuration, which
holds no secret, in the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from airloom.errors import AlreadyExists, NotFound
from airloom.plugins.airflow_gateway import Session, delete_connection, has_connection, put_connection
from airloom.plugins.creation import create_once, lock
from airloom.plugins.datastore_checks import check_reachable
from airloom.plugins.datastore_places import check_without_credentials, config_of_request, default_config
from airloom.plugins.db.models import DatastoreRow, WorkspaceRow
from airloom.plugins.errors import Conflict
from airloom.plugins.settings import Settings
from airloom.storage.credentials import (
    EXISTING,
    Credentials,
    connection_of,
    connection_type,
    credential_type,
)
from airloom.storage.datastore_config import DatastoreConfig, LocalConfig, parse_config
from airloom.storage.secrets import Connection, GivenSecrets
from airloom.storage.workspace import WorkspaceStore

_OURS = ("credential_type", "properties")
"""What a row's `config` has beside the configuration itself."""


@dataclass(frozen=True)
class Registration:
    """What somebody asks for: `fields` are those of the configuration, `properties` are shown and mean nothing here."""

    name: str
    type: str = "local"
    fields: Mapping[str, Any] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False
    create_if_not_exists: bool = False
    skip_validation: bool = False


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


def config_of(row: DatastoreRow) -> DatastoreConfig:
    """The configuration in a row."""
    stored = {key: value for key, value in row.config.items() if key not in _OURS}
    return parse_config({"name": row.name, "type": row.type, **stored})


def connection_id(workspace: str, name: str) -> str:
    """The id of the connection that a datastore has to itself."""
    return f"{workspace}.{name}"


def register(
    session: Session, settings: Settings, workspace: WorkspaceRow, storage: WorkspaceStore, wanted: Registration
) -> DatastoreRow:
    """Register a datastore. AlreadyExists if there is one, unless it is to be overwritten.

    Whether it can be reached is found out first, while no lock is held.
    """
    if not wanted.overwrite and _get(session, workspace, wanted.name) is not None:
        raise _taken(workspace, wanted.name)
    entry = _entry(settings, workspace, storage, wanted)
    if not wanted.skip_validation:
        secrets = storage.secrets
        if entry.connection is not None and entry.conn_id is not None:
            secrets = GivenSecrets(entry.conn_id, entry.connection, secrets)
        check_reachable(entry.config, secrets, create=wanted.create_if_not_exists)
    row, made = create_once(
        lambda: _get(session, workspace, wanted.name),
        lambda own: _add(own, workspace, storage, entry),
        f"datastore {wanted.name!r}",
    )
    if made:
        return row
    if not wanted.overwrite:
        raise _taken(workspace, wanted.name)
    lock(session, row)
    _write(session, workspace, storage, row, entry)
    return row


def add_default(
    session: Session, settings: Settings, workspace: WorkspaceRow, storage: WorkspaceStore, name: str
) -> None:
    """Make the registration of a datastore in the deployment's own store, within the caller's transaction."""
    _add(session, workspace, storage, _Entry(default_config(settings, storage, name), "None", in_store=True))


@dataclass(frozen=True)
class _Entry:
    """What is to be written: `connection` holds the secrets of which the datastore's own connection is made.

    `in_store` tells a datastore whose place nobody has chosen.
    """

    config: DatastoreConfig
    credential_type: str
    connection: Connection | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    in_store: bool = False

    @property
    def conn_id(self) -> str | None:
        """The connection that holds the secrets; None if there are none."""
        return getattr(self.config, "connection", None)


def _entry(settings: Settings, workspace: WorkspaceRow, storage: WorkspaceStore, wanted: Registration) -> _Entry:
    config = config_of_request(settings, storage, name=wanted.name, kind=wanted.type, fields=wanted.fields)
    way = credential_type(wanted.type, wanted.credentials)
    parts = None
    if way == "None":
        check_without_credentials(settings, storage, config)
    elif way == EXISTING:
        config = config.model_copy(update={"connection": wanted.credentials.connection})
    else:
        parts = connection_of(config, wanted.credentials)
        config = config.model_copy(update={"connection": connection_id(workspace.name, wanted.name)})
    in_store = wanted.type == "local" and not wanted.fields
    return _Entry(config, way, parts, wanted.description, wanted.tags, wanted.properties, in_store)


def _add(session: Session, workspace: WorkspaceRow, storage: WorkspaceStore, entry: _Entry) -> None:
    """Make a registration that is not there yet, within the caller's transaction."""
    row = DatastoreRow(workspace_id=workspace.id, name=entry.config.name, type=entry.config.type)
    session.add(row)
    _write(session, workspace, storage, row, entry)


def _write(
    session: Session, workspace: WorkspaceRow, storage: WorkspaceStore, row: DatastoreRow, entry: _Entry
) -> None:
    """Fill in a row, and write the workers' file before the caller commits, never after."""
    way = entry.credential_type
    if way == EXISTING and _owns_connection(row) and entry.conn_id == connection_id(workspace.name, row.name):
        way = row.config["credential_type"]  # named again, it is still the datastore's own
    _write_connection(session, workspace, row, entry)
    row.type = entry.config.type
    stored = entry.config.model_dump(mode="json", exclude={"name", "type"})
    row.config = {**stored, "credential_type": way, "properties": dict(entry.properties)}
    row.description, row.tags = entry.description, dict(entry.tags)
    session.flush()  # of racing callers, all but one fail or wait before they could touch the file
    if entry.in_store and isinstance(entry.config, LocalConfig):
        Path(entry.config.root).mkdir(parents=True, exist_ok=True)  # a schedule may watch it before it is written to
    storage.put_datastore(entry.config)


def _write_connection(session: Session, workspace: WorkspaceRow, row: DatastoreRow, entry: _Entry) -> None:
    """Let the datastore's own connection hold what the new registration has of secrets; one of others stays."""
    own, owned = connection_id(workspace.name, entry.config.name), _owns_connection(row)
    if entry.connection is None:
        if owned and entry.conn_id != own:
            delete_connection(session, own)
        return
    if not owned and has_connection(session, own):
        raise AlreadyExists(
            f"Airflow has a connection {own!r}, which Airloom has not made.",
            hint="Remove it, or name it as the datastore's connection instead of giving credentials.",
            target=own,
        )
    put_connection(
        session,
        own,
        connection_type(entry.config),
        entry.connection,
        f"Credentials of the datastore {entry.config.name} in the workspace {workspace.name}. Made by Airloom.",
    )


def _owns_connection(row: DatastoreRow) -> bool:
    return (row.config or {}).get("credential_type", "None") not in ("None", EXISTING)


def unregister(session: Session, workspace: WorkspaceRow, storage: WorkspaceStore, name: str) -> None:
    """Forget a datastore and its secrets; its data stays. The workers' file goes only once the row is gone for good."""
    row = find(session, workspace, name)
    if workspace.default_datastore == name:
        raise Conflict(
            f"Datastore {name!r} is the default of workspace {workspace.name!r}.",
            hint="Make another one the default first.",
            target=name,
        )
    _forget_connection(session, workspace, row)
    session.delete(row)
    session.commit()
    storage.delete_datastore(name)


def forget_connections(session: Session, workspace: WorkspaceRow) -> None:
    """Remove the secrets of all datastores of a workspace that is being deleted."""
    for row in list_all(session, workspace):
        _forget_connection(session, workspace, row)


def _forget_connection(session: Session, workspace: WorkspaceRow, row: DatastoreRow) -> None:
    if _owns_connection(row):
        delete_connection(session, connection_id(workspace.name, row.name))


def _taken(workspace: WorkspaceRow, name: str) -> AlreadyExists:
    return AlreadyExists(
        f"Workspace {workspace.name!r} has a datastore {name!r} already.",
        hint="Pass overwrite to change it, or choose another name.",
        target=name,
    )


def _get(session: Session, workspace: WorkspaceRow, name: str) -> DatastoreRow | None:
    query = select(DatastoreRow).where(DatastoreRow.workspace_id == workspace.id, DatastoreRow.name == name)
    return session.scalar(query)
