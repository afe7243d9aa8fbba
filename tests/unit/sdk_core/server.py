"""A small server that answers as Airloom's REST API does, with state in memory and files in a folder.

It refuses what the real one refuses: missing tokens, unknown fields, names that are taken.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import TypeAdapter

from airloom.errors import AirloomError, AlreadyExists, NotFound
from airloom.storage.credentials import Credentials, credential_type
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    LocalConfig,
    ObjectStoreConfig,
    SqlConfig,
    parse_config,
)
from airloom.storage.local import LocalStore
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.saved_datasets import DatasetSource, SavedDatasets
from airloom.storage.stat_cache import null_cache
from airloom.storage.workspace import WorkspaceStore

NOW = "2026-07-01T10:00:00Z"
API = "/airloom/api/v1/"
USER, PASSWORD = "admin", "correct horse"
NOT_SHOWN = ("credentials", "overwrite", "create_if_not_exists", "skip_validation")
CONFIGS = (LocalConfig, AzureBlobConfig, AzureFileShareConfig, ObjectStoreConfig, SqlConfig)
PLACE_FIELDS = {field for config in CONFIGS for field in config.model_fields}
FIELDS = {
    "workspaces": {"name", "friendly_name", "description", "tags", "exist_ok"},
    "datastores": {*PLACE_FIELDS, "name", "type", "description", "tags", "properties", *NOT_SHOWN},
    "computes": {"name", "type", "provisioning", "description", "tags", "exist_ok"},
    "experiments": {"name", "description", "tags"},
}
CHANGES = {
    "computes": {"min_nodes", "max_nodes", "idle_seconds_before_scaledown", "description", "tags"},
    "experiments": {"description", "tags", "archived"},
    "runs": {"tags", "display_name", "description"},
}


class BadRequest(AirloomError):
    """The request itself is wrong."""

    code = "BadRequest"


class State:
    """What the server knows. Tests may look at it, and change runs as Airflow would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.saved = LocalStore(root / "saved")
        self.workspaces: dict[str, dict[str, Any]] = {}
        self.given: dict[str, dict[str, Any]] = {}
        self.parts: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.valid_tokens = {"token-0"}
        self.logins = 0
        self.listing: list[dict[str, Any]] | None = None
        self.statuses: dict[str, list[str]] = {}
        self.add_workspace({"name": "default"})

    def of(self, workspace: str, kind: str) -> dict[str, dict[str, Any]]:
        """The things of one kind in a workspace, by name."""
        if workspace not in self.workspaces:
            raise NotFound(f"There is no workspace {workspace!r}.")
        return self.parts.setdefault((workspace, kind), {})

    def add_workspace(self, body: dict[str, Any]) -> dict[str, Any]:
        """A workspace with its two datastores."""
        name = body["name"]
        if name in self.workspaces and not body.get("exist_ok"):
            raise AlreadyExists(f"There is a workspace {name!r} already.")
        if name not in self.workspaces:
            labels = {key: body.get(key) or "" for key in ("friendly_name", "description")}
            self.workspaces[name] = {
                "name": name,
                **labels,
                "tags": body.get("tags") or {},
                "default_datastore": "workspaceblobstore",
                "created_at": NOW,
                "created_by": USER,
            }
            for datastore in ("workspaceblobstore", "workspacefilestore"):
                self.add_datastore(name, {"name": datastore})
        return self.workspaces[name]

    def add_datastore(self, workspace: str, body: dict[str, Any]) -> dict[str, Any]:
        """A datastore in a folder of its own."""
        known, name = self.of(workspace, "datastores"), body["name"]
        if name in known and not body.get("overwrite"):
            raise AlreadyExists(f"There is a datastore {name!r} already.")
        shown = {"type": "local", "description": "", "tags": {}, "properties": {}, "created_at": NOW} | {
            key: value for key, value in body.items() if key not in NOT_SHOWN
        }
        if shown["type"] == "local":
            shown["root"] = body.get("root") or str(self.root / workspace / name)
            Path(shown["root"]).mkdir(parents=True, exist_ok=True)
        place = parse_config({key: value for key, value in shown.items() if key in {*PLACE_FIELDS, "name", "type"}})
        credentials = Credentials.model_validate(body.get("credentials") or {})
        self.given[name] = body
        known[name] = {
            **shown,
            **place.model_dump(exclude={"connection"}),
            "place": place.place,
            "credential_type": credential_type(shown["type"], credentials),
            "connection": credentials.connection or (f"{workspace}.{name}" if body.get("credentials") else None),
        }
        return self.datastore(workspace, name)

    def datastore(self, workspace: str, name: str) -> dict[str, Any]:
        """A datastore as it is shown."""
        entry = self.one(workspace, "datastores", name)
        return {**entry, "is_default": self.workspaces[workspace]["default_datastore"] == name}

    def files(self, workspace: str, name: str) -> LocalDatastore:
        """The files of a datastore, kept by the real thing."""
        entry = self.one(workspace, "datastores", name)
        return LocalDatastore(LocalConfig(name=name, root=entry["root"]), null_cache())

    def add_compute(self, workspace: str, body: dict[str, Any]) -> dict[str, Any]:
        """A compute target."""
        known, name = self.of(workspace, "computes"), body["name"]
        if name in known:
            raise AlreadyExists(f"There is a compute target {name!r} already.")
        provisioning = {key: value for key, value in body["provisioning"].items() if value is not None}
        known[name] = {
            "name": name,
            "type": body["type"],
            "provisioning": provisioning,
            "state": "Succeeded",
            "pool": f"{workspace}.{name}",
            "slots": provisioning["max_nodes"],
            "description": body.get("description") or "",
            "tags": body.get("tags") or {},
            "created_at": NOW,
        }
        return known[name]

    def add_experiment(self, workspace: str, body: dict[str, Any]) -> dict[str, Any]:
        """An experiment, or the one that is there."""
        fresh = {"workspace": workspace, "description": "", "tags": {}, "archived": False, "created_at": NOW}
        return self.of(workspace, "experiments").setdefault(body["name"], {**fresh, **body})

    def add_run(self, run_id: str, experiment: str, workspace: str = "default", **fields: Any) -> dict[str, Any]:
        """A run, as if it had been submitted."""
        self.add_experiment(workspace, {"name": experiment})
        run = {
            "id": run_id,
            "workspace": workspace,
            "experiment": experiment,
            "display_name": "",
            "status": "Running",
            "dag_id": f"{experiment}.0123456789abcdef",
            "url": f"http://server/dags/{run_id}",
            "created_at": NOW,
            "created_by": USER,
            "started_at": NOW,
            "ended_at": None,
            "description": "",
            "tags": {},
            "properties": {},
            "parameters": {},
            "reuse": "auto",
            "error": None,
            **fields,
        }
        self.of(workspace, "runs")[run_id] = run
        return run

    def run(self, workspace: str, run_id: str) -> dict[str, Any]:
        """A run as it is now; `statuses` scripts what it is at each look."""
        run = self.one(workspace, "runs", run_id)
        script = self.statuses.get(run_id)
        if script:
            run["status"] = script.pop(0)
        return run

    def resume(self, run: dict[str, Any]) -> None:
        """Let a run that has ended badly go on."""
        if run["status"] not in ("Failed", "Canceled"):
            raise BadRequest(f"The run {run['id']} is {run['status']}.")
        run["status"] = "NotStarted"

    def one(self, workspace: str, kind: str, name: str) -> dict[str, Any]:
        """One thing by name."""
        known = self.of(workspace, kind)
        if name not in known:
            raise NotFound(f"There is no {kind[:-1]} {name!r}.")
        return known[name]


