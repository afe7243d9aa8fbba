"""The FastAPI application: routers, error handlers and the authorised OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from airloom import __version__
from airloom.errors import AirloomError
from airloom.plugins import publishing, schedule_documents
from airloom.plugins import workspaces as workspaces_of_deployment
from airloom.plugins.airflow_gateway import AIRFLOW_VERSION, READ
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.document import describe
from airloom.plugins.api.errors import add_error_handlers
from airloom.plugins.api.routes import (
    computes,
    datasets,
    datastores,
    drafts,
    endpoints,
    experiments,
    files,
    graphs,
    pipelines,
    runs,
    schedules,
    snapshots,
    steps,
    tables,
    upkeep,
    workspaces,
)
from airloom.plugins.pages.router import router as pages
from airloom.plugins.settings import load_settings

URL_PREFIX = "/airloom"
API_PREFIX = "/api/v1"
RESOURCES = (
    workspaces,
    datastores,
    files,
    datasets,
    tables,
    computes,
    snapshots,
    experiments,
    graphs,
    runs,
    steps,
    pipelines,
    endpoints,
    drafts,
    schedules,
    upkeep,
)

log = logging.getLogger(__name__)

_server = APIRouter(tags=["server"])


@_server.get(f"{API_PREFIX}/health", summary="Tell that the server answers, and its versions")
def health(_: None = requires(READ)) -> schemas.Health:
    """Answers only to a user who may log in, like everything else."""
    return schemas.Health(version=__version__, airflow_version=AIRFLOW_VERSION)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The default workspace is there before the first request: hand-written DAGs use it and send none.

    And what a server that died has left undone is made up for.
    """
    try:
        await run_in_threadpool(workspaces_of_deployment.ensure_default, load_settings())
        await run_in_threadpool(publishing.mend_index, load_settings())
    except (AirloomError, OSError, SQLAlchemyError) as error:
        log.warning("The server could not prepare itself; requests will do it when they have to: %s", error)
    mending = asyncio.create_task(run_in_threadpool(_mend_schedules))
    yield
    await mending


def _mend_schedules() -> None:
    """Takes its time where there are many; requests need not wait for it."""
    try:
        schedule_documents.reconcile(load_settings())
    except (AirloomError, OSError, SQLAlchemyError) as error:
        log.warning("Schedules could not be compared with their documents; the next start will try again: %s", error)


def create_app() -> FastAPI:
    """The application, to be mounted at URL_PREFIX. Nothing in it answers without a user and a right."""
    app = FastAPI(
        title="Airloom",
        version=__version__,
        description="Azure-ML-style machine-learning pipelines on Apache Airflow.",
        openapi_url=None,  # FastAPI's own route asks for no user
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )

    @app.get("/openapi.json", include_in_schema=False)
    def openapi(_: None = requires(READ)) -> dict[str, Any]:
        """The description of this API in the OpenAPI format."""
        return describe(app)

    app.include_router(_server)
    for resource in RESOURCES:
        app.include_router(resource.router, prefix=API_PREFIX)
    app.include_router(pages)
    add_error_handlers(app)
    return app
