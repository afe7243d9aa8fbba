"""Bytes from a service: whole files to this machine, and streams. Only the version that was listed is ever read."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from blake3 import blake3

from airloom.errors import IntegrityError
from airloom.storage.datastores import Download, EachFile
from airloom.storage.durable import new_file
from airloom.storage.file_digests import digest_file
from airloom.storage.remote_files import PIECE, RemoteFile, RemoteFiles, changed, side_by_side


def fetch_all(files: RemoteFiles, downloads: Sequence[Download], each: EachFile) -> None:
    """Copy files: small ones side by side, then large ones one by one in pieces side by side."""
    small = [download for download in downloads if download.info.size <= PIECE]
    side_by_side(partial(_fetch_small, files, each), small)
    for download in downloads:
        if download.info.size > PIECE:
            _fetch_large(files, download)
            each(download.info)


def _fetch_small(files: RemoteFiles, each: EachFile, download: Download) -> None:
    file = _version(files, download)
    data = files.read(file, 0, file.size) if file.size else b""
    _check(files, file, blake3(data).hexdigest() if file.digest else None)
    with new_file(download.target.parent) as (target, temporary):
        target.write(data)
    temporary.replace(download.target)
    each(download.info)


def _fetch_large(files: RemoteFiles, download: Download) -> None:
    file = _version(files, download)
    with new_file(download.target.parent) as (target, temporary):
        descriptor = target.fileno()
        os.ftruncate(descriptor, file.size)

        def piece(start: int) -> None:
            data = memoryview(files.read(file, start, min(start + PIECE, file.size)))
            while data:
                written = os.pwrite(descriptor, data, start)
                data, start = data[written:], start + written

        side_by_side(piece, range(0, file.size, PIECE))
        _check(files, file, digest_file(temporary) if file.digest else None)
    temporary.replace(download.target)


def _version(files: RemoteFiles, download: Download) -> RemoteFile:
    """The version that was listed; if that does not tell, the one that is there now, which must be as large."""
    info = download.info
    if info.etag is not None:
        return RemoteFile(info.path, info.size, info.modified, info.etag, info.digest)
    found = files.stat(info.path)
    if found is None or found.size != info.size:
        raise changed(files.place, info.path)
    return found


def _check(files: RemoteFiles, file: RemoteFile, digest: str | None) -> None:
    if digest != file.digest:
        raise IntegrityError(
            f"The file {file.path!r} of {files.place} arrived with other content than was written.",
            hint="Fetch it again; if that does not help, write it again.",
            target=file.path,
        )


class RemoteStream(io.RawIOBase):
    """The bytes of one version of a file, fetched as they are read, from wherever they are sought."""

    def __init__(self, files: RemoteFiles, file: RemoteFile) -> None:
        super().__init__()
        self._files, self._file = files, file
        self._at = 0
        self._here, self._from = memoryview(b""), 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; what is fetched already stays until something else is read."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        if origin + offset < 0:
            raise ValueError(f"there is nothing before the beginning ({origin + offset})")
        self._at = origin + offset
        return self._at

    def readinto(self, target: Any) -> int:
        """Fill `target` as far as the piece that is here goes; 0 at the end."""
        if self._at >= self._file.size:
            return 0
        if not self._from <= self._at < self._from + len(self._here):
            stop = min(self._at + PIECE, self._file.size)
            self._here, self._from = memoryview(self._files.read(self._file, self._at, stop)), self._at
        rest = self._here[self._at - self._from :]
        given = min(len(target), len(rest))
        target[:given] = rest[:given]
        self._at += given
        return given
