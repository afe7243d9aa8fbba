"""The deployment's store: named immutable or replaceable objects, behind one small interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from airloom.errors import InvalidName, StoreUnavailable
from airloom.storage.freshness import ObjectInfo
from airloom.storage.local import LocalStore

__all__ = ["ObjectInfo", "ObjectStore", "open_store"]


class ObjectStore(Protocol):
    """Objects by key. A key is a relative path in normal form; a reader sees an object whole or not at all."""

    def get(self, key: str) -> bytes:
        """The object's bytes; NotFound if there is none."""

    def open_read(self, key: str) -> BinaryIO:
        """The object as a stream, to be closed by the caller; NotFound if there is none."""

    def put(self, key: str, data: bytes) -> None:
        """Make or replace an object."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Make an object unless there is one. Of any number of racing writers exactly one gets True."""

    def put_file(self, key: str, source: Path, *, digest: str | None = None) -> None:
        """Make or replace an object from a file. With `digest`, IntegrityError (and no object) if the bytes differ."""

    def update(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace an object by what `change` makes of it (None: there is none); no other write comes between.

        `change` may be called more than once, and must not use the store itself.
        """

    def exists(self, key: str) -> bool:
        """True if there is an object of exactly this key."""

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""

    def delete_exactly(self, key: str, data: bytes) -> bool:
        """Remove an object only if it has these bytes. False if it has others, or there is none."""

    def info(self, key: str) -> ObjectInfo | None:
        """Size and time of the last write or touch of an object; None if there is none."""

    def touch(self, key: str) -> bool:
        """Set the time of an object to now, which marks it as used; its bytes stay. False if there is none."""

    def delete_if_unused(self, key: str, before: datetime) -> bool:
        """Remove an object unless it was written or touched at or after this time. True if there is none any more.

        A touch is never lost: it either comes first and keeps the object, or finds that there is none.
        """

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with these characters, in sorted order."""

    def etag(self, key: str) -> str | None:
        """A short text that is another after each write of an object (perhaps also a touch); None if it is absent."""

    def local_path(self, key: str) -> Path | None:
        """Where the object lies, or would lie, on this machine's disk; None if the store is elsewhere."""


def open_store(address: str) -> ObjectStore:
    """The store at an address such as `file:///srv/airloom`. Nothing is read or made until the store is used."""
    scheme = urlsplit(address).scheme
    if scheme == "file":
        return _open_folder(address)
    if scheme == "azure":
        return _open_container(address)
    raise InvalidName(
        f"The store address {address!r} has an unknown scheme {scheme!r}.",
        hint="Use file:///srv/airloom for a folder, or azure://ACCOUNT/CONTAINER for Azure Blob Storage.",
        target=address,
    )


def _open_folder(address: str) -> ObjectStore:
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InvalidName(
            f"The store address {address!r} does not name an absolute folder of this machine.",
            hint="Write three slashes, for example file:///srv/airloom.",
            target=address,
        )
    return LocalStore(Path(unquote(parts.path)))


def _open_container(address: str) -> ObjectStore:
    try:
        from airloom.storage.azure_account import AzureAddress
        from airloom.storage.azure_blob import AzureBlobStore
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"A store in Azure Blob Storage needs the package azure-storage-blob ({error}).",
            hint="Install it: pip install 'airloom[azure]'",
            target=address,
        ) from None
    return AzureBlobStore(AzureAddress.parse(address))
