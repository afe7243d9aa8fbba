"""Airflow's connections, in which the secrets of datastores are kept: encrypted with Airflow's own key."""

from __future__ import annotations

import json

from airflow.models.connection import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from airloom.errors import NotFound
from airloom.storage.secrets import Connection


class AirflowSecrets:
    """Connections where Airflow's configuration says: a secrets backend, the environment, or Airflow's database."""

    def connection(self, conn_id: str) -> Connection:
        """The connection of this id. NotFound if there is none."""
        try:
            return _parts(AirflowConnection.get_connection_from_secrets(conn_id))
        except AirflowNotFoundException:
            raise NotFound(
                f"Airflow has no connection {conn_id!r}.",
                hint="Make it in Airflow (Admin, Connections), or register the datastore again with its credentials.",
                target=conn_id,
            ) from None


def has_connection(session: Session, conn_id: str) -> bool:
    """True if Airflow's database has a connection of this id."""
    return session.scalar(select(AirflowConnection.id).where(AirflowConnection.conn_id == conn_id)) is not None


def put_connection(session: Session, conn_id: str, kind: str, parts: Connection, description: str) -> None:
    """Make a connection within the caller's transaction, in place of one of this id.

    What was there goes first: Airflow's own setter keeps a password for which it is given none.
    """
    delete_connection(session, conn_id)
    made = AirflowConnection(
        conn_id=conn_id,
        conn_type=kind,
        description=description,
        host=parts.host or None,
        login=parts.login or None,
        password=parts.password or None,
        schema=parts.schema or None,
        port=parts.port,
        extra=json.dumps(dict(parts.extra)) if parts.extra else None,
    )
    session.add(made)
    session.flush()


def delete_connection(session: Session, conn_id: str) -> None:
    """Remove a connection within the caller's transaction, if it is there."""
    session.execute(delete(AirflowConnection).where(AirflowConnection.conn_id == conn_id))


def _parts(found: AirflowConnection) -> Connection:
    return Connection(
        login=found.login or "",
        password=found.password or "",
        host=found.host or "",
        port=found.port,
        schema=found.schema or "",
        extra=found.extra_dejson,
    )
