"""A plain HTTP client of the routes of published pipelines and endpoints."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.integration.api.bench import EXPERIMENT, WORKSPACE, Bench, graph


class Publisher:
    """Publishes the pipeline of the bench and runs it, as the user of a role."""

    def __init__(self, bench: Bench, role: str = "user") -> None:
        self.bench, self.server = bench, bench.server
        self.http = bench.server.http(role)

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """Like curl, it sends what JSON can write and no text can hold."""
        content = json.dumps(body) if body is not None else None
        headers = {"content-type": "application/json", **(headers or {})}
        return self.http.request(method, f"/workspaces/{WORKSPACE}/{path}", content=content, headers=headers)

    def publish(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "Prices", "graph": graph().model_dump(mode="json"), **fields}
        return self.done(self.ask("POST", "pipelines", body))

    def start(self, pipeline: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return self.done(self.ask("POST", f"pipelines/{pipeline['id']}/runs", {"experiment": EXPERIMENT, **fields}))

    def read(self, path: str) -> dict[str, Any]:
        return self.done(self.ask("GET", path), 200)

    def count_runs(self) -> int:
        return len(self.read("runs?limit=1000")["runs"])

    @staticmethod
    def done(answer: httpx.Response, status: int = 201) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        return dict(answer.json())