def answer(state: State, method: str, parts: list[str], query: dict[str, str], body: bytes) -> Any:
    """What one request does; bytes are a file, None is an empty answer."""
    document = json.loads(body) if body and "files" not in parts else {}
    if parts[0] != "workspaces":
        raise NotFound("There is no such route.")
    if len(parts) == 1:
        if method == "POST":
            check(document, FIELDS["workspaces"])
            return state.add_workspace(document)
        return {"workspaces": list(state.workspaces.values())}
    workspace = parts[1]
    if len(parts) == 2:
        state.of(workspace, "datastores")
        return state.workspaces.pop(workspace) and None if method == "DELETE" else state.workspaces[workspace]
    if parts[2] == "default_datastore":
        state.one(workspace, "datastores", document["name"])
        state.workspaces[workspace]["default_datastore"] = document["name"]
        return state.workspaces[workspace]
    if parts[2] == "datasets":
        saved = SavedDatasets(WorkspaceStore(state.saved, workspace))
        if parts[3:4] == ["by-name"]:
            raise NotFound(f"Workspace {workspace!r} has no dataset {parts[4]!r}.")
        if method == "GET":
            return {"id": parts[3], "source": saved.get(parts[3]).model_dump(mode="json")}
        source = TypeAdapter(DatasetSource).validate_python(document["source"])
        return {"id": saved.save(source), "source": document["source"]}
    if parts[2] == "datastores" and len(parts) > 4:
        return answer_file(state, method, workspace, parts[3], "/".join(parts[5:]), query, body)
    return answer_thing(state, method, workspace, parts[2], parts[3:], query, document)


def answer_file(
    state: State, method: str, workspace: str, name: str, path: str, query: dict[str, str], body: bytes
) -> Any:
    """Routes of files."""
    files = state.files(workspace, name)
    if method == "PUT":
        return files.write(path, io.BytesIO(body), overwrite=query.get("overwrite") == "true").model_dump(mode="json")
    if method == "DELETE":
        return files.delete(path)
    if not path:
        listed = [info.model_dump(mode="json") for info in files.list(query.get("prefix", ""))]
        return {"files": listed if state.listing is None else state.listing}
    with files.open_read(path) as stream:
        return stream.read()


