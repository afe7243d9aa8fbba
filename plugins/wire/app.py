"""The FastAPI application. Nothing in it answers without a user and a right, and its errors have the one shape."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from airloom import __version__
from airloom.plugins.airflow_gateway import READ
from airloom.plugins.api.auth import requires
from airloom.plugins.api.document import describe
from airloom.plugins.api.errors import add_error_handlers
from airloom.plugins.wire.routes import endpoints, pipelines, runs, schedules, steps, submits

RESOURCES = (submits, runs, steps, pipelines, endpoints, schedules)


def create_app() -> FastAPI:
    """The application, to be mounted at addresses.URL_PREFIX."""
    app = FastAPI(
        title="Airloom, in the shape of Azure ML's pipeline service v1",
        version=__version__,
        description="For callers that were written for Azure ML: they change the host and the token.",
        openapi_url=None,  # FastAPI's own route asks for no user
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )

    @app.get("/openapi.json", include_in_schema=False)
    def openapi(_: None = requires(READ)) -> dict[str, Any]:
        """The description of this API in the OpenAPI format."""
        return describe(app)

    for resource in RESOURCES:
        app.include_router(resource.router)
    for route in app.routes:
        if isinstance(route, Route):
            # The original service takes its paths in any case of letters, and clients rely on it.
            route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
    add_error_handlers(app)
    return app
