"""The upload of a source folder's files: frames of digest, length and content, one after the other.

A frame is 64 hexadecimal digits, the length as 8 bytes (big-endian), and as many bytes. Every file is verified
against its digest before the store has it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO

from airloom.errors import LimitExceeded
from airloom.plugins.errors import BadRequest
from airloom.plugins.settings import MIB, Settings
from airloom.storage.paths import check_digest
from airloom.storage.workspace import WorkspaceStore

DIGEST_LENGTH = 64
HEADER_LENGTH = DIGEST_LENGTH + 8
IN_MEMORY = MIB
"""Larger files wait on disk while they arrive."""
WRITERS = 8
"""Files written at once: each mostly waits for the disk to sync."""


def store_frames(body: BinaryIO, storage: WorkspaceStore, settings: Settings) -> tuple[int, int]:
    """Store all files of an upload; returns their number and bytes. What came before a bad frame stays stored."""
    files = size = 0
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="blobs") as pool:
        pending: set[Future[None]] = set()
        for digest, length, content in _frames(body, settings):
            files, size = files + 1, size + length
            pending.add(pool.submit(_store, storage, digest, content))
            if len(pending) >= 2 * WRITERS:
                pending = _settle(pending)
        while pending:
            pending = _settle(pending)
    return files, size


def _settle(pending: set[Future[None]]) -> set[Future[None]]:
    """Wait until something is done; an error in it ends the upload."""
    done, waiting = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return waiting


def _store(storage: WorkspaceStore, digest: str, content: bytes | Path) -> None:
    try:
        storage.put_blob(digest, content)
    finally:
        if isinstance(content, Path):
            content.unlink()


def _frames(body: BinaryIO, settings: Settings) -> Iterator[tuple[str, int, bytes | Path]]:
    count = 0
    while header := _exactly(body, HEADER_LENGTH, may_end=True):
        count += 1
        digest = check_digest(header[:DIGEST_LENGTH].decode("ascii", "replace"))
        length = int.from_bytes(header[DIGEST_LENGTH:], "big")
        _check_limits(settings, count, length, digest)
        yield digest, length, _exactly(body, length) if length <= IN_MEMORY else _to_disk(body, length)


def _check_limits(settings: Settings, count: int, length: int, digest: str) -> None:
    if count > settings.max_snapshot_files:
        raise LimitExceeded(
            f"An upload may hold {settings.max_snapshot_files} files.",
            hint="Upload the rest in another request, or raise max_snapshot_files in section [airloom].",
        )
    if length > settings.max_snapshot_file_mb * MIB:
        raise LimitExceeded(
            f"A file of {length} bytes is larger than {settings.max_snapshot_file_mb} MiB, the limit of a snapshot.",
            hint="Put data on a datastore, or raise max_snapshot_file_mb in section [airloom].",
            target=digest,
        )


def _exactly(body: BinaryIO, length: int, *, may_end: bool = False) -> bytes:
    data = body.read(length)
    if len(data) < length and not (may_end and not data):
        raise _truncated()
    return data


def _to_disk(body: BinaryIO, length: int) -> Path:
    with tempfile.NamedTemporaryFile(prefix="airloom-blob-", delete=False) as file:
        path = Path(file.name)
        try:
            while length:
                piece = body.read(min(length, MIB))
                if not piece:
                    raise _truncated()
                file.write(piece)
                length -= len(piece)
        except BaseException:
            path.unlink()
            raise
    return path


def _truncated() -> BadRequest:
    return BadRequest("The upload ends in the middle of a file.", hint="Send it again.")
