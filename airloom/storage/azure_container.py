"""The blobs of a datastore: one container, reached through both libraries, with one way to tell what went wrong.

Neither library tries anything again by itself. Here each request is, so that it is for all the same reasons, and so
that of a transfer which breaks off only the piece on the way is repeated.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from azure.storage.blob import BlobClient, ContainerClient

from airloom.errors import InvalidName, NotFound
from airloom.storage.azure_access import AzureAccess, connection_access
from airloom.storage.azure_account import environment_access
from airloom.storage.azure_errors import Place, Transient, meaning, sas_expiry, told_of, unreachable
from airloom.storage.azure_pages import Blob, list_blobs
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.secrets import Secrets

if TYPE_CHECKING:
    from obstore.store import AzureStore

FOLDER = "hdi_isfolder"
"""Metadata of a blob that stands for a folder, as Data Lake accounts and other tools write it."""

PAUSES = (0.1, 0.3, 1.0, 3.0, 8.0, 15.0)
"""Seconds before a request is sent again, and again. Half of each is left to chance, so that rivals spread."""

_LONGEST_NAME = 1024
_STATUS = re.compile(r"status code: (\d+)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_Answer = TypeVar("_Answer")


class AzureContainer:
    """The container in which a datastore lies. Keys are paths on the datastore; names of blobs have its prefix too."""

    def __init__(self, config: AzureBlobConfig, secrets: Secrets, pauses: tuple[float, ...] = PAUSES) -> None:
        self.config = config
        self.access = _access(config, secrets)
        self.stem = f"{config.prefix}/" if config.prefix else ""
        self.place = _place(config, self.access)
        self.pauses = pauses

    @property
    def client(self) -> ContainerClient:
        """The client of azure-storage-blob, which this process has once."""
        return self.access.container(self.config.container, retries=0)

    @property
    def objects(self) -> AzureStore | None:
        """The container for obstore; None in a process in which obstore cannot work."""
        return self.access.objects(self.config.container, retries=0)

    def blob(self, key: str) -> BlobClient:
        """A client for one blob."""
        return self.client.get_blob_client(self.stem + key)

    def ask(self, key: str, request: Callable[[], _Answer]) -> _Answer:
        """Send a request, which may be sent again; errors are Airloom's.

        A condition that fails may have been met by a request whose answer was lost. That is for the caller to find out.
        """
        for pause in self.pauses:
            try:
                with self._told(key):
                    return request()
            except Transient:
                time.sleep(random.uniform(pause / 2, pause))
        with self._told(key):
            return request()

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Turn the errors of both libraries into Airloom's."""
        from obstore import exceptions

        try:
            with told_of(self.place, key):
                yield
        except (exceptions.BaseError, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and error.errno is not None:
                raise  # the file system's, and not obstore's
            raise self._meaning(key, error) from None

    def _meaning(self, key: str, error: Exception) -> Exception:
        status, code = _STATUS.search(str(error)), _CODE.search(str(error))
        if status is None:
            return unreachable(self.place, "the connection broke")
        number = status.group(1)
        word = code.group(1) if code else "ConditionNotMet" if number == "412" else "no reason given"
        return meaning(self.place, key, word, absent=number == "404", refused=number in ("401", "403"), status=number)

    def find(self, key: str) -> Blob | None:
        """What the service says of a blob; None if there is none."""
        try:
            return Blob.of(self.ask(key, self.blob(key).get_blob_properties))
        except NotFound:
            return None

    def blobs(self, prefix: str) -> Iterator[Blob]:
        """The blobs whose keys begin with these characters, in the order of the service."""
        return list_blobs(self.client, self.stem + prefix, lambda request: self.ask(prefix, request))

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
        self.ask(key, lambda: self.blob(key).upload_blob(b"", overwrite=True, metadata={FOLDER: "true"}))

    def delete(self, key: str, **condition: Any) -> None:
        """Remove a blob; no error if there is none."""
        try:
            self.ask(key, lambda: self.blob(key).delete_blob(delete_snapshots="include", **condition))
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
