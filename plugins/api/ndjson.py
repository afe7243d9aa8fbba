"""Long work answered in lines of JSON: progress as it comes, then the report. It stops when the caller goes away."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from anyio import sleep
from fastapi import Request
from fastapi.responses import StreamingResponse

from airloom.errors import AirloomError
from airloom.graph.model import Model
from airloom.upkeep.progress import Progress, Work

Report = TypeVar("Report", bound=Model)

POLL_SECONDS = 0.1
ALIVE_SECONDS = 5.0
"""A line is sent at least so often, so that nobody between here and the caller takes the connection for dead."""
MEDIA_TYPE = "application/x-ndjson"

log = logging.getLogger(__name__)


class _Thread(threading.Thread, Generic[Report]):
    """Does the work piece by piece, unless it is told to stop."""

    def __init__(self, work: Work[Report]) -> None:
        super().__init__(name="airloom-upkeep", daemon=True)
        self._work = work
        self._stop_asked = threading.Event()
        self.progress: Progress | None = None
        self.report: Report | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Go on until the end, or until nobody waits for it."""
        try:
            while not self._stop_asked.is_set():
                self.progress = next(self._work)
            log.info("The caller has gone: the work was stopped at %s.", self.progress)
        except StopIteration as end:
            self.report = end.value
        except Exception as error:
            log.error("The work failed", exc_info=error)
            self.error = error
        finally:
            self._work.close()

    def stop(self) -> None:
        """Let it end at the next piece."""
        self._stop_asked.set()


def stream(work: Work[Report], request: Request) -> StreamingResponse:
    """An answer that does the work: lines `{"progress": ...}`, at last one `{"report": ...}` or `{"error": ...}`."""
    return StreamingResponse(_lines(work, request), media_type=MEDIA_TYPE)


async def _lines(work: Work[Report], request: Request) -> AsyncIterator[bytes]:
    thread = _Thread(work)
    thread.start()
    shown, shown_at = None, time.monotonic()
    try:
        while thread.is_alive() and not await request.is_disconnected():
            progress, now = thread.progress, time.monotonic()
            if progress is not None and (progress != shown or now - shown_at > ALIVE_SECONDS):
                shown, shown_at = progress, now
                yield _line("progress", progress.model_dump(mode="json"))
            await sleep(POLL_SECONDS)
        if thread.report is not None:
            yield _line("report", thread.report.model_dump(mode="json"))
        elif thread.error is not None:
            yield _line("error", _as_error(thread.error))
    finally:
        thread.stop()


def _line(kind: str, value: Any) -> bytes:
    return json.dumps({kind: value}).encode() + b"\n"


def _as_error(error: Exception) -> dict[str, str]:
    """An error that came too late for a status."""
    if isinstance(error, AirloomError):
        return {"Code": error.code, "Message": str(error), "Target": error.target}
    return {"Code": "InternalError", "Message": "The server failed. Its log tells why.", "Target": ""}
