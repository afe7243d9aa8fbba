"""The secrets of datastores, for what runs in a task or a trigger: Airflow's API server is asked for the connection."""

from __future__ import annotations

from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowNotFoundException

from airloom.errors import StoreUnavailable
from airloom.storage.secrets import Connection


class TaskSecrets:
    """Connections as Airflow has them, each asked for once. What Airflow gives out, it masks in the task's log."""

    def __init__(self) -> None:
        self._known: dict[str, Connection] = {}

    def connection(self, conn_id: str) -> Connection:
        """The connection of this id.

        StoreUnavailable, upon which Airflow tries again, if there is none: a server that did not answer looks the same.
        """
        if conn_id not in self._known:
            self._known[conn_id] = _connection(conn_id)
        return self._known[conn_id]


def _connection(conn_id: str) -> Connection:
    try:
        found = AirflowConnection.get(conn_id)
    except AirflowNotFoundException:
        raise StoreUnavailable(
            f"Airflow has no connection {conn_id!r}, or does not give it to this task.",
            hint="Register the datastore again, or make the connection in Airflow.",
            target=conn_id,
        ) from None
    return Connection(
        login=found.login or "",
        password=found.password or "",
        host=found.host or "",
        port=found.port,
        schema=found.schema or "",
        extra=found.extra_dejson,
    )
