"""A stand-in for Azure Files, for which there is no emulator: a server with the state of one share after another.

It knows the requests that datastores make, and is strict with them: the signature of each is worked out anew, names,
ranges and parents are checked as the service documents them, listings come in pages, and every change gives a file
another ETag.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

import pytest

ACCOUNT = "airloomfiles"
PAGE = 7
LARGEST_RANGE = 4 * 1024 * 1024
_FORBIDDEN = re.compile(r'[\\:*?"<>|]')
_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
_etags = itertools.count(0x8D0000000000000)


@dataclass
class File:
    """A file of a share."""

    content: bytearray
    metadata: dict[str, str]
    written: str
    etag: str = ""
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    def touch(self) -> None:
        self.etag = f"0x{next(_etags):X}"
        self.modified = datetime.now(UTC)


class Refusal(Exception):
    """An answer that is an error, with the service's word for it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class AzureFiles(ThreadingHTTPServer):
    """The server. Each share is a dict from paths to files; a folder is None. Names do not differ by case alone."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.shares: dict[str, dict[str, File | None]] = {}
        self.requests: list[str] = []
        self.refuse_next: list[Refusal] = []
        self.lock = threading.RLock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{ACCOUNT}"

    def new_share(self) -> str:
        name = f"share-{uuid4().hex}"
        self.shares[name] = {}
        return name

    def write_in_place(self, share: str, path: str, content: bytes) -> None:
        """What someone does who has mounted the share: metadata stay, the time of the last write does not."""
        file = self.shares[share][path]
        assert file is not None
        file.content = bytearray(content)
        file.written = "2031-01-01T00:00:00.0000000Z"
        file.touch()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AzureFiles

    def do_GET(self) -> None:
        self._answer()

    do_PUT = do_HEAD = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with self.server.lock:
                self._check()
                status, headers, content = self._do(body)
        except Refusal as refusal:
            status, headers = refusal.status, {"x-ms-error-code": refusal.code}
            content = f"<?xml version='1.0'?><Error><Code>{refusal.code}</Code></Error>".encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # --- what holds for every request ---------------------------------------------------------------------------------

    def _check(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        if self.server.refuse_next:
            raise self.server.refuse_next.pop(0)
        if not self.headers.get("x-ms-version"):
            raise Refusal(400, "MissingRequiredHeader")
        expected = f"SharedKey {ACCOUNT}:{self._signature()}"
        if not hmac.compare_digest(expected, self.headers.get("Authorization", "")):
            raise Refusal(403, "AuthenticationFailed")

    def _signature(self) -> str:
        given = {name.lower(): value for name, value in self.headers.items()}
        if given.get("content-length") == "0":
            del given["content-length"]
        own = sorted((name, value) for name, value in given.items() if name.startswith("x-ms-"))
        parts = urlsplit(self.path)
        query = sorted(parse_qsl(parts.query, keep_blank_values=True))
        text = "\n".join(
            [
                self.command,
                *(given.get(name, "") for name in _SIGNED),
                *(f"{name}:{value}" for name, value in own),
                "/" + ACCOUNT + parts.path + "".join(f"\n{name.lower()}:{value}" for name, value in query),
            ]
        )
        return base64.b64encode(
            hmac.new(base64.b64decode(self.server.key), text.encode(), hashlib.sha256).digest()
        ).decode()

    def _do(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        account, _, rest = unquote(parts.path).lstrip("/").partition("/")
        share_name, _, path = rest.partition("/")
        if account == ACCOUNT and query.get("restype") == "share" and self.command == "PUT":
            return self._put_share(share_name)
        share = self.server.shares.get(share_name)
        if account != ACCOUNT or share is None:
            raise Refusal(404, "ShareNotFound")
        if any(_FORBIDDEN.search(part) or part in ("", ".", "..") for part in path.split("/")) and path:
            raise Refusal(400, "InvalidResourceName")
        kind = "directory" if query.get("restype") == "directory" else "file"
        action = getattr(self, f"_{self.command.lower()}_{kind}_{query.get('comp', '')}".rstrip("_"), None)
        if action is None:
            raise Refusal(400, "UnsupportedOperation")
        answer: tuple[int, dict[str, str], bytes] = action(_Share(share), path.rstrip("/"), query, body)
        return answer

    def _put_share(self, name: str) -> tuple[int, dict[str, str], bytes]:
        if name in self.server.shares:
            raise Refusal(409, "ShareAlreadyExists")
        self.server.shares[name] = {}
        return 201, {"ETag": '"0x1"'}, b""

    # --- folders ------------------------------------------------------------------------------------------------------

    def _put_directory(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        share.refuse_taken(path)
        share.files[path] = None
        return 201, {"ETag": '"0x1"'}, b""

    def _delete_directory(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        share.folder(path)
        if any(name.startswith(f"{path}/") for name in share.files):
            raise Refusal(409, "DirectoryNotEmpty")
        del share.files[share.real(path)]
        return 202, {}, b""

    def _get_directory_list(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        if path:
            share.folder(path)
        stem = f"{path}/" if path else ""
        names = sorted(name for name in share.files if name.startswith(stem) and "/" not in name[len(stem) :])
        after = query.get("marker", "")
        page = [name for name in names if name > after][:PAGE]
        following = page[-1] if page and page[-1] != names[-1] else ""
        entries = "".join(_entry(name[len(stem) :], share.files[name], query.get("include", "")) for name in page)
        text = (
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults DirectoryPath="{escape(path)}"><Entries>'
            f"{entries}</Entries><NextMarker>{escape(following)}</NextMarker></EnumerationResults>"
        )
        return 200, {"Content-Type": "application/xml"}, text.encode()

    # --- files --------------------------------------------------------------------------------------------------------

    def _put_file(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        if self.headers.get("x-ms-type") != "file" or "x-ms-content-length" not in self.headers or body:
            raise Refusal(400, "MissingRequiredHeader")
        share.refuse_taken(path, files=False)
        metadata = {
            name.lower().removeprefix("x-ms-meta-"): value
            for name, value in self.headers.items()
            if name.lower().startswith("x-ms-meta-")
        }
        file = File(
            bytearray(int(self.headers["x-ms-content-length"])),
            metadata,
            self.headers.get("x-ms-file-last-write-time", "now"),
        )
        file.touch()
        share.files[share.real(path)] = file
        return 201, {"ETag": f'"{file.etag}"', "Last-Modified": format_datetime(file.modified, usegmt=True)}, b""

    def _put_file_range(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        file = share.file(path)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("x-ms-range") or self.headers.get("Range") or "")
        if found is None or self.headers.get("x-ms-write") != "update":
            raise Refusal(400, "MissingRequiredHeader")
        start, stop = int(found.group(1)), int(found.group(2)) + 1
        if stop > len(file.content) or stop - start != len(body) or len(body) > LARGEST_RANGE:
            raise Refusal(416, "InvalidRange")
        file.content[start:stop] = body
        if self.headers.get("x-ms-file-last-write-time") != "preserve":
            file.written = "2030-01-01T00:00:00.0000000Z"
        file.touch()
        return 201, {"ETag": f'"{file.etag}"', "Last-Modified": format_datetime(file.modified, usegmt=True)}, b""

    def _put_file_rename(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        source = unquote(urlsplit(self.headers["x-ms-file-rename-source"]).path).removeprefix(f"/{ACCOUNT}/")
        origin = source.partition("/")[2]
        file = share.file(origin)
        share.refuse_taken(path, files=self.headers.get("x-ms-file-rename-replace-if-exists") != "true")
        file.touch()
        del share.files[share.real(origin)]
        share.files[share.real(path)] = file
        return 200, {"ETag": f'"{file.etag}"', "Last-Modified": format_datetime(file.modified, usegmt=True)}, b""

    def _head_file(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        file = share.file(path)
        return 200, {**_headers(file), "Content-Length": str(len(file.content))}, b""

    def _get_file(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        file = share.file(path)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("x-ms-range") or self.headers.get("Range") or "")
        if found is None:
            return 200, _headers(file), bytes(file.content)
        start, stop = int(found.group(1)), min(int(found.group(2)) + 1, len(file.content))
        if start >= len(file.content):
            raise Refusal(416, "InvalidRange")
        range_of = f"bytes {start}-{stop - 1}/{len(file.content)}"
        return 206, {**_headers(file), "Content-Range": range_of}, bytes(file.content[start:stop])

    def _delete_file(self, share: _Share, path: str, query: dict[str, str], body: bytes) -> Any:
        share.file(path)
        del share.files[share.real(path)]
        return 202, {}, b""


@dataclass
class _Share:
    """The state of a share, as the service lets it be looked at."""

    files: dict[str, File | None]

    def real(self, path: str) -> str:
        """The name by which something is known that has this one, but for case."""
        return next((name for name in self.files if name.lower() == path.lower()), path)

    def file(self, path: str) -> File:
        self._there(path)
        file = self.files[self.real(path)]
        if file is None:
            raise Refusal(409, "ResourceTypeMismatch")
        return file

    def folder(self, path: str) -> None:
        self._there(path)
        if self.files[self.real(path)] is not None:
            raise Refusal(409, "ResourceTypeMismatch")

    def _there(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent and (self.real(parent) not in self.files or self.files[self.real(parent)] is not None):
            raise Refusal(404, "ParentNotFound")
        if self.real(path) not in self.files:
            raise Refusal(404, "ResourceNotFound")

    def refuse_taken(self, path: str, *, files: bool = True) -> None:
        """A folder is always in the way, a file with `files`; and the folder above must be there."""
        parent = path.rpartition("/")[0]
        if parent and (self.real(parent) not in self.files or self.files[self.real(parent)] is not None):
            raise Refusal(404, "ParentNotFound")
        if self.real(path) in self.files and (files or self.files[self.real(path)] is None):
            raise Refusal(409, "ResourceAlreadyExists")


def _headers(file: File) -> dict[str, str]:
    return {
        "ETag": f'"{file.etag}"',
        "Last-Modified": format_datetime(file.modified, usegmt=True),
        "x-ms-type": "File",
        "x-ms-file-last-write-time": file.written,
        **{f"x-ms-meta-{name}": value for name, value in file.metadata.items()},
    }


def _entry(name: str, file: File | None, include: str) -> str:
    if file is None:
        return f"<Directory><Name>{escape(name)}</Name><Properties /></Directory>"
    more = (
        f"<LastWriteTime>{file.written}</LastWriteTime>" if "Timestamps" in include or "timestamps" in include else ""
    )
    more += f"<Last-Modified>{format_datetime(file.modified, usegmt=True)}</Last-Modified>" if more else ""
    more += f"<Etag>{file.etag}</Etag>" if "Etag" in include else ""
    return (
        f"<File><Name>{escape(name)}</Name><Properties><Content-Length>{len(file.content)}</Content-Length>{more}"
        "</Properties></File>"
    )


@pytest.fixture(scope="session")
def azure_files() -> Iterator[AzureFiles]:
    """One server for the whole session."""
    with AzureFiles() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
