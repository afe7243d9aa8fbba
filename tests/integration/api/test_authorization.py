"""Nothing answers without a user and a right, and each role can do what it should and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.integration.api.server import ROLES, ApiServer

LIST_ROUTES = """
import json
from fastapi.routing import APIRoute
from airloom.plugins.plugin import AirloomPlugin
from airloom.plugins.api.auth import Guard

def guarded(dependant):
    return isinstance(dependant.call, Guard) or any(guarded(each) for each in dependant.dependencies)

print(json.dumps([
    {"path": route.path, "api": isinstance(route, APIRoute), "guarded": guarded(getattr(route, "dependant", None))}
    for mounted in AirloomPlugin().fastapi_apps
    for route in mounted["app"].routes
]))
"""


@pytest.fixture(scope="module")
def routes(sqlite_server: ApiServer) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIST_ROUTES],
        env=sqlite_server.environment,
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_route_asks_for_a_right(routes: list[dict[str, Any]]) -> None:
    """In both APIs; also /openapi.json and /health, and there are no mounts or documentation pages beside them."""
    assert len(routes) > 70
    assert [route["path"] for route in routes if not (route["api"] and route["guarded"])] == []


AS_AZURE_ML = "/v1.0/subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/default"
NOBODYS = (
    *(f"/airloom{path}" for path in ("/openapi.json", "/api/v1/health", "/api/v1/workspaces", "/docs", "/redoc", "/")),
    *(f"/pipelines{path}" for path in ("/openapi.json", f"{AS_AZURE_ML}/Pipelines", "/docs", "/redoc", "/")),
)


@pytest.mark.parametrize("path", NOBODYS)
def test_nobody_gets_nothing(sqlite_server: ApiServer, path: str) -> None:
    """A request without a token, or with a wrong one, gets no answer but a refusal."""
    for headers in ({}, {"authorization": "Bearer not-a-token"}, {"cookie": "_token=not-a-token"}):
        answer = httpx.get(f"{sqlite_server.url}{path}", headers=headers)
        assert answer.status_code in (401, 403, 404)
        assert set(answer.json()) == {"Error", "Correlation"}


ALL = ROLES
FROM_USER = ("user", "op", "admin")
FROM_OP = ("op", "admin")
DIGEST = "0" * 64
MATRIX = [
    ("GET", "/health", ALL),
    ("GET", "/workspaces", ALL),
    ("POST", "/workspaces", FROM_OP),
    ("GET", "/workspaces/default", ALL),
    ("DELETE", "/workspaces/none", FROM_OP),
    ("PUT", "/workspaces/default/default_datastore", FROM_OP),
    ("GET", "/workspaces/default/datastores", FROM_USER),
    ("POST", "/workspaces/default/datastores", FROM_OP),
    ("GET", "/workspaces/default/datastores/workspaceblobstore", FROM_USER),
    ("DELETE", "/workspaces/default/datastores/none", FROM_OP),
    ("GET", "/workspaces/default/datastores/workspaceblobstore/digest", FROM_USER),
    ("GET", "/workspaces/default/datastores/workspaceblobstore/files", FROM_USER),
    ("GET", "/workspaces/default/datastores/workspaceblobstore/files/none", FROM_USER),
    ("PUT", "/workspaces/default/datastores/none/files/a", FROM_USER),
    ("DELETE", "/workspaces/default/datastores/workspaceblobstore/files/none", FROM_USER),
    ("GET", "/workspaces/default/computes", ALL),
    ("POST", "/workspaces/default/computes", FROM_OP),
    ("GET", "/workspaces/default/computes/none", ALL),
    ("PATCH", "/workspaces/default/computes/none", FROM_OP),
    ("DELETE", "/workspaces/default/computes/none", FROM_OP),
    ("POST", "/workspaces/default/datasets", FROM_USER),
    ("GET", "/workspaces/default/datasets", FROM_USER),
    ("POST", "/workspaces/default/datasets/by-name/none/versions", FROM_USER),
    ("GET", "/workspaces/default/datasets/by-name/none/versions", FROM_USER),
    ("GET", "/workspaces/default/datasets/by-name/none/versions/1", FROM_USER),
    ("GET", "/workspaces/default/datasets/by-name/none/versions/1/content", FROM_USER),
    ("PATCH", "/workspaces/default/datasets/by-name/none/versions/1", FROM_USER),
    ("DELETE", "/workspaces/default/datasets/by-name/none/versions/1", FROM_USER),
    ("DELETE", "/workspaces/default/datasets/by-name/none", FROM_USER),
    ("GET", "/workspaces/default/datasets/none", FROM_USER),
    ("GET", "/workspaces/default/datasets/none/preview", FROM_USER),
    ("GET", "/workspaces/default/datasets/none/profile", FROM_USER),
    ("POST", "/workspaces/default/snapshots/missing", FROM_USER),
    ("PUT", "/workspaces/default/snapshots/blobs", FROM_USER),
    ("PUT", f"/workspaces/default/snapshots/{DIGEST}", FROM_USER),
    ("GET", f"/workspaces/default/snapshots/{DIGEST}", FROM_USER),
    ("GET", "/workspaces/default/experiments", ALL),
    ("POST", "/workspaces/default/experiments", FROM_USER),
    ("GET", "/workspaces/default/experiments/none", ALL),
    ("PATCH", "/workspaces/default/experiments/none", FROM_USER),
    ("POST", "/workspaces/default/graphs/validate", FROM_USER),
    ("POST", "/workspaces/default/experiments/e/runs", FROM_USER),
    ("GET", "/workspaces/default/runs", ALL),
    ("GET", "/workspaces/default/runs/none", ALL),
    ("PATCH", "/workspaces/default/runs/none", FROM_USER),
    ("POST", "/workspaces/default/runs/none/cancel", FROM_USER),
    ("POST", "/workspaces/default/runs/none/resume", FROM_USER),
    ("GET", "/workspaces/default/runs/none/graph", ALL),
    ("GET", "/workspaces/default/runs/none/steps", ALL),
    ("GET", "/workspaces/default/runs/none/explain", ALL),
    ("GET", "/workspaces/default/runs/none/steps/a/logs/stdout", ALL),
    ("GET", "/workspaces/default/runs/none/steps/a/artifacts", ALL),
    ("GET", "/workspaces/default/runs/none/steps/a/artifacts/b", ALL),
    ("POST", "/workspaces/default/pipelines", FROM_USER),
    ("GET", "/workspaces/default/pipelines", ALL),
    ("GET", "/workspaces/default/pipelines/none", ALL),
    ("GET", "/workspaces/default/pipelines/none/graph", ALL),
    ("PATCH", "/workspaces/default/pipelines/none", FROM_USER),
    ("POST", "/workspaces/default/pipelines/none/runs", FROM_USER),
    ("POST", "/workspaces/default/endpoints", FROM_USER),
    ("GET", "/workspaces/default/endpoints", ALL),
    ("GET", "/workspaces/default/endpoints/none", ALL),
    ("PATCH", "/workspaces/default/endpoints/none", FROM_USER),
    ("POST", "/workspaces/default/endpoints/none/versions", FROM_USER),
    ("POST", "/workspaces/default/endpoints/none/archive", FROM_USER),
    ("POST", "/workspaces/default/endpoints/none/reactivate", FROM_USER),
    ("POST", "/workspaces/default/endpoints/none/runs", FROM_USER),
    ("GET", "/workspaces/default/schedules", ALL),
    ("POST", "/workspaces/default/schedules", FROM_USER),
    ("GET", "/workspaces/default/schedules/none", ALL),
    ("PATCH", "/workspaces/default/schedules/none", FROM_USER),
    ("GET", "/workspaces/default/schedules/none/runs", ALL),
    ("POST", "/workspaces/default/drafts", FROM_USER),
    ("GET", "/workspaces/default/drafts", ALL),
    ("GET", "/workspaces/default/drafts/none", ALL),
    ("GET", "/workspaces/default/drafts/none/graph", ALL),
    ("PATCH", "/workspaces/default/drafts/none", FROM_USER),
    ("DELETE", "/workspaces/default/drafts/none", FROM_USER),
    ("POST", "/workspaces/default/drafts/none/runs", FROM_USER),
    ("POST", "/workspaces/default/drafts/none/publish", FROM_USER),
    ("POST", "/workspaces/none/gc", FROM_OP),
    ("POST", "/workspaces/none/verify", FROM_OP),
]


@pytest.fixture(scope="module")
def signed_in(sqlite_server: ApiServer) -> dict[str, httpx.Client]:
    return {role: sqlite_server.http(role) for role in ROLES}


@pytest.mark.parametrize(("method", "path", "allowed"), MATRIX, ids=[f"{m} {p}" for m, p, _ in MATRIX])
def test_roles(signed_in: dict[str, httpx.Client], method: str, path: str, allowed: tuple[str, ...]) -> None:
    """403 exactly for the roles that may not; the others get past the guard to whatever the request deserves."""
    # A harmless body that no route accepts, so that nothing is changed by being allowed.
    body = {"content": b"x"} if "/files/" in path or path.endswith("/blobs") else {"json": {"nonsense": 1}}
    sent = body if method in ("POST", "PUT", "PATCH") else {}
    statuses = {role: client.request(method, path, **sent).status_code for role, client in signed_in.items()}
    assert {role for role, status in statuses.items() if status != 403} == set(allowed), statuses
    assert all(status < 500 for status in statuses.values()), statuses


def test_the_matrix_is_complete(routes: list[dict[str, Any]]) -> None:
    """A new route must be added to the matrix."""
    assert len(MATRIX) == len([route for route in routes if route["path"].startswith("/api/")])


def test_refusals_say_what_is_missing(sqlite_server: ApiServer) -> None:
    """The message names the user and the right in Airflow's words."""
    answer = sqlite_server.http("viewer").post("/workspaces", json={"name": "other"})
    # The body is valid: the right alone is what is missing.
    assert answer.status_code == 403
    assert answer.json()["Error"]["Message"] == "User 'viewer' lacks the right to POST on connections."


def test_openapi_describes_every_route(sqlite_server: ApiServer) -> None:
    """The document is there for who may read, and each operation has a summary and a tag."""
    document = sqlite_server.client("viewer").openapi()
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(MATRIX)
    assert all(each["summary"] and each["tags"] for each in operations)
