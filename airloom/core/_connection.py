"""From a configuration to a client of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airloom.core._config_file import Connection

if TYPE_CHECKING:
    from airloom.client import Client, Credentials
    from airloom.core.authentication import AbstractAuthentication


def open_client(connection: Connection, auth: AbstractAuthentication | None) -> Client:
    """A client of the server; signs in as `auth` says, else as the configuration does."""
    from airloom.client import Client

    return Client(connection.endpoint, ambient_credentials(connection) if auth is None else auth._bind(connection))


def ambient_credentials(connection: Connection) -> Credentials:
    """AIRLOOM_TOKEN, or the user of the configuration file."""
    from airloom.client import find_credentials

    return find_credentials(connection.username, connection.password_file)


def bearer_token(connection: Connection, credentials: Credentials) -> str:
    """A token for calls that the user makes without the SDK."""
    from airloom._transport import Transport

    transport = Transport(connection.endpoint, credentials)
    try:
        return credentials.token(transport._request_token)
    finally:
        transport.close()
