"""Request bodies are limited while they are read: a caller who lies about the length, or gives none, gains nothing."""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine, Iterator
from functools import cache
from typing import Any, BinaryIO, TypeVar

from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from airloom.plugins.api.texts import check_json, check_texts, parse_json
from airloom.plugins.settings import MIB, load_settings

Result = TypeVar("Result")


class BodyTooLarge(HTTPException):
    """The body is larger than the setting allows."""

    def __init__(self, limit: int, option: str) -> None:
        mend = f"An administrator can raise {option} in section [airloom] of airflow.cfg."
        super().__init__(413, f"The body of the request is larger than {limit // MIB} MiB. {mend}")


def limited_receive(receive: Receive, limit: int, option: str) -> Receive:
    """`receive`, which raises BodyTooLarge once more than `limit` bytes have come."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise BodyTooLarge(limit, option)
        return message

    return counted


class CheckedRequest(Request):
    """A request whose JSON holds only what can be stored; anything else is refused here, before it is looked at."""

    async def json(self) -> Any:
        """The body, which FastAPI asks for at most once."""
        value = parse_json(await self.body())
        check_json(value)
        return value


def limited_route(option: str) -> type[APIRoute]:
    """A class of routes whose bodies may have as many MiB as the setting `option` says."""

    class LimitedRoute(APIRoute):
        """Wraps the request before FastAPI reads its body."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def limited(request: Request) -> Response:
                limit = getattr(load_settings(), option) * MIB
                _check_announced(request, limit, option)
                check_texts([*request.path_params.values(), *request.query_params.values()])
                return await handle(CheckedRequest(request.scope, limited_receive(request.receive, limit, option)))

            return limited

    return LimitedRoute


def _check_announced(request: Request, limit: int, option: str) -> None:
    """Refuse at once what announces itself as too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(limit, option)


def body_file(request: Request) -> BinaryIO:
    """The body of a request as a file, for code in a worker thread."""
    return io.BufferedReader(_BodyReader(request))


class _BodyReader(io.RawIOBase):
    """The body as a file for code in a worker thread, which waits for each piece in the event loop.

    Nothing is kept: memory holds one piece of the body at a time, however large it is.
    """

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._chunks = request.stream()
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one piece does; 0 at the end."""
        while not self._rest:
            chunk = from_thread.run(anext, self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@cache
def _long_work() -> CapacityLimiter:
    """Threads for uploads and submissions, apart from those that answer all other requests of the api-server."""
    return CapacityLimiter(16)


async def in_thread(function: Callable[[], Result]) -> Result:
    """Run what may take long in a worker thread."""
    return await to_thread.run_sync(function, limiter=_long_work())


def download(stream: BinaryIO, media_type: str = "application/octet-stream") -> StreamingResponse:
    """An answer that streams a file and closes it, never all of it in memory."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return StreamingResponse(
        _pieces(stream),
        media_type=media_type,
        headers={"content-length": str(size), "x-content-type-options": "nosniff"},
    )


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(MIB):
            yield piece
