"""Where a store in Azure Blob Storage lies, and with which credentials it is opened.

An address says where and nothing else, as it is written into definitions and logs. Secrets come from the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from azure.storage.blob import ContainerClient

from airloom.errors import InvalidName
from airloom.storage.azure_access import (
    BLOCK,
    RETRIES,
    AzureAccess,
    connection_string_access,
    other_account,
    public_endpoint,
)
from airloom.storage.azure_errors import BlocksLost, ConditionFailed, Place, sas_expiry, told_of
from airloom.storage.paths import validate_relative

__all__ = ["BLOCK", "RETRIES", "AzureAddress", "BlocksLost", "ConditionFailed", "open_container", "told"]

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT = "AZURE_STORAGE_ACCOUNT"
KEY = "AZURE_STORAGE_KEY"
SAS = "AZURE_STORAGE_SAS_TOKEN"
CREDENTIALS = f"{KEY}, {SAS} or {CONNECTION_STRING}"

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
                hint=f"Write azure://ACCOUNT/CONTAINER/prefix, and put the secret into {CREDENTIALS}.",
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


def environment_access(account: str, endpoint: str | None = None) -> AzureAccess:
    """The credentials of the environment, which are those of the deployment. Raises StoreUnavailable for others'."""
    if connection_string := os.environ.get(CONNECTION_STRING):
        return connection_string_access(connection_string, account, CONNECTION_STRING, endpoint)
    named = os.environ.get(ACCOUNT)
    if named and named != account:
        raise other_account(ACCOUNT, named, account)
    key, sas = os.environ.get(KEY, ""), os.environ.get(SAS, "")
    place = endpoint or public_endpoint(account)
    return AzureAccess(account, place, CREDENTIALS, key=key, sas="" if key else sas.lstrip("?"))


def open_container(address: AzureAddress, retries: int = RETRIES) -> ContainerClient:
    """A client for the container, with the credentials of the environment. Nothing is asked of the service yet."""
    return environment_access(address.account).container(address.container, retries)


@contextmanager
def told(address: AzureAddress, key: str = "") -> Iterator[None]:
    """Turn the service's errors into Airloom's, as errors of a store with the credentials of the environment."""
    with told_of(_place(address), key):
        yield


def _place(address: AzureAddress) -> Place:
    sas = os.environ.get(CONNECTION_STRING) or ("" if os.environ.get(KEY) else os.environ.get(SAS, ""))
    return Place(
        name=f"The store {address}",
        item="object",
        target=str(address),
        account=address.account,
        container=address.container,
        mend=CREDENTIALS,
        renew=SAS,
        expiry=sas_expiry(sas),
    )
