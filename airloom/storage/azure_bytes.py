"""Bytes between blobs of a datastore and this machine: small ones in one request each, large ones in blocks.

Memory is bounded by what is under way: a thread holds one block at most, twice while a library copies it, and the
larger the files are, the fewer travel at a time.
"""

from __future__ import annotations

import io
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock
from blake3 import blake3

from airloom.errors import IntegrityError, NotFound
from airloom.storage.azure_access import BLOCK
from airloom.storage.azure_container import AzureContainer
from airloom.storage.azure_errors import ConditionFailed
from airloom.storage.azure_listing import DIGEST
from airloom.storage.azure_transfer import holds_write, write_tokens
from airloom.storage.datastores import Download, EachFile, FileInfo
from airloom.storage.durable import temporary_name

SMALL = 1024 * 1024
SMALL_TRANSFERS = 16
MEDIUM_TRANSFERS = 4
BLOCK_TRANSFERS = 8
BLOCK_FETCHES = 5  # obstore holds a block that arrives nearly three times

_Item = TypeVar("_Item")


def transfer_all(action: Callable[[_Item], object], items: Iterable[_Item], size: Callable[[_Item], int]) -> None:
    """Do it with all items: small ones side by side, and large ones, each of which is several requests, in turn."""
    small: list[_Item] = []
    medium: list[_Item] = []
    large: list[_Item] = []
    for item in items:
        (small if size(item) <= SMALL else medium if size(item) < BLOCK else large).append(item)
    side_by_side(action, small)
    side_by_side(action, medium, MEDIUM_TRANSFERS)
    side_by_side(action, large, 1)


def side_by_side(action: Callable[[_Item], object], items: Sequence[_Item], at_once: int = SMALL_TRANSFERS) -> None:
    """Do it with many items at a time. After the first error nothing new is begun, and it is raised."""
    if not items:
        return
    with ThreadPoolExecutor(min(at_once, len(items))) as pool:
        under_way = [pool.submit(action, item) for item in items]
        try:
            done, _ = wait(under_way, return_when=FIRST_EXCEPTION)
            for each in done:
                each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


# --- from blobs ---------------------------------------------------------------------------------------------------


def fetch_files(container: AzureContainer, files: Sequence[Download], each: EachFile) -> None:
    """Copy files to this machine; each is whole at its place, with the content that was listed, or not there.

    They are not forced to the disk: what a loss of power leaves of them must be checked.
    """
    for folder in {file.target.parent for file in files}:
        folder.mkdir(parents=True, exist_ok=True)

    def fetch(file: Download) -> None:
        (_fetch_small if file.info.size < BLOCK else _fetch_large)(container, file, each)

    transfer_all(fetch, files, lambda file: file.info.size)


def _fetch_small(container: AzureContainer, file: Download, each: EachFile) -> None:
    data = read_range(container, file.info, 0, file.info.size)
    _check(container, file.info, len(data), blake3(data).hexdigest())
    with _arriving(file.target) as target:
        target.write(data)
    each(file.info)


def _fetch_large(container: AzureContainer, file: Download, each: EachFile) -> None:
    hasher = blake3()
    under_way: deque[Future[Any]] = deque()
    starts = iter(range(0, file.info.size, BLOCK))
    with ThreadPoolExecutor(BLOCK_FETCHES) as pool, _arriving(file.target) as target:

        def begin() -> None:
            if (start := next(starts, None)) is not None:
                end = min(start + BLOCK, file.info.size)
                under_way.append(pool.submit(read_range, container, file.info, start, end))

        for _ in range(BLOCK_FETCHES):
            begin()
        while under_way:
            data = under_way.popleft().result()
            begin()
            hasher.update(data)
            target.write(data)
        _check(container, file.info, target.tell(), hasher.hexdigest())
    each(file.info)


class _arriving:
    """A file under a temporary name beside its own, which it gets when all went well."""

    def __init__(self, target: Path) -> None:
        self._target, self._temporary = target, target.with_name(temporary_name())

    def __enter__(self) -> BinaryIO:
        # Buffered, as a plain file may take a part of what it is given, with no error, when the disk becomes full.
        self._file = self._temporary.open("xb")
        return self._file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._temporary.replace(self._target)
        finally:
            self._temporary.unlink(missing_ok=True)


def read_range(container: AzureContainer, info: FileInfo, start: int, end: int) -> Any:
    """Some bytes of a file as it was listed. IntegrityError if it is another by now."""
    if start == end:
        return b""
    try:
        return container.ask(info.path, lambda: _get(container, info, start, end))
    except (ConditionFailed, NotFound):
        raise changed(container, info) from None


def _get(container: AzureContainer, info: FileInfo, start: int, end: int) -> Any:
    import obstore

    etag = f'"{info.etag}"'
    if (objects := container.objects) is not None:
        found = obstore.get(objects, container.stem + info.path, options={"range": (start, end), "if_match": etag})
        return found.bytes()
    blob = container.blob(info.path)
    return blob.download_blob(
        start, end - start, max_concurrency=1, etag=etag, match_condition=MatchConditions.IfNotModified
    ).readall()


