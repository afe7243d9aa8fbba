"""Bytes of a source, from anywhere in a file: what a piece of a transfer is read by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from airloom.errors import IntegrityError
from airloom.storage.datastore_config import AzureBlobConfig
from airloom.storage.datastores import DatastoreHandle, FileInfo


def read_piece(source: DatastoreHandle, info: FileInfo, start: int, end: int) -> bytes:
    """Some bytes of a file as it was listed. IntegrityError if it no longer has them."""
    data = _read(source, info, start, end)
    if len(data) != end - start:
        raise IntegrityError(
            f"The file {info.path!r} of the datastore {source.config.name!r} ended after {start + len(data)} bytes, "
            f"and not after {info.size}: it was changed while it was read.",
            hint="Run the step again once nothing writes there.",
            target=info.path,
        )
    return data


def _read(source: DatastoreHandle, info: FileInfo, start: int, end: int) -> bytes:
    if isinstance(source.config, AzureBlobConfig):
        from airloom.storage.azure_bytes import read_range
        from airloom.storage.azure_datastore import AzureBlobDatastore

        if isinstance(source, AzureBlobDatastore):
            return bytes(read_range(source.container, info, start, end))
    path = source.local_path(info.path)
    if path is not None:
        with _opened(path) as descriptor:
            return _pread(descriptor, start, end)
    with source.open_read(info.path) as stream:
        if stream.seekable():
            stream.seek(start)
        else:
            _skip(stream, start)
        return stream.read(end - start)


@contextmanager
def _opened(path: os.PathLike[str]) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pread(descriptor: int, start: int, end: int) -> bytes:
    """Bytes of an open file; fewer at its end. One call reads at most 2 GB."""
    parts = []
    while start < end and (data := os.pread(descriptor, end - start, start)):
        parts.append(data)
        start += len(data)
    return b"".join(parts)


def _skip(stream: object, count: int) -> None:
    read = getattr(stream, "read")  # noqa: B009
    while count and (data := read(min(count, 1 << 20))):
        count -= len(data)
