"""The SDK's test server with what pipelines need beside: snapshots, submission, steps, logs, explanations.

Runs go as the test scripts them: every look at a run makes the next of its `moments` happen.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from airloom.errors import AirloomError, AlreadyExists, IntegrityError, NotFound
from airloom.graph.canonical import digest_bytes
from airloom.graph.model import PipelineGraph
from airloom.graph.parse import parse_graph
from airloom.graph.validate import check_parameters, raise_problems, validate_graph
from airloom.storage.tree import TreeManifest
from tests.unit.sdk_core.server import API, NOW, Handler, State, answer, check
from tests.unit.sdk_pipeline.published import Conflict, Published

SUBMITTED = {
    "graph",
    "parameters",
    "tags",
    "properties",
    "description",
    "reuse",
    "regenerate_outputs",
    "display_name",
    "continue_on_step_failure",
}


class Outage(AirloomError):
    """The server itself fails."""


Moment = Callable[[], None]


class PipelineState(State):
    """What the server knows of snapshots and runs."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.blobs: dict[str, bytes] = {}
        self.snapshots: dict[str, TreeManifest] = {}
        self.submitted: list[dict[str, Any]] = []
        self.steps: dict[str, dict[str, dict[str, Any]]] = {}
        self.logs: dict[tuple[str, str, str], str] = {}
        self.explanations: dict[str, list[dict[str, Any]]] = {}
        self.moments: dict[str, list[Moment]] = {}
        self.outages = 0
        self.published = Published(self)

    def add_blobs(self, body: bytes) -> dict[str, int]:
        """The frames of an upload; each must hold what its digest says."""
        position = count = 0
        while position < len(body):
            digest = body[position : position + 64].decode()
            size = int.from_bytes(body[position + 64 : position + 72], "big")
            content = body[position + 72 : position + 72 + size]
            if digest_bytes(content) != digest:
                raise IntegrityError(f"The content of {digest} is something else.")
            self.blobs[digest] = content
            position, count = position + 72 + size, count + 1
        return {"files": count, "bytes": len(body)}

    def add_snapshot(self, digest: str, document: dict[str, Any]) -> dict[str, Any]:
        """A manifest all of whose files are there."""
        manifest = TreeManifest.model_validate(document)
        missing = [entry.path for entry in manifest.entries if entry.digest not in self.blobs]
        if missing or manifest.digest != digest:
            raise IntegrityError(f"The snapshot lacks {missing}.")
        self.snapshots[digest] = manifest
        return {"digest": digest, "files": len(manifest.entries), "size": manifest.total_size}

    def submit(self, workspace: str, experiment: str, body: dict[str, Any]) -> dict[str, Any]:
        """A new run, none of whose steps has started."""
        check(body, SUBMITTED)
        graph = parse_graph(body["graph"])
        computes, datastores = self.of(workspace, "computes"), self.of(workspace, "datastores")
        raise_problems(validate_graph(graph, datastores=datastores, computes=computes))
        lacking = [step.id for step in graph.steps if step.settings.snapshot not in self.snapshots]
        if lacking:
            raise NotFound(f"The snapshots of {lacking} are not there.")
        self.submitted.append(body)
        run_id = str(uuid.uuid4())
        labels = {key: body[key] for key in ("tags", "description", "display_name", "reuse") if key in body}
        return self.start(workspace, run_id, experiment, graph, check_parameters(graph, body["parameters"]), **labels)

    def start(
        self,
        workspace: str,
        run_id: str,
        experiment: str,
        graph: PipelineGraph,
        parameters: dict[str, Any],
        **facts: Any,
    ) -> dict[str, Any]:
        """A run of a graph, however it came to be submitted."""
        run = self.add_run(run_id, experiment, workspace, status="NotStarted", parameters=parameters, **facts)
        self.steps[run_id] = {step.id: a_state(step.id, step.name) for step in graph.steps}
        self.of(workspace, "graphs")[run_id] = graph.model_dump(mode="json")
        return run

    def look(self, workspace: str, run_id: str) -> dict[str, Any]:
        """The run as it is now; while there are outages left, the server fails."""
        if self.outages:
            self.outages -= 1
            raise Outage("The database does not answer.")
        if self.moments.get(run_id):
            self.moments[run_id].pop(0)()
        return self.one(workspace, "runs", run_id)

    def step(self, run_id: str, step_id: str, **changes: Any) -> None:
        """Change the state of a step."""
        self.steps[run_id][step_id].update(changes)

    def end(self, run_id: str, status: str, **changes: Any) -> None:
        """End a run."""
        self.of("default", "runs")[run_id].update(status=status, ended_at=NOW, **changes)