def changed(container: AzureContainer, info: FileInfo) -> IntegrityError:
    """The error for a file that was replaced or removed after it was listed."""
    return IntegrityError(
        f"The file {info.path!r} of the datastore {container.config.name!r} was changed or removed while it was read.",
        hint="Read it again.",
        target=info.path,
    )


def _check(container: AzureContainer, info: FileInfo, size: int, digest: str) -> None:
    if size != info.size or info.digest not in (None, digest):
        raise IntegrityError(
            f"Of the file {info.path!r} of the datastore {container.config.name!r} arrived {size} bytes with the "
            f"digest {digest}, and not {info.size} with {info.digest or 'any'}.",
            hint="Try again; if it stays so, the file was damaged where it lies: write it anew.",
            target=info.path,
        )


class BlobReader(io.RawIOBase):
    """The bytes of one version of a file, a block at a time as they are read."""

    def __init__(self, container: AzureContainer, info: FileInfo) -> None:
        super().__init__()
        self._container, self._info = container, info
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go on from elsewhere."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._info.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._position

    def readinto(self, target: Any) -> int:
        """Fill `target` with one request; 0 at the end."""
        end = min(self._position + len(target), self._info.size)
        if self._position >= end:
            return 0
        data = read_range(self._container, self._info, self._position, end)
        target[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        """All that is left. (What this is derived from would ask for a few kilobytes at a time.)"""
        parts = []
        while (end := min(self._position + BLOCK, self._info.size)) > self._position:
            parts.append(bytes(read_range(self._container, self._info, self._position, end)))
            self._position = end
        return b"".join(parts)


# --- to blobs -----------------------------------------------------------------------------------------------------


def put_bytes(container: AzureContainer, key: str, data: bytes, digest: str) -> None:
    """Make or replace a file, in one request."""
    container.ask(key, lambda: _put(container, key, data, {DIGEST: digest}))


def _put(container: AzureContainer, key: str, data: bytes, metadata: dict[str, str]) -> None:
    import obstore

    if (objects := container.objects) is not None:
        obstore.put(objects, container.stem + key, data, attributes=metadata, use_multipart=False)
    else:
        container.blob(key).upload_blob(data, length=len(data), overwrite=True, metadata=metadata)


def read_block(stream: BinaryIO) -> bytes:
    """As much as travels in one request, or less at the end of the stream; a pipe may give less at a time."""
    data = stream.read(BLOCK)
    while 0 < len(data) < BLOCK and (more := stream.read(BLOCK - len(data))):
        data += more
    return data


class StagedBlob:
    """A file whose bytes are at the service, but which nobody sees until `commit`."""

    def __init__(self, container: AzureContainer, key: str) -> None:
        self.container, self.key = container, key
        self._blocks: list[BlobBlock] = []
        self._prefix = secrets.token_hex(8)
        self._tokens = write_tokens()
        self._hasher = blake3()
        self.size = 0

    @property
    def digest(self) -> str:
        """The digest of the bytes that were sent."""
        return self._hasher.hexdigest()

    def stage(self, source: BinaryIO, first: bytes) -> None:
        """Send the bytes that were read from a stream already, and what is left in it."""
        if len(first) < BLOCK:
            if first:  # the service takes no empty block
                self._send(*self._next(first))
            return
        under_way: deque[Future[Any]] = deque()
        block = first
        with ThreadPoolExecutor(BLOCK_TRANSFERS) as pool:
            while block:
                under_way.append(pool.submit(self._send, *self._next(block)))
                if len(under_way) == BLOCK_TRANSFERS:
                    under_way.popleft().result()
                block = read_block(source)
            while under_way:
                under_way.popleft().result()

    def _next(self, data: bytes) -> tuple[str, bytes]:
        """Count a block in; its name is no other writer's."""
        self._blocks.append(BlobBlock(f"{self._prefix}-{len(self._blocks):05d}"))
        self._hasher.update(data)
        self.size += len(data)
        return self._blocks[-1].id, data

    def _send(self, block_id: str, data: bytes) -> None:
        blob = self.container.blob(self.key)
        self.container.ask(self.key, lambda: blob.stage_block(block_id, data, length=len(data)))

    def commit(self, **condition: Any) -> None:
        """Make the file visible, in one request."""
        blob = self.container.blob(self.key)
        metadata = {DIGEST: self.digest, **self._tokens}
        self.container.ask(self.key, lambda: blob.commit_block_list(self._blocks, metadata=metadata, **condition))

    def is_committed(self) -> bool:
        """True if the file there is this one: the answer to a request that succeeded may have been lost."""
        found = self.container.find(self.key)
        return found is not None and holds_write(found.metadata, self._tokens)
