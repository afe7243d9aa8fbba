"""Files wherever fsspec reaches (SFTP, WebHDFS, other clouds), for addresses that no other module serves.

fsspec has no word for what writers leave with a file. So each file gets a small one of ours beside it with the digest
of its content and the version that had it. Nor can it be asked to make a file only if there is none: who does that
here looks first, and of two who do it at the same time the second may win.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import fsspec

from airloom.errors import AirloomError, InvalidName, NotFound, StoreUnavailable
from airloom.graph.canonical import digest_bytes
from airloom.storage.durable import PRIVATE_PREFIX
from airloom.storage.object_address import ObjectAddress
from airloom.storage.remote_files import RemoteFile, changed, side_by_side

_BESIDE = f"{PRIVATE_PREFIX}digest-"
_TIMES = ("mtime", "modified", "LastModified", "last_modified", "updated", "modificationTime", "created")
_VERSIONED_BY = ("ETag", "etag", "md5Hash", "content_md5", "generation", "version", "ino", *_TIMES)


def open_file_system(address: ObjectAddress, options: Mapping[str, Any]) -> Any:
    """What fsspec has for the scheme of an address. Its options are fsspec's own."""
    try:
        given = fsspec.get_filesystem_class(address.scheme)._get_kwargs_from_urls(
            f"{address.scheme}://{address.bucket}"
        )
        return fsspec.filesystem(address.scheme, **given, **options, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        raise StoreUnavailable(
            f"{address} needs a package that is not installed here. {error}.", target=str(address)
        ) from None
    except ValueError:
        raise InvalidName(
            f"{address} is not an address that fsspec reaches.", hint="Check what comes before '://'.", target="url"
        ) from None
    except Exception as error:
        raise StoreUnavailable(
            f"{address} cannot be opened ({type(error).__name__}).",
            hint="Check its options, the connection of the datastore and the network.",
            target=str(address),
        ) from None


class FsspecFiles:
    """The files below a place of one of fsspec's file systems."""

    def __init__(self, address: ObjectAddress, file_system: Any) -> None:
        self._address = address
        self._system = file_system
        self._root = str(file_system._strip_protocol(str(address))).rstrip("/")

    @property
    def place(self) -> str:
        """The address."""
        return str(self._address)

    def check(self, paths: Sequence[str]) -> None:
        """Nothing is known of what all these places can keep."""

    def find(self, folder: str) -> Iterator[RemoteFile]:
        """All files below a folder."""
        above = self._full(folder)
        with self._told(folder):
            try:
                found = self._system.find(above, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return
        for name, info in found.items():
            path = "/" + str(name).lstrip("/") if above.startswith("/") else str(name)
            ours = path.rpartition("/")[2].startswith(_BESIDE)
            if info["type"] == "file" and path.startswith(f"{above}/") and not ours:
                yield _file(path[len(self._root) + 1 :], info)

    def stat(self, path: str) -> RemoteFile | None:
        """One file with its digest, or None."""
        with self._told(path):
            try:
                info = self._system.info(self._full(path))
            except (FileNotFoundError, NotADirectoryError):
                return None
            if info["type"] != "file":
                return None
            file = _file(path, info)
            return file._replace(digest=self._digest(file))

    def read(self, file: RemoteFile, start: int, stop: int) -> bytes:
        """Some bytes of this version of a file, which must still be there when they have been read."""
        with self._told(file.path):
            try:
                data = bytes(self._system.cat_file(self._full(file.path), start=start, end=stop))
                now = _file(file.path, self._system.info(self._full(file.path)))
            except FileNotFoundError:
                raise changed(self.place, file.path) from None
        if now.etag != file.etag or len(data) != stop - start:
            raise changed(self.place, file.path)
        return data

    def put(self, path: str, pieces: Iterable[bytes], size: int, digest: str) -> str:
        """Make or replace a file: its bytes are committed when all have been handed over."""
        with self._told(path):
            full = self._full(path)
            self._system.makedirs(full.rpartition("/")[0], exist_ok=True)
            target = self._system.open(full, "wb", autocommit=False)
            try:
                for piece in pieces:
                    target.write(piece)
                target.close()
            except BaseException:
                with suppress(Exception):
                    target.discard()
                target.closed = True  # or its finaliser would send the rest
                raise
            target.commit()
            made = _file(path, self._system.info(full))
            self._leave(made, digest)
        return made.etag

    def put_new(self, path: str, data: bytes, digest: str) -> str | None:
        """Make a small file, or None if there is one."""
        return None if self.stat(path) is not None else self.put(path, [data], len(data), digest)

    def put_instead(self, old: RemoteFile, data: bytes, digest: str) -> bool:
        """Replace a small file if it still is this version."""
        now = self.stat(old.path)
        if now is None or now.etag != old.etag:
            return False
        self.put(old.path, [data], len(data), digest)
        return True

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files, what we left beside them, and the folders that are empty then."""
        side_by_side(self._remove, [name for path in paths for name in (path, _beside(path))])
        folders = {path.rsplit("/", count)[0] for path in paths for count in range(1, path.count("/") + 1)}
        for folder in sorted(folders, key=len, reverse=True):
            with suppress(Exception):  # it is not empty, or the place knows no folders
                self._system.rmdir(self._full(folder))

    def _remove(self, path: str) -> None:
        with self._told(path), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._system.rm_file(self._full(path))

    def _leave(self, file: RemoteFile, digest: str) -> None:
        note = json.dumps({"etag": file.etag, "digest": digest}).encode()
        self._system.pipe_file(self._full(_beside(file.path)), note)

    def _digest(self, file: RemoteFile) -> str | None:
        """The digest that was left beside a file, if it is that of this version."""
        try:
            note = json.loads(self._system.cat_file(self._full(_beside(file.path))))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return note["digest"] if isinstance(note, dict) and note.get("etag") == file.etag else None

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn whatever a file system raises into Airloom's errors, without its text, which may hold secrets."""
        try:
            yield
        except (AirloomError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            if isinstance(error, FileNotFoundError) and not isinstance(error, AirloomError):
                raise NotFound(f"{self.place} has no file {path!r}.", hint="Check the path.", target=path) from None
            raise
        except PermissionError:
            raise StoreUnavailable(
                f"{self.place} refuses the credentials, or the right to {path!r}.",
                hint="Check the connection of the datastore, and the rights it gives.",
                target=self.place,
            ) from None
        except Exception as error:
            raise StoreUnavailable(
                f"{self.place} cannot be used ({type(error).__name__}).",
                hint="Check the address and the network, then try again.",
                target=self.place,
            ) from None


def _beside(path: str) -> str:
    """Where the digest of a file's content is left."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{_BESIDE}{digest_bytes(name.encode())[:32]}"


def _file(path: str, info: Mapping[str, Any]) -> RemoteFile:
    marks = [f"{name}={_mark(name, info[name])}" for name in _VERSIONED_BY if info.get(name) is not None]
    moment = next((info[name] for name in _TIMES if info.get(name) is not None), 0)
    return RemoteFile(path, int(info["size"] or 0), _time(moment), digest_bytes(" ".join(marks).encode())[:32])


def _mark(name: str, value: Any) -> str:
    """A value in one form, as a listing and a single file may give it in two."""
    return _time(value).isoformat() if name in _TIMES else str(value)


def _time(moment: Any) -> datetime:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = float(moment)
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
