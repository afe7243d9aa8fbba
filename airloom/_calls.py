"""What all parts of the client share: the addresses of routes, and the shapes of calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from airloom._transport import API, IDEMPOTENCY_KEY, Transport

JsonObject = dict[str, Any]
BLOCK = 1024 * 1024


def path_to(*parts: str) -> str:
    """The path of a route; names in it may hold any character."""
    return "/".join([API, *(quote(part, safe="") for part in parts)])


class Calls:
    """Calls of a server, in the shapes that its routes have."""

    _transport: Transport

    def _object(self, method: str, path: str, body: JsonObject | None = None, **params: Any) -> JsonObject:
        answer: JsonObject = self._transport.json(method, path, body=body, params=params)
        return answer

    def _list(self, key: str, path: str, **params: Any) -> list[JsonObject]:
        return list(self._object("GET", path, **params)[key])

    def _start(self, path: str, body: JsonObject, idempotency_key: str | None) -> JsonObject:
        """Start a run. Its key lets the request be sent again after a lost connection: there will be one run."""
        key = idempotency_key or str(uuid.uuid4())
        answer: JsonObject = self._transport.json("POST", path, body=body, headers={IDEMPOTENCY_KEY: key})
        return answer

    def _download(self, path: str) -> Iterator[bytes]:
        # Uncompressed, so that the length announced is that of the file and a broken transfer is noticed.
        with self._transport.open("GET", path, headers={"accept-encoding": "identity"}) as response:
            yield from response.iter_bytes(BLOCK)
