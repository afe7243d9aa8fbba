"""An HTTP proxy before the emulator that breaks what passes through it, as a bad network and a busy service do."""

from __future__ import annotations

import http.client
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
FAULTS = ("drop", "lose", "delay", "cut request", "cut answer", "429", "500", "503")
CODES = {"429": "TooManyRequests", "500": "InternalError", "503": "ServerBusy"}
LONGEST_DELAY = 0.2


class FaultyProxy:
    """While it is open, requests to `port` reach the emulator, and `rate` of them meet one of the faults.

    drop: the connection ends before the request is read. lose: the emulator acts, but its answer never comes. cut: the
    request, or the answer, ends in its middle. Numbers are answers, instead of which nothing is done.
    """

    def __init__(self, target: int, *, rate: float = 0.0, faults: tuple[str, ...] = FAULTS, seed: int = 0) -> None:
        self.target, self.rate, self.faults = target, rate, faults
        self.met: Counter[str] = Counter()
        self.requests: list[tuple[str, str, int]] = []
        self._random = random.Random(seed)
        self._lock = Lock()
        self._at: tuple[int, Callable[[], object]] | None = None
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> FaultyProxy:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def after(self, count: int, action: Callable[[], object]) -> None:
        """Do something when so many more requests have come, before the last of them is carried on."""
        with self._lock:
            self._at = (len(self.requests) + count, action)

    def fault(self, method: str, path: str, size: int) -> str | None:
        """Which fault the next request meets."""
        with self._lock:
            self.requests.append((method, path, size))
            if self._at is not None and len(self.requests) == self._at[0]:
                self._at[1]()
            if self._random.random() >= self.rate:
                return None
            fault = self._random.choice(self.faults)
            self.met[fault] += 1
            return fault


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that are killed, or hang up, are what this is about."""


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def carry(self) -> None:
        size = int(self.headers.get("content-length", 0))
        fault = self.proxy.fault(self.command, self.path, size)
        if fault == "drop":
            self._hang_up()
            return
        body = self.rfile.read(size)
        if fault in CODES:
            self._refuse(fault)
        elif fault == "cut request" and body:
            self._send_half(body)
            self._hang_up()
        else:
            if fault == "delay":
                time.sleep(LONGEST_DELAY)
            self._answer(*self._ask(body), fault)

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        onward = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        onward.request(self.command, self.path, body, dict(self.headers.items()))
        answer = onward.getresponse()
        content = answer.read()
        onward.close()
        return answer, content

    def _send_half(self, body: bytes) -> None:
        """A request of which the emulator never sees the end."""
        broken = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        broken.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            broken.putheader(name, value)
        broken.endheaders()
        broken.send(body[: len(body) // 2])
        broken.close()

    def _answer(self, answer: http.client.HTTPResponse, content: bytes, fault: str | None) -> None:
        if fault == "lose":
            self._hang_up()
            return
        self.send_response_only(answer.status, answer.reason)
        headers: Mapping[str, str] = dict(answer.getheaders())
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
        self.send_header("content-length", length or "0")
        self.end_headers()
        if fault == "cut answer":
            self.wfile.write(content[: len(content) // 2])
            self._hang_up()
        else:
            self.wfile.write(content)

    def _refuse(self, status: str) -> None:
        word = CODES[status]
        content = f'<?xml version="1.0"?><Error><Code>{word}</Code><Message>{word}</Message></Error>'.encode()
        self.send_response_only(int(status))
        self.send_header("content-type", "application/xml")
        self.send_header("x-ms-error-code", CODES[status])
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was faster

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = carry

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests of tests are of no interest."""
