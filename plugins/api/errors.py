"""Every error leaves the server in one shape: {"Error": {Code, Message, Target, Details}, "Correlation": {...}}."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from airloom.errors import (
    AirloomError,
    AlreadyExists,
    InvalidGraph,
    InvalidName,
    InvalidSchedule,
    LimitExceeded,
    NotFound,
    StoreUnavailable,
    UnsafePath,
)
from airloom.errors import IntegrityError as AlteredContent
from airloom.plugins.errors import BadRequest, Conflict, DagNotReady, Denied, RejectedGraph
from airloom.tabular.failures import UnreadableTable

log = logging.getLogger(__name__)

REQUEST_ID_HEADER = "x-request-id"
STATUS_OF: dict[type[AirloomError], int] = {
    NotFound: 404,
    AlreadyExists: 409,
    LimitExceeded: 413,
    InvalidGraph: 400,
    InvalidName: 400,
    InvalidSchedule: 400,
    UnsafePath: 400,
    AlteredContent: 400,
    BadRequest: 400,
    Conflict: 409,
    Denied: 403,
    DagNotReady: 503,
    StoreUnavailable: 503,
    UnreadableTable: 400,
}
CODE_OF_STATUS = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    413: "LimitExceeded",
}


def add_error_handlers(app: FastAPI) -> None:
    """Give all errors of the application the one shape."""
    app.add_exception_handler(AirloomError, _on_airloom_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(IntegrityError, _on_conflict)
    app.add_exception_handler(Exception, _on_failure)


def error_response(
    request: Request, status: int, code: str, message: str, target: str = "", details: Sequence[dict[str, str]] = ()
) -> JSONResponse:
    """An error in the one shape. `details` are smaller errors with the keys Code, Message and Target."""
    request_id = _request_id(request)
    body = {
        "Error": {"Code": code, "Message": message, "Target": target, "Details": list(details)},
        "Correlation": {"request": request_id},
    }
    return JSONResponse(body, status_code=status, headers={REQUEST_ID_HEADER: request_id})


def _request_id(request: Request) -> str:
    """The caller's own id of the request if it is harmless, else a new one."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given):
        return given
    if not hasattr(request.state, "request_id"):
        request.state.request_id = uuid.uuid4().hex
    return str(request.state.request_id)


async def _on_airloom_error(request: Request, error: Any) -> JSONResponse:
    status = next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)
    if status == 500:
        log.error("Request %s failed: %s", _request_id(request), error, exc_info=error)
    return error_response(request, status, error.code, str(error), error.target, _problems(error))


def _problems(error: AirloomError) -> list[dict[str, str]]:
    """The single problems of an error that gathers several."""
    problems = error.problems if isinstance(error, RejectedGraph) else ()
    return [{"Code": problem.code, "Message": str(problem), "Target": problem.target} for problem in problems]


async def _on_invalid_request(request: Request, error: Any) -> JSONResponse:
    problems = error.errors()
    if problems and problems[0]["type"] == "json_invalid":
        reason, position = problems[0]["ctx"]["error"], problems[0]["loc"][-1]
        message = f"The body of the request is not valid JSON: {reason} at character {position}."
        return error_response(request, 400, "BadRequest", message, "body")
    details = [
        {
            "Code": str(problem["type"]),
            "Message": str(problem["msg"]),
            "Target": ".".join(str(part) for part in problem["loc"]),
        }
        for problem in problems
    ]
    summary = "; ".join(f"{detail['Target']}: {detail['Message']}" for detail in details[:3])
    return error_response(request, 400, "BadRequest", f"The request is not valid. {summary}", details=details)


async def _on_http_error(request: Request, error: Any) -> JSONResponse:
    code = CODE_OF_STATUS.get(error.status_code, "Error")
    response = error_response(request, error.status_code, code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _on_conflict(request: Request, error: Any) -> JSONResponse:
    log.info("Request %s met a constraint of the database: %s", _request_id(request), error.orig)
    message = "Something of the same name was created at the same moment. Read it again, or repeat the request."
    return error_response(request, 409, "Conflict", message)


async def _on_failure(request: Request, error: Exception) -> JSONResponse:
    request_id = _request_id(request)
    log.error("Request %s failed", request_id, exc_info=error)
    message = f"The server failed. Its log tells why, under the request id {request_id}."
    return error_response(request, 500, "InternalError", message)