def a_state(step_id: str, name: str, **changes: Any) -> dict[str, Any]:
    """A step that has not started."""
    return {
        "step_id": step_id,
        "name": name,
        "status": "NotStarted",
        "reused": False,
        "reused_from": None,
        "started_at": None,
        "ended_at": None,
        "seconds": None,
        "outputs": {},
        "attempt": None,
        "reason": "",
        **changes,
    }


def answer_pipeline(
    state: PipelineState, method: str, parts: list[str], query: dict[str, str], body: bytes
) -> tuple[Any, dict[str, str]] | None:
    """Answer and headers of the routes that pipelines need; None for all others."""
    match [method, *parts[:1], *parts[2:]]:
        case ["POST", "workspaces", "snapshots", "missing"]:
            return {"missing": [d for d in json.loads(body)["digests"] if d not in state.blobs]}, {}
        case ["PUT", "workspaces", "snapshots", "blobs"]:
            return state.add_blobs(body), {}
        case ["PUT", "workspaces", "snapshots", digest]:
            return state.add_snapshot(digest, json.loads(body)), {}
        case ["GET", "workspaces", "snapshots", digest]:
            if digest not in state.snapshots:
                raise NotFound(f"There is no snapshot {digest}.")
            return state.snapshots[digest].model_dump(mode="json"), {}
        case ["POST", "workspaces", "experiments", experiment, "runs"]:
            return state.submit(parts[1], experiment, json.loads(body)), {}
        case ["GET", "workspaces", "runs", run_id]:
            return state.look(parts[1], run_id), {}
        case ["GET", "workspaces", "runs", run_id, *rest] if rest:
            state.one(parts[1], "runs", run_id)
            return answer_run(state, parts[1], run_id, rest, query)
    return None


def answer_run(
    state: PipelineState, workspace: str, run_id: str, rest: list[str], query: dict[str, str]
) -> tuple[Any, dict[str, str]]:
    """The routes below a run."""
    match rest:
        case ["graph"]:
            return {"graph": state.of(workspace, "graphs")[run_id]}, {}
        case ["steps"]:
            return {"steps": list(state.steps[run_id].values())}, {}
        case ["explain"]:
            wanted = query.get("step")
            found = [e for e in state.explanations[run_id] if wanted in (None, e["step_id"], e["name"])]
            return {"steps": found}, {}
        case ["steps", step_id, "logs", stream]:
            if (run_id, step_id, stream) not in state.logs:
                raise NotFound("There is no log yet.")
            whole = state.logs[run_id, step_id, stream].encode()
            piece = whole[int(query["offset"]) :][:1000]
            return piece, {"X-Next-Offset": str(int(query["offset"]) + len(piece))}
        case ["steps", step_id, "artifacts"]:
            return {"artifacts": [{"path": f"outputs/{step_id}.txt", "size": 4}]}, {}
        case ["steps", step_id, "artifacts", *_]:
            return step_id.encode(), {}
    raise NotFound("There is no such route.")


class PipelineHandler(Handler):
    """One request."""

    state: PipelineState

    def do_any(self) -> None:
        """Answer, whatever the method."""
        parts = urlsplit(self.path)
        names = [unquote(part) for part in parts.path.removeprefix(API).split("/")]
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/auth/token" or self._unknown_token():
            super().do_any()
            return
        body = self._body()
        self.state.requests.append((self.command, unquote(parts.path)))
        try:
            found = self._answer_published(names, query, body)
            found = found or answer_pipeline(self.state, self.command, names, query, body)
            if found is None:
                found = answer(self.state, self.command, names, query, body), {}
            self._extra = found[1]
            self._send(200, found[0])
        except AirloomError as error:
            self._extra = {}
            status = {NotFound: 404, AlreadyExists: 409, Conflict: 409, Outage: 500}.get(type(error), 400)
            self._error(status, error.code, str(error))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    _extra: dict[str, str] = {}  # noqa: RUF012

    def _answer_published(
        self, names: list[str], query: dict[str, str], body: bytes
    ) -> tuple[Any, dict[str, str]] | None:
        if names[2:3] not in (["pipelines"], ["endpoints"], ["schedules"], ["drafts"]):
            return None
        document = json.loads(body) if body else {}
        key = self.headers.get("idempotency-key") or str(uuid.uuid4())
        answered = self.state.published.answer(self.command, names[1], names[2:], query, document, key)
        return answered, {}

    def _unknown_token(self) -> bool:
        return self.headers.get("authorization", "").removeprefix("Bearer ") not in self.state.valid_tokens

    def end_headers(self) -> None:
        """Add the headers that belong to the answer."""
        for name, value in self._extra.items():
            self.send_header(name, value)
        self._extra = {}
        super().end_headers()


@contextmanager
def running(root: Path) -> Iterator[tuple[str, PipelineState]]:
    """The address of a running server, and its state."""
    state = PipelineState(root)
    handler = type("BoundHandler", (PipelineHandler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
