"""The description of an API in the OpenAPI format, with the errors as they really are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

ERRORS = {
    "400": "The request is not valid, or cannot be done as it is",
    "401": "No token, or one that has expired",
    "403": "The user lacks the right, or the token is not valid",
    "404": "The thing does not exist",
    "409": "The thing exists already, or is in a state in which this cannot be done to it",
    "413": "Larger than the server's settings allow",
    "503": "Airflow or the store is not ready; the request may be repeated",
}
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
"""FastAPI describes errors of a form, and with a status, that the error handlers replace."""


class ErrorDetail(BaseModel):
    """One of several things that are wrong."""

    Code: str
    Message: str
    Target: str


class RootError(BaseModel):
    """What is wrong, with which thing, and what mends it."""

    Code: str
    Message: str
    Target: str
    Details: list[ErrorDetail]


class ErrorAnswer(BaseModel):
    """The one form of all errors."""

    Error: RootError
    Correlation: dict[str, str]


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of an application; made once, then remembered by the application."""
    if app.openapi_schema is None:
        document = app.openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in _FASTAPIS_OWN:
            schemas.pop(name, None)
        ours = ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(ours.pop("$defs"), ErrorAnswer=ours)
        for path in document["paths"].values():
            for operation in path.values():
                _put_errors(operation["responses"])
    return app.openapi()


def _put_errors(responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
    for status, meaning in ERRORS.items():
        responses[status] = {"description": meaning, "content": content}
