"""Datastores in a storage account of Azure: containers of blobs, and file shares."""

from __future__ import annotations

from urllib.parse import urlsplit

from airloom.data._service_principal import ServicePrincipalDatastore
from airloom.data.abstract_datastore import AbstractDatastore

DEFAULT_ENDPOINT = "core.windows.net"


class AbstractAzureStorageDatastore(AbstractDatastore):
    """What the kinds of storage in an account have in common.

    `account_key` and `sas_token` are always None: the server gives no secret out again.
    """

    _service = "blob"
    account_key: str | None = None
    sas_token: str | None = None

    @property
    def account_name(self) -> str:
        """The storage account."""
        return str(self._document["account"])

    @property
    def container_name(self) -> str:
        """The container, file system or share."""
        return str(self._document["container"])

    @property
    def protocol(self) -> str:
        """How the account is spoken to: https, or http to an emulator."""
        return urlsplit(self._document.get("endpoint") or "https:").scheme

    @property
    def endpoint(self) -> str:
        """The domain of the cloud, as v1 has it; for an account that is elsewhere, the whole address."""
        address = self._document.get("endpoint")
        if not address:
            return DEFAULT_ENDPOINT
        host, own = urlsplit(address).netloc, f"{self.account_name}.{self._service}."
        return host.removeprefix(own) if host.startswith(own) else str(address)

    @property
    def is_sas(self) -> bool:
        """True if it is opened with a shared access signature."""
        return self.credential_type == "Sas"

    @property
    def subscription_id(self) -> str | None:
        """What was given when it was registered; it means nothing here."""
        return self._property("subscription_id")

    @property
    def resource_group(self) -> str | None:
        """What was given when it was registered; it means nothing here."""
        return self._property("resource_group")


class AzureBlobDatastore(AbstractAzureStorageDatastore):
    """The blobs of a container, or those below a prefix."""

    v1_type = "AzureBlob"

    @property
    def prefix(self) -> str:
        """The folder of the container in which the datastore lies; empty if it is the whole container. New."""
        return str(self._document.get("prefix") or "")

    @property
    def blob_cache_timeout(self) -> int | None:
        """What was given when it was registered; nothing is mounted here, so it means nothing."""
        found = self._property("blob_cache_timeout")
        return int(found) if found is not None else None


class AzureFileDatastore(AbstractAzureStorageDatastore):
    """A share of Azure Files."""

    v1_type = "AzureFile"
    _service = "file"

    @property
    def container_name(self) -> str:
        """The share."""
        return str(self._document["share"])


class AzureDataLakeGen2Datastore(ServicePrincipalDatastore, AbstractAzureStorageDatastore):
    """A file system of an account with hierarchical names. `client_secret` is always None, as other secrets are."""

    v1_type = "AzureDataLakeGen2"

    @property
    def resource_url(self) -> str | None:
        """What was given when it was registered."""
        return self._property("resource_url")

    @property
    def authority_url(self) -> str | None:
        """What was given when it was registered."""
        return self._property("authority_url")
