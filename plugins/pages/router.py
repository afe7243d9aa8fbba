"""The routes of the pages. They take the same rights as the API, and answer a person without them in words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from airloom.errors import NotFound
from airloom.plugins.airflow_gateway import (
    READ_LOGS,
    READ_RUN,
    SUBMIT,
    BaseUser,
    CurrentUser,
    is_allowed,
    open_session,
)
from airloom.plugins.api.auth import requires
from airloom.plugins.api.deps import SessionDep, SettingsDep
from airloom.plugins.pages import addresses, files, render
from airloom.plugins.pages.find import FoundRun, dag_of, find_run
from airloom.plugins.pages.view import Rights, RunView
from airloom.plugins.workspaces import open_storage


class PageRoute(APIRoute):
    """A route whose errors are pages too: a person reads them, not a program."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wraps the handler, dependencies included."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                return _refusal(request, error)
            except NotFound as error:
                return render.message(404, "Not found", str(error))

        return answer


def _refusal(request: Request, error: HTTPException) -> Response:
    """To the login page when nobody is signed in, and back afterwards; else what is missing."""
    if error.status_code != 401:
        return render.message(error.status_code, "No access", str(error.detail))
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(addresses.login(_own_address(request)), 303)
    return render.message(401, "Not signed in", "Sign in to Airflow, then open this page again.")


def _own_address(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}"


def dag_of_page(request: Request) -> str | None:
    """The DAG id of the run named in the address; None if there is no such run."""
    with open_session() as session:
        return dag_of(session, request.path_params["run_id"], request.query_params.get("dag_id"))


DagId = Annotated[str | None, Query(description="Needed for a run that was started in Airflow.")]
router = APIRouter(
    prefix="/runs/{run_id}",
    route_class=PageRoute,
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[requires(READ_RUN, dag_of_page)],
)


@router.get("")
def run_page(
    run_id: str, session: SessionDep, settings: SettingsDep, user: CurrentUser, dag_id: DagId = None
) -> HTMLResponse:
    """What each step of a run did, why, and what it left."""
    run, steps = find_run(session, settings, run_id, dag_id)
    view = RunView(session, run, open_storage(settings, run.workspace), _rights(user, run))
    return render.page("run.html", run=view.make(steps))


@router.get("/steps/{step_id}")
def step_files_page(
    run_id: str, step_id: str, session: SessionDep, settings: SettingsDep, user: CurrentUser, dag_id: DagId = None
) -> HTMLResponse:
    """The files that a step left, each to be downloaded."""
    run, steps = find_run(session, settings, run_id, dag_id)
    step = files.find_step(steps, step_id)
    return render.page(
        "files.html", page=files.make(run, step, open_storage(settings, run.workspace), _rights(user, run))
    )


def _rights(user: BaseUser, run: FoundRun) -> Rights:
    return Rights(logs=is_allowed(user, READ_LOGS, run.dag_id), files=is_allowed(user, SUBMIT))
