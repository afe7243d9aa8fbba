"""Where a store in Azure Blob Storage lies, with which credentials it is opened, and what its refusals mean.

An address says where and nothing else, as it is written into definitions and logs. Secrets come from the environment.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobServiceClient, ContainerClient, ExponentialRetry

from airloom.errors import InvalidName, NotFound, StoreUnavailable
from airloom.storage.paths import validate_relative

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT = "AZURE_STORAGE_ACCOUNT"
KEY = "AZURE_STORAGE_KEY"
SAS = "AZURE_STORAGE_SAS_TOKEN"
RETRIES = 4
BLOCK = 8 * 1024 * 1024
"""How many bytes travel in one request."""

_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER_NAME = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")


@dataclass(frozen=True)
class AzureAddress:
    """The place `azure://ACCOUNT/CONTAINER/prefix`."""

    account: str
    container: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"azure://{self.account}/{self.container}" + (f"/{self.prefix}" if self.prefix else "")

    @classmethod
    def parse(cls, address: str) -> AzureAddress:
        """The place that an address names. Raises InvalidName, which never repeats a secret."""
        parts = urlsplit(address)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise InvalidName(
                "The address of a store may hold no credentials, as it is stored and logged.",
                hint=f"Write azure://ACCOUNT/CONTAINER/prefix, and put the secret into {KEY}, {SAS} or "
                f"{CONNECTION_STRING}.",
                target="store",
            )
        container, _, prefix = unquote(parts.path).lstrip("/").partition("/")
        if not _ACCOUNT_NAME.fullmatch(parts.netloc) or not _CONTAINER_NAME.fullmatch(container):
            raise InvalidName(
                f"The store address {address!r} names no account and container of Azure Blob Storage.",
                hint="Write azure://ACCOUNT/CONTAINER or azure://ACCOUNT/CONTAINER/prefix.",
                target=address,
            )
        return cls(parts.netloc, container, validate_relative(prefix))


def open_container(address: AzureAddress, retries: int = RETRIES) -> ContainerClient:
    """A client for the container, with the credentials of the environment. Nothing is asked of the service yet.

    A process has one client for all that name the same container with the same credentials, as a client keeps the
    connections; it is not handed down to a forked child.
    """
    secrets = tuple(os.environ.get(name, "") for name in (CONNECTION_STRING, ACCOUNT, KEY, SAS))
    return _client(address.account, address.container, secrets, retries, os.getpid())


@functools.lru_cache(maxsize=16)
def _client(account: str, container: str, secrets: tuple[str, ...], retries: int, _pid: int) -> ContainerClient:
    connection_string, named_account, key, sas = secrets
    options: dict[str, Any] = {
        "retry_policy": ExponentialRetry(
            initial_backoff=0, increment_base=2, retry_total=retries, random_jitter_range=1
        ),
        "connection_timeout": 10,
        "read_timeout": 60,
        "max_single_get_size": BLOCK,
        "max_single_put_size": BLOCK,
    }
    if connection_string:
        return _from_connection_string(account, connection_string, options).get_container_client(container)
    if named_account and named_account != account:
        raise _other_account(ACCOUNT, named_account, account)
    credential = key or sas.lstrip("?") or _identity(account)
    service = BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=credential, **options)
    return service.get_container_client(container)


def _from_connection_string(account: str, connection_string: str, options: dict[str, Any]) -> BlobServiceClient:
    try:
        service = BlobServiceClient.from_connection_string(connection_string, **options)
    except (ValueError, AzureError):
        raise StoreUnavailable(
            f"{CONNECTION_STRING} is not a connection string of a storage account.",
            hint="Copy it anew: `az storage account show-connection-string` prints it.",
            target=CONNECTION_STRING,
        ) from None
    if service.account_name != account:
        raise _other_account(CONNECTION_STRING, str(service.account_name), account)
    return service


def _other_account(variable: str, found: str, wanted: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{variable} is for the account {found!r}, but the store lies in the account {wanted!r}.",
        hint=f"Set the credentials of {wanted!r}, or correct the address of the store.",
        target=variable,
    )


def _identity(account: str) -> Any:
    """The identity of this machine or user, if the package that finds it is installed."""
    try:
        from azure.identity import DefaultAzureCredential
    except ModuleNotFoundError:
        raise StoreUnavailable(
            f"There are no credentials for the storage account {account!r}.",
            hint=f"Set {KEY}, {SAS} or {CONNECTION_STRING}; or, to use the identity of the machine, "
            "pip install azure-identity.",
            target=account,
        ) from None
    return DefaultAzureCredential()


# --- what refusals mean -----------------------------------------------------------------------------------------


class ConditionFailed(Exception):
    """The blob is not as a conditional request wants it: it is there already, or has changed."""


class BlocksLost(Exception):
    """Blocks that were staged are gone, because another writer of the same blob came first."""


_OUTCOMES: dict[str, type[Exception]] = {
    "BlobAlreadyExists": ConditionFailed,
    "ConditionNotMet": ConditionFailed,
    "InvalidBlockList": BlocksLost,
}


@contextmanager
def told(address: AzureAddress, key: str = "") -> Iterator[None]:
    """Turn the service's errors into Airloom's. Their own text is left out: it may show the signature of a SAS."""
    try:
        yield
    except HttpResponseError as error:
        raise _answered(address, key, error, _code(error)) from None
    except AzureError as error:
        raise _unavailable(
            address,
            f"it cannot be reached ({_reason(error)})",
            "Check the name of the account and the network, then try again.",
        ) from None


def _answered(address: AzureAddress, key: str, error: HttpResponseError, code: str) -> Exception:
    if code in _OUTCOMES:
        return _OUTCOMES[code]()
    if code == "ContainerNotFound":
        return _unavailable(
            address,
            f"the account {address.account!r} has no container {address.container!r}",
            f"Make it (az storage container create --account-name {address.account} --name {address.container}) "
            "or correct the address of the store.",
        )
    if isinstance(error, ResourceNotFoundError):
        return NotFound(f"The store {address} has no object {key!r}.", target=key)
    if isinstance(error, ClientAuthenticationError) or error.status_code in (401, 403):
        return _refused(address, code)
    return _unavailable(address, f"the service answers {error.status_code} ({code})", "Try again later.")


def _refused(address: AzureAddress, code: str) -> StoreUnavailable:
    expiry = _sas_expiry()
    if expiry is not None and expiry < datetime.now(UTC):
        return _unavailable(address, f"the SAS expired at {expiry.isoformat()} ({code})", f"Renew {SAS}.")
    return _unavailable(
        address,
        f"it refuses the credentials ({code})",
        f"Check {KEY}, {SAS} or {CONNECTION_STRING}, and the rights they give: to read, write, delete and list.",
    )


def _sas_expiry() -> datetime | None:
    """When the SAS in use ends, if one is in use. The service does not tell, least of all in answers without body."""
    sas = os.environ.get(CONNECTION_STRING) or ("" if os.environ.get(KEY) else os.environ.get(SAS, ""))
    found = re.search(r"[?&;=]se=([^&;]+)", f"?{sas}")
    if found is None:
        return None
    try:
        expiry = datetime.fromisoformat(unquote(found.group(1)))
    except ValueError:
        return None
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)


def _unavailable(address: AzureAddress, cause: str, hint: str) -> StoreUnavailable:
    return StoreUnavailable(f"The store {address} cannot be used: {cause}.", hint=hint, target=str(address))


def _code(error: HttpResponseError) -> str:
    """The service's own word for what was wrong."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or type(error).__name__)


def _reason(error: BaseException) -> str:
    """The innermost cause in the operating system's words; never the text of the request."""
    reason = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            reason = cause.strerror
        inner = (*cause.args, getattr(cause, "reason", None), getattr(cause, "inner_exception", None))
        nested = next((part for part in inner if isinstance(part, BaseException)), None)
        cause = nested or cause.__cause__ or cause.__context__
    return reason
