"""A small HTTP server whose answers a test writes down, for what a real Airloom server does only when it fails."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Reset(Exception):
    """Raised by an answer: the connection is reset instead."""


Answer = Callable[[Received], tuple[int, Any]]
"""Gives status and body: bytes as they are, anything else as JSON. Raises Reset to break the connection."""


@dataclass
class ScriptedServer:
    """Answers with `answer`; tokens are handed out by number, and all requests but those for tokens are kept."""

    answer: Answer
    received: list[Received] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)
    password: str = "secret"
    withheld: int = 0
    """So many bytes are announced and not sent; the connection is closed instead."""

    def __enter__(self) -> ScriptedServer:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if self.raw_requestline and self.parse_request():
                    script._handle(self)
                else:
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Received(handler.command, handler.path, headers, _read_body(handler, headers))
        try:
            status, body = self._log_in(request) if request.path == "/auth/token" else self._record(request)
        except Reset:
            _reset(handler)
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("content-length", str(len(data) + self.withheld))
        handler.send_header("x-next-offset", "7")
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = self.withheld > 0

    def _record(self, request: Received) -> tuple[int, Any]:
        self.received.append(request)
        return self.answer(request)

    def _log_in(self, request: Received) -> tuple[int, Any]:
        login = json.loads(request.body)
        self.logins.append(login)
        if login["password"] != self.password:
            return 401, {"detail": "Invalid credentials"}
        return 201, {"access_token": f"token-{len(self.logins)}"}


def _read_body(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return handler.rfile.read(int(headers.get("content-length", 0)))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Close with RST, as a process that was killed does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def error_body(code: str, message: str, target: str = "") -> dict[str, Any]:
    """An error as the server words it."""
    return {
        "Error": {"Code": code, "Message": message, "Target": target, "Details": []},
        "Correlation": {"request": "r"},
    }
