"""What a service has said of the content of its files, remembered, as many services tell it of one file at a time."""

from __future__ import annotations

from collections.abc import Sequence

from airloom.storage.file_digests import Digested, FileStat
from airloom.storage.remote_files import RemoteFile, RemoteFiles, side_by_side, version_digest
from airloom.storage.stat_cache import StatCache

_QUESTIONS = 32
"""How many files are asked about at a time: these requests carry no content."""


class DigestMemory:
    """The digests that writers have left with files, by version. A file that is replaced is asked about anew."""

    def __init__(self, files: RemoteFiles, cache: StatCache) -> None:
        self._files = files
        self._cache = cache

    def complete(self, found: Sequence[RemoteFile]) -> list[RemoteFile]:
        """The same files with their digests, as far as their writers have left them."""
        unknown = {file: self._state(file) for file in found if file.digest is None}
        known = self._cache.known(list(unknown.values()))
        asked = [file for file, state in unknown.items() if state not in known]
        told = dict(zip(asked, side_by_side(self._ask, asked, _QUESTIONS), strict=True))
        self._cache.remember([Digested(unknown[file], answer.identity) for file, answer in told.items()])
        return [
            told[file] if file in told else _with(file, known.get(unknown[file])) if file in unknown else file
            for file in found
        ]

    def _ask(self, file: RemoteFile) -> RemoteFile:
        """What the service says of this version; one that is there no more is left as it was found."""
        now = self._files.stat(file.path)
        return file._replace(digest=now.digest) if now is not None and now.etag == file.etag else file

    def _state(self, file: RemoteFile) -> FileStat:
        """A version of a file, in the form in which the cache knows states of files."""
        modified = int(file.modified.timestamp() * 1_000_000) * 1000
        return FileStat(f"{self._files.place}#{file.etag}#{file.path}", file.size, modified, modified, 0)


def _with(file: RemoteFile, identity: str | None) -> RemoteFile:
    """The file with the digest that is remembered, if it is one of the content."""
    return file if identity in (None, version_digest(file.etag, file.size)) else file._replace(digest=identity)
