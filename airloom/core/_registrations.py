"""What `Datastore.register_*` asks of the server, from arguments in v1's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airloom.exceptions import UserErrorException

CLOUD = "core.windows.net"
NO_SUBSCRIPTION = "Airloom reaches an account by its name and credentials, not through a subscription."

Body = dict[str, Any]


def blob_endpoint(account: str, protocol: str | None, endpoint: str | None) -> str | None:
    """The address of an account's blob service; None for that of Azure's public cloud."""
    return _service_endpoint("blob", account, protocol, endpoint)


def file_endpoint(account: str, protocol: str | None, endpoint: str | None) -> str | None:
    """The address of an account's file service; None for that of Azure's public cloud."""
    return _service_endpoint("file", account, protocol, endpoint)


def _service_endpoint(service: str, account: str, protocol: str | None, endpoint: str | None) -> str | None:
    if endpoint and "://" in endpoint:
        return endpoint
    if (endpoint or CLOUD) == CLOUD and (protocol or "https") == "https":
        return None
    return f"{protocol or 'https'}://{account}.{service}.{endpoint or CLOUD}"


def sql_host(server_name: str, endpoint: str | None, default: str) -> str:
    """A server's whole name: that of the cloud is appended, unless the name has dots or the endpoint is empty."""
    if endpoint == "" or "." in server_name or server_name == "localhost":
        return server_name
    return f"{server_name}.{endpoint or default}"


def credentials(**given: Any) -> Body:
    """Those that were given."""
    return {name: value for name, value in given.items() if value}


def storage_credentials(
    account_key: str | None, sas_token: str | None, connection_string: str | None, connection: str | None
) -> Body:
    """At most one of the ways into a storage account. UserErrorException if there are two."""
    found = credentials(
        account_key=account_key, sas_token=sas_token, connection_string=connection_string, connection=connection
    )
    if len(found) > 1:
        raise UserErrorException(f"Give one of {', '.join(found)}: a datastore is opened in one way.")
    return found


def properties(**given: Any) -> dict[str, str]:
    """What is kept only to be shown again, as text."""
    return {name: str(value) for name, value in given.items() if value is not None}


def body(kind: str, name: str, place: Mapping[str, Any], **more: Any) -> Body:
    """The whole of a request; what was not given is left out."""
    everything = {"type": kind, "name": name, **place, **more}
    return {key: value for key, value in everything.items() if value is not None}
