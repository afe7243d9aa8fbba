"""Files in a share of Azure Files.

A share is also mounted by others, who change files in place. So a digest that was left with a file counts only while
the time of its last write is the one that was left there too: whoever writes to the file changes that.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.fileshare import ExponentialRetry, ShareClient, ShareFileClient

from airloom.errors import AlreadyExists, InvalidName, NotFound, StoreUnavailable
from airloom.storage.azure_access import AzureAccess, connection_access
from airloom.storage.azure_account import environment_access
from airloom.storage.azure_errors import Place, sas_expiry, told_of, unavailable
from airloom.storage.datastore_config import AzureFileShareConfig
from airloom.storage.durable import temporary_name
from airloom.storage.remote_datastore import RemoteDatastore
from airloom.storage.remote_files import DIGEST_KEY, RemoteFile, changed
from airloom.storage.secrets import Secrets
from airloom.storage.stat_cache import StatCache

_WRITTEN_KEY = "airloom_written"
_RANGE = 4 * 1024 * 1024
"""What the service takes in one request."""

_UPLOADS = 4
_TRIES = 5
_NOT_ALLOWED = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]|[. ](?:/|$)')
_LONGEST_PATH = 2048
_NO_FOLDER = {"ResourceTypeMismatch", "ResourceNotFound", "ParentNotFound"}


def open_file_share(config: AzureFileShareConfig, cache: StatCache, secrets: Secrets) -> RemoteDatastore:
    """The datastore that a configuration describes."""
    return RemoteDatastore(config, FileShare(config, _access(config, secrets)), cache)


def create_file_share(config: AzureFileShareConfig, secrets: Secrets) -> None:
    """Make the share of a datastore, unless it is there."""
    FileShare(config, _access(config, secrets)).create()


def _access(config: AzureFileShareConfig, secrets: Secrets) -> AzureAccess:
    endpoint = config.endpoint or f"https://{config.account}.file.core.windows.net"
    if config.connection is None:
        return environment_access(config.account, endpoint)
    return connection_access(config.connection, secrets.connection(config.connection), config.account, endpoint)


class FileShare:
    """A share as a service of files. Folders are made when a file needs them, and go with their last file."""

    def __init__(self, config: AzureFileShareConfig, access: AzureAccess) -> None:
        self._config = config
        self._access = access
        self._refusals = Place(
            name=f"The datastore {config.name!r} ({config.place})",
            item="file",
            target=config.name,
            account=config.account,
            container=config.share,
            mend=access.source,
            renew=access.source,
            expiry=sas_expiry(access.sas),
        )

    @property
    def place(self) -> str:
        """Account and share."""
        return self._config.place

    def create(self) -> None:
        """Make the share, unless it is there."""
        with suppress(_Occupied), self._told(""):
            self._client.create_share()

    def check(self, paths: Sequence[str]) -> None:
        """Refuse names that a share cannot keep, and such as it cannot tell apart."""
        known: dict[str, str] = {}
        for path in paths:
            same = known.setdefault(path.lower(), path)
            if _NOT_ALLOWED.search(path) or len(path) > _LONGEST_PATH or same != path:
                cause = f"it takes it for {same!r}" if same != path else "of its characters, or its length"
                raise InvalidName(
                    f"Azure Files cannot keep {path[:300]!r}: {cause}.",
                    hint='Use none of \\ : * ? " < > |, no dot or space at the end of a part, and no names that '
                    "differ by case alone.",
                    target=path[:300],
                )

    def find(self, folder: str) -> Iterator[RemoteFile]:
        """All files below a folder, a folder at a time."""
        waiting = [folder]
        while waiting:
            stem = waiting.pop()
            for item in self._entries(stem):
                path = "/".join(filter(None, (stem, item.name)))
                if item.is_directory:
                    waiting.append(path)
                else:
                    yield _listed(path, item)

    def stat(self, path: str) -> RemoteFile | None:
        """One file with its digest, or None."""
        if _NOT_ALLOWED.search(path):
            return None
        try:
            with self._told(path):
                found = self._file(path).get_file_properties()
        except (NotFound, _Occupied):
            return None
        return RemoteFile(path, found.size, found.last_modified, _etag(found.etag), _digest(found))

    def read(self, file: RemoteFile, start: int, stop: int) -> bytes:
        """Some bytes of this version of a file."""
        try:
            with self._told(file.path):
                got = self._file(file.path).download_file(start, stop - start, max_concurrency=1)
                data: bytes = got.readall()
        except (NotFound, _Occupied):
            raise changed(self.place, file.path) from None
        if _etag(got.properties.etag) != file.etag or len(data) != stop - start:
            raise changed(self.place, file.path)
        return data

    def put(self, path: str, pieces: Iterable[bytes], size: int, digest: str) -> str:
        """Make or replace a file: it is written under another name, and then given its own."""
        try:
            self._make(path, pieces, size, digest, replace=True)
        except _Occupied:
            raise AlreadyExists(
                f"{self.place} already has a folder {path!r}.", hint="Choose another path.", target=path
            ) from None
        return ""

    def put_new(self, path: str, data: bytes, digest: str) -> str | None:
        """Make a small file, or None if there is one."""
        try:
            self._make(path, [data] if data else [], len(data), digest, replace=False)
        except _Occupied:
            return None
        return ""

    def put_instead(self, old: RemoteFile, data: bytes, digest: str) -> bool:
        """Replace a small file if it still is this version, which the service cannot be asked to do in one step."""
        now = self.stat(old.path)
        if now is None or now.etag != old.etag:
            return False
        self.put(old.path, [data], len(data), digest)
        return True

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files, and the folders that are empty then."""
        for path in paths:
            try:
                with self._told(path):
                    self._file(path).delete_file()
            except (NotFound, _Occupied):
                continue
        for folder in sorted({folder for path in paths for folder in _above(path)}, key=len, reverse=True):
            try:
                with self._told(folder):
                    self._client.get_directory_client(folder).delete_directory()
            except (NotFound, _Occupied):
                continue

    # --- requests -------------------------------------------------------------------------------------------------

    def _make(self, path: str, pieces: Iterable[bytes], size: int, digest: str, *, replace: bool) -> None:
        temporary = temporary_name()  # beside all folders, so that none seems to hold something too early
        written = datetime.now(UTC).replace(microsecond=0)
        metadata = {DIGEST_KEY: digest, _WRITTEN_KEY: _moment(written)}
        file = self._file(temporary)
        with self._told(path):
            file.create_file(size, file_last_write_time=written, metadata=metadata)
        try:
            self._fill(file, path, pieces)
            self._name(file, path, replace=replace)
        except BaseException:
            self.remove([temporary])
            raise

    def _name(self, file: ShareFileClient, path: str, *, replace: bool) -> None:
        """Give a complete file its name, in folders that another may be removing while they are empty."""
        for last in (*[False] * (_TRIES - 1), True):
            try:
                with self._told(path):
                    file.rename_file(path, overwrite=replace)
                return
            except NotFound:
                if last:
                    raise
                self._make_folders(path.rpartition("/")[0])

    def _make_folders(self, folder: str) -> None:
        for above in (*reversed(_above(folder)), folder):
            try:
                with self._told(above):
                    self._client.get_directory_client(above).create_directory()
            except (_Occupied, NotFound):
                continue

    def _fill(self, file: ShareFileClient, path: str, pieces: Iterable[bytes]) -> None:
        """Send the bytes, a few ranges at a time. The time of the last write stays the one that was set."""

        def send(data: bytes, start: int) -> None:
            with self._told(path):
                file.upload_range(data, start, len(data), file_last_write_mode="preserve")

        start = 0
        with ThreadPoolExecutor(_UPLOADS) as pool:
            for piece in pieces:
                parts = [piece[at : at + _RANGE] for at in range(0, len(piece), _RANGE)]
                starts = [start + index * _RANGE for index in range(len(parts))]
                deliveries = [pool.submit(send, *each) for each in zip(parts, starts, strict=True)]
                start += len(piece)
                for delivery in deliveries:
                    delivery.result()

    def _entries(self, folder: str) -> list[Any]:
        """What lies in one folder; nothing if there is none."""
        if _NOT_ALLOWED.search(folder):
            return []
        client = self._client.get_directory_client(folder or None)
        try:
            with self._told(folder):
                return list(client.list_directories_and_files(include=["timestamps", "Etag"]))
        except (NotFound, _Occupied):
            return []

    def _file(self, path: str) -> ShareFileClient:
        return self._client.get_file_client(path)

    @property
    def _client(self) -> ShareClient:
        return _share(self._access, self._config.share, os.getpid())

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn the service's errors into Airloom's, and into _Occupied what is an answer."""
        with told_of(self._refusals, path):
            try:
                yield
            except (ResourceExistsError, ResourceNotFoundError) as error:
                code = _code(error)
                if code == "ShareNotFound":
                    raise self._no_share() from None
                if isinstance(error, ResourceExistsError) or code == "ResourceTypeMismatch":
                    raise _Occupied from None
                raise
            except HttpResponseError as error:
                if error.status_code == 409:
                    raise _Occupied from None
                raise

    def _no_share(self) -> StoreUnavailable:
        account, share = self._config.account, self._config.share
        return unavailable(
            self._refusals,
            f"the account {account!r} has no share {share!r}",
            f"Make it (az storage share create --account-name {account} --name {share}) or correct the datastore.",
        )


class _Occupied(Exception):
    """The name has a file or folder that may not be replaced, or is not of the kind that it should be."""


@functools.lru_cache(maxsize=16)
def _share(access: AzureAccess, name: str, _pid: int) -> ShareClient:
    """A client, once in a process, as it keeps the connections; it is not handed down to a forked child."""
    credential = access.credential()
    return ShareClient(
        access.endpoint,
        name,
        credential=credential,
        token_intent="backup" if hasattr(credential, "get_token") else None,
        retry_policy=ExponentialRetry(initial_backoff=0, increment_base=2, retry_total=4, random_jitter_range=1),
        connection_timeout=10,
        read_timeout=60,
    )


def _listed(path: str, item: Any) -> RemoteFile:
    return RemoteFile(path, item.size, item.last_modified or item.last_write_time, _etag(item.etag))


def _digest(properties: Any) -> str | None:
    """The digest that was left with a file, unless the file was written to since."""
    metadata = {name.lower(): value for name, value in (properties.metadata or {}).items()}
    written = properties.last_write_time
    at = _moment(written) if isinstance(written, datetime) else str(written)[:19]
    return metadata.get(DIGEST_KEY) if at and metadata.get(_WRITTEN_KEY) == at else None


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _etag(etag: str | None) -> str:
    """The ETag as listings give it, without quotes."""
    return (etag or "").strip('"')


def _code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _above(path: str) -> list[str]:
    """The folders above a path, the nearest first, without the root."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
