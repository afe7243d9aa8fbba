"""With which credentials an account of Azure Storage is opened, and the clients that they open.

Two libraries move the bytes: obstore where many requests are made, azure-storage-blob for all that obstore has no word
for (blocks, leases, copies, listings with metadata). Both are given the same credentials.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient, ContainerClient, ExponentialRetry

from airloom.errors import StoreUnavailable
from airloom.storage.secrets import Connection

if TYPE_CHECKING:
    from obstore.store import AzureStore

RETRIES = 4
BLOCK = 8 * 1024 * 1024
"""How many bytes travel in one request."""

_SCOPE = "https://storage.azure.com/.default"
_CLOUD = "core.windows.net"


@dataclass(frozen=True)
class AzureAccess:
    """An account, the address of its blob service, and at most one kind of credentials; none: the machine's identity.

    `source` says in words where the credentials are, for whoever has to mend them.
    """

    account: str
    endpoint: str
    source: str = ""
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)
    tenant: str = ""
    client: str = ""
    secret: str = field(default="", repr=False)

    def container(self, name: str, retries: int = RETRIES) -> ContainerClient:
        """A client of azure-storage-blob for a container. Nothing is asked of the service yet.

        A process has one client for all that name the same container with the same credentials, as a client keeps
        the connections; it is not handed down to a forked child.
        """
        return _container(self, name, retries, os.getpid())

    def objects(self, name: str, retries: int = RETRIES) -> AzureStore:
        """The same container for obstore."""
        return _objects(self, name, retries)

    def credential(self) -> Any:
        """What azure-storage-blob wants to be given."""
        if self.key:
            return AzureNamedKeyCredential(self.account, self.key)
        return self.sas or _identity(self.account, self.source, self.tenant, self.client, self.secret)


@functools.lru_cache(maxsize=32)
def _container(access: AzureAccess, name: str, retries: int, _pid: int) -> ContainerClient:
    service = BlobServiceClient(
        access.endpoint,
        credential=access.credential(),
        retry_policy=ExponentialRetry(initial_backoff=0, increment_base=2, retry_total=retries, random_jitter_range=1),
        connection_timeout=10,
        read_timeout=60,
        max_single_get_size=BLOCK,
        max_single_put_size=BLOCK,
    )
    return service.get_container_client(name)


@functools.lru_cache(maxsize=32)
def _objects(access: AzureAccess, name: str, retries: int) -> AzureStore:
    from obstore.store import AzureStore

    return AzureStore(
        name,
        account_name=access.account,
        endpoint=access.endpoint,
        client_options={
            "allow_http": access.endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=10),
            "timeout": timedelta(seconds=120),
            "pool_max_idle_per_host": "64",
        },
        retry_config={
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=120),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=8),
                "base": 2,
            },
        },
        credential_provider=_provider(access),
    )


def _provider(access: AzureAccess) -> Callable[[], Any]:
    """What obstore asks for credentials. Given as a function, so that it looks for no others in the environment."""
    if access.key:
        return lambda: {"access_key": access.key, "expires_at": None}
    if access.sas:
        return lambda: {"sas_token": access.sas, "expires_at": None}
    identity = access.credential()
    lock = threading.Lock()

    def token() -> Any:
        with lock:
            found = identity.get_token(_SCOPE)
        return {"token": found.token, "expires_at": datetime.fromtimestamp(found.expires_on, UTC)}

    return token


@functools.lru_cache(maxsize=32)
def _identity(account: str, source: str, tenant: str, client: str, secret: str) -> Any:
    """A service principal, a managed identity, or whatever identity the machine or its user has."""
    try:
        from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
    except ModuleNotFoundError:
        raise StoreUnavailable(
            f"There are no credentials for the storage account {account!r}.",
            hint=f"Set {source}; or, to use the identity of the machine, pip install azure-identity.",
            target=account,
        ) from None
    if secret:
        return ClientSecretCredential(tenant, client, secret)
    return ManagedIdentityCredential(client_id=client) if client else DefaultAzureCredential()


# --- where credentials come from ----------------------------------------------------------------------------------


def public_endpoint(account: str) -> str:
    """The address of an account's blob service in Azure's public cloud."""
    return f"https://{account}.blob.{_CLOUD}"


def connection_access(conn_id: str, connection: Connection, account: str, endpoint: str | None) -> AzureAccess:
    """The credentials in a connection, whose parts mean what they mean to Airflow's own connections to Blob Storage."""
    source = f"the connection {conn_id!r}"
    extra = {name.removeprefix("extra__wasb__"): value for name, value in connection.extra.items() if value}
    place = endpoint or public_endpoint(account)
    if "connection_string" in extra:
        return connection_string_access(str(extra["connection_string"]), account, source, endpoint)
    if key := extra.get("shared_access_key"):
        return AzureAccess(account, place, source, key=_key(str(key), source))
    if tenant := extra.get("tenant_id"):
        return AzureAccess(
            account, place, source, tenant=str(tenant), client=connection.login, secret=connection.password
        )
    if sas := extra.get("sas_token"):
        return AzureAccess(account, place, source, sas=str(sas).rpartition("?")[2])
    if connection.password:
        return AzureAccess(account, place, source, key=_key(connection.password, source))
    return AzureAccess(account, place, source, client=str(extra.get("managed_identity_client_id", "")))


def connection_string_access(text: str, account: str, source: str, endpoint: str | None = None) -> AzureAccess:
    """The credentials in a connection string. StoreUnavailable if it is none, or for another account."""
    parts = _parts_of(text, source)
    key, sas = parts.get("accountkey", ""), parts.get("sharedaccesssignature", "")
    found = parts.get("accountname") or _account_of(parts.get("blobendpoint", ""))
    if not found or not (key or sas):
        raise _no_connection_string(source)
    if found != account:
        raise other_account(source, found, account)
    protocol, suffix = parts.get("defaultendpointsprotocol", "https"), parts.get("endpointsuffix", _CLOUD)
    place = endpoint or parts.get("blobendpoint") or f"{protocol}://{account}.blob.{suffix}"
    return AzureAccess(account, place.rstrip("/"), source, key=_key(key, source) if key else "", sas=sas.lstrip("?"))


def _parts_of(text: str, source: str) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in text.strip().rstrip(";").split(";")]
    if not all(name and value for name, _, value in pairs):
        raise _no_connection_string(source)
    return {name.strip().lower(): value for name, _, value in pairs}


def _account_of(endpoint: str) -> str:
    """The account in `https://ACCOUNT.blob...` or, as emulators have it, in `http://HOST:PORT/ACCOUNT`."""
    host, _, path = endpoint.partition("://")[2].partition("/")
    return path.strip("/") or host.partition(".")[0]


def _key(key: str, source: str) -> str:
    """The key, if it is one: a broken one is told here, not by a library in the middle of a request."""
    import base64
    import binascii

    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise StoreUnavailable(
            f"The account key in {source} is not a key: it is not written in base64.",
            hint="Copy it anew: `az storage account keys list` prints it.",
            target=source,
        ) from None
    return key


def other_account(source: str, found: str, wanted: str) -> StoreUnavailable:
    """The error for credentials that open another account."""
    return StoreUnavailable(
        f"{source} is for the account {found!r}, but the store lies in the account {wanted!r}.",
        hint=f"Set the credentials of {wanted!r}, or correct the address of the store.",
        target=source,
    )


def _no_connection_string(source: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{source} is not a connection string of a storage account.",
        hint="Copy it anew: `az storage account show-connection-string` prints it.",
        target=source,
    )
