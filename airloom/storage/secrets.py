"""Where the secrets of datastores come from: connections, by id.

A connection is what Airflow means by it. The server and the operators ask Airflow; a process without Airflow finds
them in the environment, under the names and in the two formats that Airflow itself reads there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from airloom.errors import NotFound, StoreUnavailable

PREFIX = "AIRFLOW_CONN_"


@dataclass(frozen=True)
class Connection:
    """The parts of a connection, of which any may be empty. Its secrets do not show when it is printed."""

    login: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int | None = None
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Secrets(Protocol):
    """Looks connections up."""

    def connection(self, conn_id: str) -> Connection:
        """The connection of this id. NotFound if there is none, StoreUnavailable if that is not sure."""


class GivenSecrets:
    """One connection that is at hand, such as one that is not made yet; all others are looked up."""

    def __init__(self, conn_id: str, connection: Connection, others: Secrets) -> None:
        self._conn_id = conn_id
        self._connection = connection
        self._others = others

    def connection(self, conn_id: str) -> Connection:
        """The connection of this id. NotFound if there is none."""
        return self._connection if conn_id == self._conn_id else self._others.connection(conn_id)


class EnvironmentSecrets:
    """Connections in AIRFLOW_CONN_<ID>, as JSON or as an address with the parameter `__extra__` or one for each."""

    def connection(self, conn_id: str) -> Connection:
        """The connection of this id. NotFound if there is none, StoreUnavailable if it cannot be read."""
        variable = PREFIX + conn_id.upper()
        text = os.environ.get(variable)
        if not text:
            raise NotFound(
                f"There is no connection {conn_id!r}.", hint=f"Make it in Airflow, or set {variable}.", target=conn_id
            )
        try:
            return _from_json(json.loads(text)) if text.lstrip().startswith("{") else _from_address(text)
        except (ValueError, TypeError, AttributeError):
            raise StoreUnavailable(
                f"{variable} holds no connection.", hint="Write it as Airflow does: as JSON, or as an address."
            ) from None


def _from_json(document: Mapping[str, Any]) -> Connection:
    extra = document.get("extra") or {}
    return Connection(
        login=str(document.get("login") or ""),
        password=str(document.get("password") or ""),
        host=str(document.get("host") or ""),
        port=int(document["port"]) if document.get("port") else None,
        schema=str(document.get("schema") or ""),
        extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
    )


def _from_address(address: str) -> Connection:
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Connection(
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        host=unquote(parts.hostname or ""),
        port=parts.port,
        schema=unquote(parts.path.removeprefix("/")),
        extra=json.loads(query["__extra__"]) if "__extra__" in query else query,
    )
