"""An object store in a container of Azure Blob Storage: one blob per object.

The answer of the service may be lost. The client library then sends the request again, and a conditional write meets
its own first attempt. So every write carries a token of its own in the metadata of the blob: a refused writer who finds
his token there has not lost. An update() keeps the tokens of the writes before it, so that he finds his also when
others have updated the blob since.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.storage.blob import BlobClient, BlobProperties

from airloom.errors import InvalidName, NotFound, StoreUnavailable
from airloom.storage.azure_account import (
    BLOCK,
    RETRIES,
    AzureAddress,
    BlocksLost,
    ConditionFailed,
    open_container,
    told,
)
from airloom.storage.azure_transfer import BlobStream, Replaced, holds_write, unchanged, upload, write_tokens
from airloom.storage.freshness import ObjectInfo
from airloom.storage.objects import check_key

_LONGEST_NAME = 1024
_PATIENCE_SECONDS = 60.0
_LONGEST_PAUSE = 1.0
_ABSENT = {"match_condition": MatchConditions.IfMissing}


class AzureBlobStore:
    """The blobs below a prefix of a container as an object store. Safe for many threads, processes and hosts."""

    def __init__(self, address: AzureAddress, *, retries: int = RETRIES) -> None:
        self.address = address
        self._retries = retries

    def __repr__(self) -> str:
        return f"AzureBlobStore({str(self.address)!r})"

    def get(self, key: str) -> bytes:
        """The object's bytes; NotFound if there is none."""
        return self._read(key)[0]

    def open_read(self, key: str) -> BinaryIO:
        """The object as a stream, to be closed by the caller; NotFound if there is none."""
        return io.BufferedReader(BlobStream(self.address, key, self._blob(key)), BLOCK)

    def put(self, key: str, data: bytes) -> None:
        """Make or replace an object."""
        self._write(key, io.BytesIO(data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Make an object unless there is one. Of any number of racing writers exactly one gets True."""
        return self._write(key, io.BytesIO(data), condition=_ABSENT)

    def put_file(self, key: str, source: Path, *, digest: str | None = None) -> None:
        """Make or replace an object from a file. With `digest`, IntegrityError (and no object) if the bytes differ."""
        with source.open("rb") as stream:
            self._write(key, stream, digest=digest)

    def update(self, key: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace an object by what `change` makes of it (None: there is none); no other write comes between.

        `change` may be called more than once, and must not use the store itself. Equal bytes are not written again.
        """
        patience = _Patience(self.address, key)
        while not self._updated(key, change):
            patience.wait()

    def _updated(self, key: str, change: Callable[[bytes | None], bytes]) -> bool:
        """One attempt of an update; False if another write came between."""
        try:
            old, found = self._read(key)
        except NotFound:
            return self._write(key, io.BytesIO(change(None)), condition=_ABSENT)
        new = change(old)
        return new == old or self._write(
            key, io.BytesIO(new), condition=unchanged(found), tokens=write_tokens(found.metadata)
        )

    def exists(self, key: str) -> bool:
        """True if there is an object of exactly this key."""
        return self._properties(key) is not None

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        try:
            self._delete(key)
        except NotFound:
            return

    def delete_exactly(self, key: str, data: bytes) -> bool:
        """Remove an object only if it has these bytes. False if it has others, or there is none."""
        patience = _Patience(self.address, key)
        while True:
            try:
                found, properties = self._read(key)
                if found != data:
                    return False
                self._delete(key, **unchanged(properties))
                return True
            except NotFound:
                return False
            except ConditionFailed:
                patience.wait()

    def info(self, key: str) -> ObjectInfo | None:
        """Size and time of the last write or touch of an object; None if there is none."""
        found = self._properties(key)
        return ObjectInfo(int(found.size), found.last_modified) if found is not None else None

    def touch(self, key: str) -> bool:
        """Set the time of an object to now, which marks it as used; its bytes stay. False if there is none."""
        patience = _Patience(self.address, key)
        while (found := self._properties(key)) is not None:
            try:
                with told(self.address, key):
                    self._blob(key).set_blob_metadata(found.metadata, **unchanged(found))
                return True
            except (ConditionFailed, NotFound):
                patience.wait()  # it has changed, or is gone
        return False

    def delete_if_unused(self, key: str, before: datetime) -> bool:
        """Remove an object unless it was written or touched at or after this time. True if there is none any more.

        A touch is never lost: it either comes first and keeps the object, or finds that there is none. The service
        knows times to the second, so what was used in the very second counts as used after it.
        """
        found = self._properties(key)
        if found is None:
            return True
        if found.last_modified >= before.replace(microsecond=0):
            return False
        try:
            self._delete(key, **unchanged(found))
        except (ConditionFailed, NotFound):
            return not self.exists(key)
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with these characters, in sorted order."""
        stem = f"{self.address.prefix}/" if self.address.prefix else ""
        with told(self.address):
            names = list(self._container().list_blob_names(name_starts_with=stem + prefix))
        return iter(sorted(name.removeprefix(stem) for name in names))

    def etag(self, key: str) -> str | None:
        """A short text that is another after each write of the object; None if there is no object."""
        found = self._properties(key)
        return str(found.etag).strip('"') if found is not None else None

    def local_path(self, key: str) -> Path | None:
        """None: no object lies on this machine's disk."""
        check_key(key)
        return None

    def _delete(self, key: str, **condition: Any) -> None:
        with told(self.address, key):
            self._blob(key).delete_blob(delete_snapshots="include", **condition)

    def _container(self) -> Any:
        return open_container(self.address, self._retries)

    def _blob(self, key: str) -> BlobClient:
        name = f"{self.address.prefix}/{check_key(key)}" if self.address.prefix else check_key(key)
        ends_badly = any(part.endswith(".") for part in key.split("/"))
        if "\\" in name or not name.isprintable() or len(name) > _LONGEST_NAME or ends_badly:
            raise InvalidName(
                f"{key[:300]!r} cannot be the name of a blob.",
                hint=f"Azure takes at most {_LONGEST_NAME} printable characters without backslash, and no part of a "
                "name may end with a dot.",
                target=key[:300],
            )
        client: BlobClient = self._container().get_blob_client(name)
        return client

    def _properties(self, key: str) -> BlobProperties | None:
        try:
            with told(self.address, key):
                return self._blob(key).get_blob_properties()
        except NotFound:
            return None

    def _read(self, key: str) -> tuple[bytes, BlobProperties]:
        """All bytes of one version of an object, and the properties of that version."""
        patience = _Patience(self.address, key)
        while True:
            stream = BlobStream(self.address, key, self._blob(key))
            try:
                return stream.readall(), stream.properties
            except Replaced:
                patience.wait()

    def _write(
        self,
        key: str,
        source: BinaryIO,
        *,
        digest: str | None = None,
        condition: Mapping[str, Any] | None = None,
        tokens: dict[str, str] | None = None,
    ) -> bool:
        """Write an object. False if the condition did not hold, unless because this very write had been done."""
        blob = self._blob(key)
        metadata = tokens or write_tokens()
        patience = _Patience(self.address, key)
        while True:
            source.seek(0)
            try:
                with told(self.address, key):
                    upload(blob, source, digest, metadata=metadata, **(condition or {}))
                return True
            except BlocksLost:
                patience.wait()
            except ConditionFailed:
                found = self._properties(key)
                if found is not None or condition is not _ABSENT:
                    return found is not None and holds_write(found.metadata, metadata)
                patience.wait()  # what was in the way is gone


class _Patience:
    """Growing pauses between attempts, of random length so that rivals do not meet again, for a minute at most."""

    def __init__(self, address: AzureAddress, key: str) -> None:
        self._target = f"{key!r} of the store {address}"
        self._until = time.monotonic() + _PATIENCE_SECONDS
        self._pause = 0.01

    def wait(self) -> None:
        """Pause. Raises StoreUnavailable when it has lasted too long."""
        if time.monotonic() > self._until:
            raise StoreUnavailable(
                f"Others have changed the object {self._target} without a break for a minute.", hint="Try again later."
            )
        time.sleep(random.uniform(0, self._pause))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
