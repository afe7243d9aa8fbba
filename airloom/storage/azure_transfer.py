"""Bytes to and from one blob: whole, in blocks, and never a mixture of two versions.

Writers of one large blob stage their blocks side by side, and the first to commit discards the blocks of the others.
So the blocks of each writer have names of their own, and one who lost his blocks begins again.
"""

from __future__ import annotations

import io
import secrets
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, BlobClient, BlobProperties
from blake3 import blake3

from airloom.errors import StoreUnavailable
from airloom.storage.azure_account import BLOCK, AzureAddress, ConditionFailed, told
from airloom.storage.objects import check_source

WRITES = "airloom_writes"
"""Metadata of a blob: tokens of the writes that made it, the newest first."""

_REMEMBERED = 100  # of eight characters each; the service allows 8 KiB of metadata
_TRANSFERS = 4


class Replaced(StoreUnavailable):
    """A blob got other bytes while it was read, so that the rest cannot be read any more."""


def write_tokens(before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Metadata for a new write, on top of the writes that `before`, the metadata of the old version, tells of."""
    known = _tokens(before)
    return {WRITES: ",".join([secrets.token_urlsafe(6), *known[: _REMEMBERED - 1]])}


def holds_write(metadata: Mapping[str, str], write: Mapping[str, str]) -> bool:
    """True if a blob with this metadata is what a write made, or what updates have made of that since."""
    return _tokens(write)[0] in _tokens(metadata)


def _tokens(metadata: Mapping[str, str] | None) -> list[str]:
    return list(filter(None, (metadata or {}).get(WRITES, "").split(",")))


def unchanged(properties: BlobProperties) -> dict[str, Any]:
    """The condition that a blob still is the version with these properties."""
    return {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}


def upload(blob: BlobClient, source: BinaryIO, digest: str | None, **options: Any) -> None:
    """Make or replace a blob by what is left in `source`; with a `digest`, only if the bytes have it.

    The blob appears with the last request, which is sent when all bytes have been read and their digest is known.
    """
    hasher = blake3()
    block = source.read(BLOCK)
    if len(block) < BLOCK:
        check_source(str(getattr(source, "name", "")), hasher.update(block).hexdigest(), digest)
        blob.upload_blob(block, length=len(block), overwrite=True, validate_content=True, **options)
        return
    prefix = secrets.token_hex(8)
    blocks: list[BlobBlock] = []
    under_way: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(_TRANSFERS) as pool:
        while block:
            hasher.update(block)
            blocks.append(BlobBlock(f"{prefix}-{len(blocks):05d}"))
            stage = pool.submit(blob.stage_block, blocks[-1].id, block, length=len(block), validate_content=True)
            under_way.append(stage)
            if len(under_way) == _TRANSFERS:
                under_way.popleft().result()
            block = source.read(BLOCK)
        while under_way:
            under_way.popleft().result()
    check_source(str(getattr(source, "name", "")), hasher.hexdigest(), digest)
    blob.commit_block_list(blocks, **options)


class BlobStream(io.RawIOBase):
    """The bytes of one version of a blob, fetched as they are read. Raises Replaced if another takes its place."""

    def __init__(self, address: AzureAddress, key: str, blob: BlobClient) -> None:
        super().__init__()
        self._address, self._key, self._blob = address, key, blob
        with told(address, key):
            first = blob.download_blob(max_concurrency=1)
            self._here = memoryview(first.read(min(first.size, BLOCK)))
        self.properties: BlobProperties = first.properties
        self._size = first.size
        self._fetched = len(self._here)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill `target` as far as can be done with one request; 0 at the end."""
        if not self._here and self._fetched < self._size:
            self._here = memoryview(self._fetch())
        given = min(len(target), len(self._here))
        target[:given] = self._here[:given]
        self._here = self._here[given:]
        return given

    def readall(self) -> bytes:
        """All that is left."""
        parts = [bytes(self._here)]
        while self._fetched < self._size:
            parts.append(self._fetch())
        self._here = memoryview(b"")
        return b"".join(parts)

    def _fetch(self) -> bytes:
        length = min(BLOCK, self._size - self._fetched)
        while True:
            try:
                with told(self._address, self._key):
                    rest = self._blob.download_blob(
                        self._fetched, length, max_concurrency=1, **unchanged(self.properties)
                    )
                    data: bytes = rest.readall()
                self._fetched += len(data)
                return data
            except ConditionFailed:
                self._follow()

    def _follow(self) -> None:
        """Go on with the present version if only its metadata are new."""
        with told(self._address, self._key):
            found = self._blob.get_blob_properties()
        if not _tokens(found.metadata) or _tokens(found.metadata)[0] != next(
            iter(_tokens(self.properties.metadata)), ""
        ):
            raise Replaced(
                f"The object {self._key!r} of the store {self._address} was replaced while it was read.",
                hint="Read it again.",
                target=self._key,
            )
        self.properties = found
