"""Files in an object store (S3 and what speaks its protocol, Google Cloud Storage) through obstore."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import GCSStore, S3Store

from airloom.errors import InvalidGraph, InvalidName, NotFound, StoreUnavailable, UnsafePath
from airloom.storage.object_address import ObjectAddress
from airloom.storage.remote_files import DIGEST_KEY, PIECE, RemoteFile, changed, side_by_side

_UPLOADS = 4
"""Pieces of one file that are under way at a time, apart from other files."""

_RETRY: dict[str, Any] = {"max_retries": 5, "retry_timeout": timedelta(minutes=3)}
_CLIENT: dict[str, Any] = {"connect_timeout": "10s", "timeout": "120s"}
_LISTED_TOGETHER = 1000
_LONGEST_KEY = 1024
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_REFUSED = (["401"], ["403"])


class ObstoreFiles:
    """The objects below a prefix of a bucket. `options` are obstore's own names for what it may be told."""

    def __init__(self, address: ObjectAddress, options: dict[str, Any]) -> None:
        self._address = address
        self._store = _open(address, options)

    @property
    def place(self) -> str:
        """The address."""
        return str(self._address)

    def check(self, paths: Sequence[str]) -> None:
        """Refuse keys that are too long."""
        for path in paths:
            if len(f"{self._address.prefix}/{path}".encode()) > _LONGEST_KEY:
                raise InvalidName(
                    f"{path[:300]!r} is too long for the key of an object.", hint="Choose a shorter name.", target=path
                )

    def find(self, folder: str) -> Iterator[RemoteFile]:
        """All objects below a folder; one that ends with a slash, as consoles make for a folder, is none."""
        with self._told(folder):
            for some in obstore.list(self._store, folder or None, chunk_size=_LISTED_TOGETHER):
                empty = [meta["path"] for meta in some if meta["size"] == 0]
                real = {file.path for file in side_by_side(self.stat, empty) if file}
                yield from (_file(meta) for meta in some if meta["size"] or meta["path"] in real)

    def stat(self, path: str) -> RemoteFile | None:
        """One object with its digest, or None."""
        with self._told(path):
            try:
                found = obstore.get(self._store, path, options={"head": True})
            except FileNotFoundError as error:
                self._refuse_missing_bucket(error)
                return None
            attributes = {str(name).lower(): value for name, value in found.attributes.items()}
            return _file(found.meta)._replace(digest=attributes.get(DIGEST_KEY))

    def read(self, file: RemoteFile, start: int, stop: int) -> bytes:
        """Some bytes of this version of an object."""
        options: Any = {"if_match": file.etag}
        if stop - start < file.size:
            options["range"] = (start, stop)
        with self._told(file.path):
            try:
                data = bytes(obstore.get(self._store, file.path, options=options).bytes())
            except (PreconditionError, FileNotFoundError):
                raise changed(self.place, file.path) from None
        if len(data) != stop - start:
            raise changed(self.place, file.path)
        return data

    def put(self, path: str, pieces: Iterable[bytes], size: int, digest: str) -> str:
        """Make or replace an object, in parts if it is large; it appears with the last request."""
        source: Any = pieces if size > PIECE else b"".join(pieces)
        with self._told(path):
            made = obstore.put(
                self._store,
                path,
                source,
                attributes={DIGEST_KEY: digest},
                chunk_size=PIECE,
                max_concurrency=_UPLOADS,
                use_multipart=size > PIECE,
            )
        return made["e_tag"] or ""

    def put_new(self, path: str, data: bytes, digest: str) -> str | None:
        """Make a small object, or None if there is one."""
        with self._told(path):
            try:
                made = obstore.put(self._store, path, data, attributes={DIGEST_KEY: digest}, mode="create")
            except (AlreadyExistsError, PreconditionError):
                return None
        return made["e_tag"] or ""

    def put_instead(self, old: RemoteFile, data: bytes, digest: str) -> bool:
        """Replace a small object if it still is this version."""
        mode: Any = {"e_tag": old.etag, **({"version": old.version} if old.version else {})}
        with self._told(old.path):
            try:
                obstore.put(self._store, old.path, data, attributes={DIGEST_KEY: digest}, mode=mode)
            except (PreconditionError, FileNotFoundError):
                return False
        return True

    def remove(self, paths: Sequence[str]) -> None:
        """Remove objects; many in one request where the service can."""
        with self._told(paths[0] if paths else ""):
            try:
                obstore.delete(self._store, list(paths))
            except FileNotFoundError:
                if len(paths) > 1:
                    side_by_side(lambda path: self.remove([path]), paths)

    def _refuse_missing_bucket(self, error: Exception) -> None:
        if "NoSuchBucket" in str(error):
            raise self._no_bucket()

    def _no_bucket(self) -> StoreUnavailable:
        return self._unavailable(
            f"there is no bucket {self._address.bucket!r}", "Make it, or correct the address of the datastore."
        )

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn obstore's errors into Airloom's. Their own text is left out: it repeats what the service was asked."""
        try:
            yield
        except InvalidPathError as error:
            raise _unusable(self.place, path, error) from None
        except FileNotFoundError as error:
            if error.errno is not None:
                raise  # of a file of this machine
            self._refuse_missing_bucket(error)
            raise NotFound(f"{self.place} has no object {path!r}.", hint="Check the path.", target=path) from None
        except BaseError as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> StoreUnavailable:
        code = _code(error)
        if code == "NoSuchBucket":
            return self._no_bucket()
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _STATUS.findall(str(error)) in _REFUSED:
            return self._unavailable(
                f"it refuses the credentials ({code})",
                "Check the connection of the datastore, and the rights it gives: to list, read, write and delete.",
            )
        cause = f"the service answers {code}" if code else "it cannot be reached"
        return self._unavailable(cause, "Check the address and the network, then try again.")

    def _unavailable(self, cause: str, hint: str) -> StoreUnavailable:
        return StoreUnavailable(f"{self.place} cannot be used: {cause}.", hint=hint, target=self.place)


def _open(address: ObjectAddress, options: dict[str, Any]) -> Any:
    endpoint = str(options.get("endpoint") or options.get("base_url") or "")
    client = {**_CLIENT, "allow_http": endpoint.startswith("http://")}
    kind: Any = S3Store if address.scheme == "s3" else GCSStore
    try:
        return kind(
            address.bucket, prefix=address.prefix or None, config=options, client_options=client, retry_config=_RETRY
        )
    except UnknownConfigurationKeyError as error:
        unknown = re.search(r"key: '([\w-]+)'", str(error))
        raise InvalidGraph(
            f"{unknown.group(1) if unknown else 'One of the options'!r} is no option of {address.scheme}.",
            hint="See docs/datastores.md for those there are.",
            target=str(address),
        ) from None
    except (BaseError, ValueError):
        raise StoreUnavailable(
            f"The options and credentials for {address} make no sense to its client.",
            hint="Check the options and the connection of the datastore.",
            target=str(address),
        ) from None


def _file(meta: Any) -> RemoteFile:
    etag, version = meta["e_tag"], meta["version"]
    return RemoteFile(meta["path"], meta["size"], meta["last_modified"], etag or version or "", version=version)


def _unusable(place: str, path: str, error: Exception) -> UnsafePath:
    named = re.search(r'Path "([^"]*)"', str(error))
    return UnsafePath(
        f"{place} has an object whose key {named.group(1) if named else path!r} is no path of files.",
        hint="Rename the object: the parts between the slashes may not be empty, '.' or '..'.",
        target=path,
    )


def _code(error: Exception) -> str:
    """The service's own word for what was wrong, else the status of its answer."""
    found = next(chain(_CODE.findall(str(error)), _STATUS.findall(str(error))), "")
    return str(found)