def answer_thing(
    state: State, method: str, workspace: str, kind: str, rest: list[str], query: dict[str, str], body: dict[str, Any]
) -> Any:
    """Routes of datastores, compute targets, experiments and runs."""
    if not rest and method == "POST":
        check(body, FIELDS[kind])
        return getattr(state, f"add_{kind[:-1]}")(workspace, body)
    if not rest:
        return {kind: listed(state, workspace, kind, query)}
    name = rest[0]
    if rest[1:] == ["cancel"]:
        state.one(workspace, kind, name)["status"] = "Canceled"
    elif rest[1:] == ["resume"]:
        state.resume(state.one(workspace, kind, name))
    elif method == "DELETE":
        state.one(workspace, kind, name)
        return state.of(workspace, kind).pop(name) and None
    elif method == "PATCH":
        change(state.one(workspace, kind, name), body, kind)
    special = {"datastores": state.datastore, "runs": state.run}.get(kind)
    return special(workspace, name) if special else state.one(workspace, kind, name)


def listed(state: State, workspace: str, kind: str, query: dict[str, str]) -> list[dict[str, Any]]:
    """All things of a kind; runs the newest first, and of one experiment if asked."""
    things = list(state.of(workspace, kind).values())
    if kind == "datastores":
        return [state.datastore(workspace, thing["name"]) for thing in things]
    if kind == "runs":
        filters = {key: value for key, value in query.items() if key in ("experiment", "pipeline_id", "schedule_id")}
        fitting = [run for run in reversed(things) if all(run.get(key) == value for key, value in filters.items())]
        return [run for run in fitting if "tag" not in query or has_tag(run["tags"], query["tag"])]
    return sorted(things, key=lambda thing: thing["name"])


def has_tag(tags: dict[str, str], wanted: str) -> bool:
    """True for `name:value`, or `name` alone."""
    name, colon, value = wanted.partition(":")
    return tags.get(name) == value if colon else name in tags


def change(thing: dict[str, Any], body: dict[str, Any], kind: str) -> None:
    """A PATCH."""
    check(body, CHANGES[kind])
    if kind == "computes":
        sizes = {key: value for key, value in body.items() if key not in ("description", "tags")}
        thing["provisioning"].update(sizes)
        thing["slots"] = thing["provisioning"]["max_nodes"]
    else:
        thing.update(body)


def check(body: dict[str, Any], known: set[str]) -> None:
    """Refuse unknown fields."""
    unknown = sorted(set(body) - known)
    if unknown:
        raise BadRequest(f"The request is not valid. Unknown fields: {', '.join(unknown)}.")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    # Head and body in one packet: two would wait for the acknowledgement of the first, 40 ms each time.
    wbufsize = 65536
    disable_nagle_algorithm = True
    state: State

    def do_any(self) -> None:
        """Answer, whatever the method."""
        parts = urlsplit(self.path)
        body = self._body()
        self.state.requests.append((self.command, unquote(parts.path)))
        if parts.path == "/auth/token":
            self._login(json.loads(body))
            return
        if self.headers.get("authorization", "").removeprefix("Bearer ") not in self.state.valid_tokens:
            self._error(401, "Unauthenticated", "The token is not valid.")
            return
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        names = [unquote(part) for part in parts.path.removeprefix(API).split("/")]
        try:
            self._send(200, answer(self.state, self.command, names, query, body))
        except AirloomError as error:
            status = {NotFound: 404, AlreadyExists: 409}.get(type(error), 400)
            self._error(status, error.code, str(error))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""

    def _login(self, login: dict[str, str]) -> None:
        if (login["username"], login["password"]) != (USER, PASSWORD):
            self._send(401, {"detail": "Invalid credentials"})
            return
        self.state.logins += 1
        token = f"token-{self.state.logins}"
        self.state.valid_tokens.add(token)
        self._send(201, {"access_token": token})

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            blocks = []
            while size := int(self.rfile.readline(), 16):
                blocks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(blocks)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _error(self, status: int, code: str, message: str) -> None:
        error = {"Code": code, "Message": message, "Target": "", "Details": []}
        self._send(status, {"Error": error, "Correlation": {"request": "r"}})

    def _send(self, status: int, answered: Any) -> None:
        data = answered if isinstance(answered, bytes) else b"" if answered is None else json.dumps(answered).encode()
        self.send_response(204 if answered is None else status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def running(root: Path) -> Iterator[tuple[str, State]]:
    """The address of a running server, and its state."""
    state = State(root)
    handler = type("BoundHandler", (Handler,), {"state": state})
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
