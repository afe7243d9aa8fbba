"""The REST API of a running server, Airflow's own above all, as a user would call it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.server import RunningServer


class AirflowApi:
    """Signed in as the server's administrator."""

    def __init__(self, server: RunningServer) -> None:
        (password,) = json.loads((server.home / "airflow" / "passwords.json").read_text()).values()
        self._http = httpx.Client(base_url=server.url, timeout=30)
        self.url = server.url
        answer = self._http.post("/auth/token", json={"username": "admin", "password": password})
        self.token = str(answer.json()["access_token"])
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *failure: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """What lies at a path below /api/v2."""
        return self._http.get(f"/api/v2{path}").raise_for_status().json()

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The answer to a POST below /api/v2."""
        return self._http.post(f"/api/v2{path}", json=body)

    def send(self, method: str, path: str, content: bytes) -> httpx.Response:
        """The answer to any request to the server, with a body that may be anything."""
        return self._http.request(method, path, content=content, headers={"Content-Type": "application/json"})

    def wait_for_dag(self, dag_id: str) -> None:
        """Return once Airflow has parsed a DAG."""
        eventually(lambda: self._http.get(f"/api/v2/dags/{dag_id}/details").is_success)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Run a DAG to its end, which must be a success; returns the run's id."""
        answer = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        run_id = str(answer.raise_for_status().json()["dag_run_id"])
        self.wait_for_run(dag_id, run_id)
        return run_id

    def wait_for_run(self, dag_id: str, run_id: str) -> None:
        """Return once a run has ended, which must be a success."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        eventually(lambda: self.get(path)["state"] in ("success", "failed"))
        assert self.get(path)["state"] == "success", self.task_states(dag_id, run_id)

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The state of each task of a run."""
        tasks = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear one task of a run and no other, and wait for the run's end."""
        asked = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        self.post(f"/dags/{dag_id}/clearTaskInstances", asked).raise_for_status()
        self.wait_for_run(dag_id, run_id)

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """What a task wrote to its log."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        return "\n".join(str(line["event"]) for line in self.get(path)["content"])


def eventually(condition: Callable[[], object], seconds: float = 90) -> None:
    """Return once the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
