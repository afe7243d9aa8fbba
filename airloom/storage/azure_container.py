"""The blobs of a datastore: one container, reached through both libraries, with one way to tell what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.storage.blob import BlobClient, BlobProperties, ContainerClient

from airloom.errors import InvalidName, NotFound
from airloom.storage.azure_access import AzureAccess, connection_access
from airloom.storage.azure_account import environment_access
from airloom.storage.azure_errors import Place, meaning, sas_expiry, told_of, unavailable
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.secrets import Secrets

if TYPE_CHECKING:
    from obstore.store import AzureStore

_LONGEST_NAME = 1024
_ANSWER = re.compile(r"status code: (\d+)")
_CODE = re.compile(r"<Code>(\w+)</Code>")


class AzureContainer:
    """The container in which a datastore lies. Keys are paths on the datastore; names of blobs have its prefix too."""

    def __init__(self, config: AzureBlobConfig, secrets: Secrets) -> None:
        self.config = config
        self.access = _access(config, secrets)
        self.stem = f"{config.prefix}/" if config.prefix else ""
        self.place = _place(config, self.access)

    @property
    def client(self) -> ContainerClient:
        """The client of azure-storage-blob, which this process has once."""
        return self.access.container(self.config.container)

    @property
    def objects(self) -> AzureStore:
        """The container for obstore."""
        return self.access.objects(self.config.container)

    def blob(self, key: str) -> BlobClient:
        """A client for one blob."""
        return self.client.get_blob_client(self.stem + key)

    @contextmanager
    def told(self, key: str = "") -> Iterator[None]:
        """Turn the errors of both libraries into Airloom's."""
        from obstore import exceptions

        try:
            with told_of(self.place, key):
                yield
        except (exceptions.BaseError, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and error.errno is not None:
                raise  # the file system's, and not obstore's
            raise self._meaning(key, str(error)) from None

    def _meaning(self, key: str, text: str) -> Exception:
        status, code = _ANSWER.search(text), _CODE.search(text)
        if status is None:
            return unavailable(
                self.place,
                "it cannot be reached, or the connection breaks again and again",
                "Check the name of the account and the network, then try again.",
            )
        number = status.group(1)
        word = code.group(1) if code else "ConditionNotMet" if number == "412" else f"status {number}"
        return meaning(self.place, key, word, absent=number == "404", refused=number in ("401", "403"), status=number)

    def properties(self, key: str) -> BlobProperties | None:
        """What the service says of a blob; None if there is none."""
        try:
            with self.told(key):
                return self.blob(key).get_blob_properties()
        except NotFound:
            return None

    def blobs(self, prefix: str) -> Iterator[BlobProperties]:
        """The blobs whose keys begin with these characters, with metadata, in the order of the service."""
        with self.told(prefix):
            yield from self.client.list_blobs(name_starts_with=self.stem + prefix, include=["metadata"])

    def key(self, name: str) -> str:
        """The path on the datastore of a blob of this name."""
        return name.removeprefix(self.stem)

    def check(self, key: str) -> None:
        """InvalidName if no blob can have this key."""
        name = self.stem + key
        ends_badly = any(part.endswith(".") for part in name.split("/"))
        if "\\" in name or not name.isprintable() or len(name) > _LONGEST_NAME or ends_badly:
            raise InvalidName(
                f"{key[:300]!r} cannot be the name of a blob.",
                hint=f"Azure takes at most {_LONGEST_NAME} printable characters without backslash, and no part of a "
                "name may end with a dot.",
                target=key[:300],
            )

    def make_folder(self, key: str) -> None:
        """Make a blob that stands for an empty folder, which Data Lake accounts take for one."""
        with self.told(key):
            self.blob(key).upload_blob(b"", overwrite=True, metadata={"hdi_isfolder": "true"})

    def delete(self, key: str, **condition: Any) -> None:
        """Remove a blob; no error if there is none."""
        try:
            with self.told(key):
                self.blob(key).delete_blob(delete_snapshots="include", **condition)
        except NotFound:
            return


def _access(config: AzureBlobConfig, secrets: Secrets) -> AzureAccess:
    if config.connection is None:
        return environment_access(config.account, config.endpoint)
    return connection_access(config.connection, secrets.connection(config.connection), config.account, config.endpoint)


def _place(config: AzureBlobConfig, access: AzureAccess) -> Place:
    return Place(
        name=f"The datastore {config.name!r} ({config.place})",
        item="file",
        target=config.name,
        account=config.account,
        container=config.container,
        mend=access.source,
        renew=access.source,
        expiry=sas_expiry(access.sas) if access.sas else None,
    )
