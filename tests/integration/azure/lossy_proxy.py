"""An HTTP proxy that carries requests to the emulator and loses the answers that it is told to lose."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class LossyProxy:
    """While it is open, requests to `port` reach the emulator. `lose` says which answers never come back."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.lost: list[str] = []
        self._to_lose: list[tuple[str, Callable[[], None]]] = []
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> LossyProxy:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def lose(self, method: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Lose the answer to the next request of this method, and do something before the client can know."""
        self._to_lose.append((method, meanwhile))

    def is_lost(self, method: str, path: str) -> bool:
        """True if this answer is one to lose; what should happen in the meantime has happened then."""
        with self._lock:
            chosen = next((each for each in self._to_lose if each[0] == method), None)
            if chosen is None:
                return False
            self._to_lose.remove(chosen)
            self.lost.append(path)
        chosen[1]()
        return True


class _Handler(BaseHTTPRequestHandler):
    proxy: LossyProxy
    protocol_version = "HTTP/1.1"

    def carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        onward = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=30)
        onward.request(self.command, self.path, body, dict(self.headers.items()))
        answer = onward.getresponse()
        content = answer.read()
        onward.close()
        if self.proxy.is_lost(self.command, self.path):
            self.close_connection = True
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
        self.send_header("content-length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_DELETE = carry

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests of tests are of no interest."""
