"""A user of schedules at a running server: plain HTTP, and a pipeline of one step that is over at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from airloom.graph.canonical import digest_bytes
from airloom.graph.model import ParameterDef, ParameterValue, PipelineGraph, PythonScriptSettings, Step
from airloom.storage.object_store import open_store
from airloom.storage.tree import TreeEntry, TreeManifest
from airloom.storage.workspace import WorkspaceStore
from tests.support.server import RunningServer

WAIT_SECONDS = 120
SCRIPT = b"print('done')\n"
API = "/airloom/api/v1/workspaces/default"
Found = TypeVar("Found")


class Desk:
    """Signed in as the server's administrator; signs in again when the server was started anew."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.http = httpx.Client(timeout=60)
        self.sign_in()

    def sign_in(self) -> None:
        address = json.loads((self.server.home / "config.json").read_text())["airloom"]["endpoint"]
        (password,) = json.loads((self.server.home / "airflow" / "passwords.json").read_text()).values()
        self.http.base_url = httpx.URL(address)
        answer = self.http.post("/auth/token", json={"username": "admin", "password": password})
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """An answer of Airloom's API, which must be a good one."""
        answer = self.http.request(method, f"{API}/{path}", json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def airflow(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The same of Airflow's own API."""
        answer = self.http.request(method, f"/api/v2/{path}", json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def publish(self, name: str) -> dict[str, Any]:
        """Publish a pipeline whose run tells its parameter `at`."""
        manifest = TreeManifest(entries=(TreeEntry(path="main.py", size=len(SCRIPT), digest=digest_bytes(SCRIPT)),))
        store = WorkspaceStore(open_store(self.server.store.as_uri()), "default")
        store.put_blob(digest_bytes(SCRIPT), SCRIPT)
        store.put_snapshot(manifest)
        settings = PythonScriptSettings(script_name="main.py", snapshot=manifest.digest)
        graph = PipelineGraph(
            parameters=(ParameterDef(name="at", type="string", default="never"),),
            steps=(Step(id="one", name="one", settings=settings, params={"at": ParameterValue(parameter="at")}),),
        )
        return self.ask("POST", "pipelines", {"name": name, "graph": graph.model_dump(mode="json")})

    def schedule(self, **fields: Any) -> dict[str, Any]:
        """Make a schedule whose runs are told the instant for which they were started."""
        body = {"name": f"s-{uuid4().hex}", "experiment": "scheduled", "parameters": {"at": "@trigger().scheduledTime"}}
        return self.ask("POST", "schedules", {**body, **fields})

    def change(self, schedule: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return self.ask("PATCH", f"schedules/{schedule['id']}", fields)

    def runs(self, schedule: dict[str, Any]) -> list[dict[str, Any]]:
        """The runs that a schedule has started, the newest first."""
        return list(self.ask("GET", f"schedules/{schedule['id']}/runs")["runs"])

    def firings(self, schedule: dict[str, Any]) -> list[dict[str, Any]]:
        """The runs of a schedule's own DAG in Airflow, the newest first."""
        path = f"dags/{schedule['dag_id']}/dagRuns?order_by=-run_after"
        return list(self.airflow("GET", path)["dag_runs"])

    def wait_for_runs(self, schedule: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """The runs once there are so many; and there are no more, as all firings are over by then."""

        def enough() -> list[dict[str, Any]] | None:
            over = all(firing["state"] in ("success", "failed") for firing in self.firings(schedule))
            runs = self.runs(schedule)
            return runs if over and len(runs) >= count else None

        runs = until(enough, f"{count} runs")
        assert len(runs) == count
        return runs

    def task(self, schedule: dict[str, Any], firing: str) -> str | None:
        """The state of the task of a firing."""
        path = f"dags/{schedule['dag_id']}/dagRuns/{firing}/taskInstances"
        (task,) = self.airflow("GET", path)["task_instances"]
        return str(task["state"]) if task["state"] else None


def shortly() -> datetime:
    """An instant that comes soon, but not before it can be written into a schedule on a busy machine."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)


def naive(instant: datetime) -> str:
    """As a start_time in UTC."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S")


def until(found: Callable[[], Found | None], what: str) -> Found:
    """What a function finds in the end."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (value := found()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about within {WAIT_SECONDS} s")
        time.sleep(0.3)
    return value
