"""A caller that was written for the original service: HTTP and JSON, and addresses as that service gives them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx

from airloom.graph.model import FilesSource, ParameterDef, PipelineGraph
from tests.integration.api.bench import WORKSPACE, graph
from tests.integration.api.server import ApiServer
from tests.support.builders import a_path

BASE = (
    "/pipelines/v1.0/subscriptions/0c3a/resourceGroups/my group/providers/Microsoft.MachineLearningServices/workspaces"
)
EXPERIMENT = "by wire"
Json = Any


def with_every_kind_of_parameter() -> PipelineGraph:
    """The pipeline of the bench, with a parameter of each type."""
    data = a_path("workspaceblobstore/raw")
    return graph(
        parameters=(
            ParameterDef(name="rate", type="int", default=10),
            ParameterDef(name="share", type="float", default=0.5),
            ParameterDef(name="fast", type="bool", default=False),
            ParameterDef(name="style", type="string", default="candy"),
            ParameterDef(name="data", type="datapath", default=data),
            ParameterDef(name="files", type="dataset", default=FilesSource(locations=(data.location,))),
        )
    )


class WireCaller:
    """Requests of a user, or of nobody. Paths are below the workspace."""

    def __init__(self, server: ApiServer, role: str | None = "user", workspace: str = WORKSPACE) -> None:
        self.server = server
        self.workspace = workspace
        self.native = server.http(role)
        headers = {"Authorization": self.native.headers.get("Authorization", "")} if role else {}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=60)
        server.opened.callback(self.http.close)

    def ask(
        self, method: str, path: str, body: Json = None, headers: dict[str, str] | None = None, **changes: Any
    ) -> httpx.Response:
        content = changes.get("content", json.dumps(body) if body is not None else None)
        return self.http.request(
            method,
            f"{BASE}/{self.workspace}/{path}",
            content=content,
            headers={"Content-Type": "application/json", **(headers or {})},
        )

    def get(self, path: str) -> Json:
        return done(self.ask("GET", path))

    def post(self, path: str, body: Json) -> Json:
        return done(self.ask("POST", path, body))

    def submit(self, pipeline_id: str, **body: Any) -> Json:
        return self.post(f"PipelineRuns/PipelineSubmit/{pipeline_id}", {"ExperimentName": EXPERIMENT, **body})

    def publish(self, name: str = "", pipeline: PipelineGraph | None = None, **fields: Any) -> Json:
        """Publish by the other API: the original service had no route for that a script would call."""
        body = {
            "name": name or f"pipeline {uuid4().hex[:8]}",
            "graph": (pipeline or with_every_kind_of_parameter()).model_dump(mode="json"),
            **fields,
        }
        return made(self.native.post(f"/workspaces/{self.workspace}/pipelines", json=body))

    def endpoint(self, *pipelines: Json, name: str = "") -> Json:
        """An endpoint of published pipelines, the first of them its default."""
        body = {"name": name or f"endpoint {uuid4().hex[:8]}", "pipeline_id": pipelines[0]["id"]}
        path = f"/workspaces/{self.workspace}/endpoints"
        endpoint = made(self.native.post(path, json=body))
        for pipeline in pipelines[1:]:
            endpoint = made(self.native.post(f"{path}/{endpoint['id']}/versions", json={"pipeline_id": pipeline["id"]}))
        return endpoint

    def everything(self) -> Json:
        """All that a refused request must leave as it was."""
        listed = ("runs?limit=1000", "experiments", "pipelines?limit=1000&active_only=false", "endpoints")
        return [self.native.get(f"/workspaces/{self.workspace}/{path}").raise_for_status().json() for path in listed]


def done(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    return answer.json()


def made(answer: httpx.Response) -> Json:
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int) -> str:
    """The message of a refusal, which must have the one shape."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"Error", "Correlation"}
    assert set(body["Error"]) == {"Code", "Message", "Target", "Details"}
    assert body["Correlation"]["request"] == answer.headers["x-request-id"]
    return str(body["Error"]["Message"])
