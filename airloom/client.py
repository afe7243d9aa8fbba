"""The client of the workspace server: one method per route of the REST API, for the SDK and the command.

Answers come back as the JSON objects that the server sends. Names of methods follow the routes; lists come unwrapped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol
from urllib.parse import quote

from airloom._calls import BLOCK, JsonObject, path_to
from airloom._published_calls import MOST, PublishedCalls
from airloom._transport import (
    Credentials,
    NoCredentials,
    PasswordCredentials,
    TokenCredentials,
    Transport,
    find_credentials,
)
from airloom.exceptions import ServiceException, UserErrorException

__all__ = [
    "Client",
    "Credentials",
    "JsonObject",
    "NoCredentials",
    "PasswordCredentials",
    "TokenCredentials",
    "find_credentials",
]

OnProgress = Callable[[JsonObject], None]
"""Takes how far long work is: phase, done, and total or None."""
FRAMES_PER_REQUEST = 500
BYTES_PER_REQUEST = 64 * BLOCK


class Readable(Protocol):
    """What an upload reads from: an open file, or anything with such a `read`."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; none at the end."""


class Client(PublishedCalls):
    """Talks to one Airloom server. Safe for many threads; nothing is sent before the first call."""

    def __init__(self, endpoint: str, credentials: Credentials | None = None) -> None:
        self._transport = Transport(endpoint, credentials or find_credentials())

    @property
    def endpoint(self) -> str:
        """The address of the server, without a trailing slash."""
        return self._transport.endpoint

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def health(self) -> JsonObject:
        """Versions of Airloom and Airflow on the server."""
        return self._object("GET", path_to("health"))

    def openapi(self) -> JsonObject:
        """The description of the REST API."""
        return self._object("GET", "/airloom/openapi.json")

    # --- workspaces -------------------------------------------------------------------------------------------

    def list_workspaces(self) -> list[JsonObject]:
        """All workspaces, by name."""
        return self._list("workspaces", path_to("workspaces"))

    def create_workspace(self, body: JsonObject) -> JsonObject:
        """Create a workspace: name, exist_ok, friendly_name, description, tags."""
        return self._object("POST", path_to("workspaces"), body)

    def get_workspace(self, workspace: str) -> JsonObject:
        """One workspace."""
        return self._object("GET", path_to("workspaces", workspace))

    def delete_workspace(self, workspace: str) -> None:
        """Forget a workspace; its files in the store stay."""
        self._transport.json("DELETE", path_to("workspaces", workspace))

    def set_default_datastore(self, workspace: str, name: str) -> JsonObject:
        """Make a datastore the default; returns the workspace."""
        return self._object("PUT", path_to("workspaces", workspace, "default_datastore"), {"name": name})

    # --- datastores and files ---------------------------------------------------------------------------------

    def list_datastores(self, workspace: str) -> list[JsonObject]:
        """The datastores of a workspace, by name."""
        return self._list("datastores", path_to("workspaces", workspace, "datastores"))

    def create_datastore(self, workspace: str, body: JsonObject) -> JsonObject:
        """Register a datastore: name, type, root, description, tags, overwrite."""
        return self._object("POST", path_to("workspaces", workspace, "datastores"), body)

    def get_datastore(self, workspace: str, name: str) -> JsonObject:
        """One datastore."""
        return self._object("GET", path_to("workspaces", workspace, "datastores", name))

    def delete_datastore(self, workspace: str, name: str) -> None:
        """Forget a datastore; its data stays."""
        self._transport.json("DELETE", path_to("workspaces", workspace, "datastores", name))

    def digest(self, workspace: str, datastore: str, path: str) -> str:
        """The digest of a file, folder or glob on a datastore."""
        route = path_to("workspaces", workspace, "datastores", datastore, "digest")
        return str(self._transport.json("GET", route, params={"path": path})["digest"])

    def list_files(self, workspace: str, datastore: str, prefix: str = "") -> list[JsonObject]:
        """The files at a path, below a folder or matched by a glob; each with path, size and modified."""
        return self._list("files", path_to("workspaces", workspace, "datastores", datastore, "files"), prefix=prefix)

    def upload_file(
        self, workspace: str, datastore: str, path: str, content: Readable | bytes, overwrite: bool = False
    ) -> JsonObject:
        """Put a file on a datastore, streamed. AlreadyExistsException if it is there, unless `overwrite`."""
        start = _position(content)

        def body() -> Iterable[bytes]:
            if isinstance(content, bytes):
                return [content]
            if start is not None:
                content.seek(start)  # type: ignore[attr-defined]
            return _blocks(content)

        with self._transport.open(
            "PUT",
            _file_path(workspace, datastore, path),
            params={"overwrite": "true" if overwrite else "false"},
            body=body,
            replayable=isinstance(content, bytes) or start is not None,
            idempotent=overwrite,
        ) as response:
            stored: JsonObject = self._transport.decode(response)
            return stored

    def download_file(self, workspace: str, datastore: str, path: str) -> Iterator[bytes]:
        """The bytes of a file on a datastore, in blocks."""
        return self._download(_file_path(workspace, datastore, path))

    def delete_file(self, workspace: str, datastore: str, path: str) -> None:
        """Remove a file or folder from a datastore; no error if there is none."""
        self._transport.json("DELETE", _file_path(workspace, datastore, path))

    # --- compute targets --------------------------------------------------------------------------------------

    def list_computes(self, workspace: str) -> list[JsonObject]:
        """The compute targets of a workspace, by name."""
        return self._list("computes", path_to("workspaces", workspace, "computes"))

    def create_compute(self, workspace: str, body: JsonObject) -> JsonObject:
        """Create a compute target: name, type, provisioning, description, tags, exist_ok."""
        return self._object("POST", path_to("workspaces", workspace, "computes"), body)

    def get_compute(self, workspace: str, name: str) -> JsonObject:
        """One compute target."""
        return self._object("GET", path_to("workspaces", workspace, "computes", name))

    def update_compute(self, workspace: str, name: str, changes: JsonObject) -> JsonObject:
        """Change a compute target: min_nodes, max_nodes, idle_seconds_before_scaledown, description, tags."""
        return self._object("PATCH", path_to("workspaces", workspace, "computes", name), changes)

    def delete_compute(self, workspace: str, name: str) -> None:
        """Remove a compute target."""
        self._transport.json("DELETE", path_to("workspaces", workspace, "computes", name))

    # --- snapshots --------------------------------------------------------------------------------------------

    def missing_blobs(self, workspace: str, digests: Sequence[str]) -> list[str]:
        """Those of the digests whose content the server lacks."""
        route = path_to("workspaces", workspace, "snapshots", "missing")
        return list(self._object("POST", route, {"digests": list(digests)})["missing"])

    def upload_blobs(self, workspace: str, files: Iterable[tuple[str, Path | bytes]]) -> Iterator[int]:
        """Upload contents with their digests; yields the number of bytes after each request, to show progress."""
        for batch in _batches(files):
            with self._transport.open(
                "PUT",
                path_to("workspaces", workspace, "snapshots", "blobs"),
                body=lambda batch=batch: _frames(batch),  # type: ignore[misc]
            ) as response:
                yield int(self._transport.decode(response)["bytes"])

    def put_snapshot(self, workspace: str, digest: str, manifest: JsonObject) -> JsonObject:
        """Store the manifest of a source folder, whose contents were uploaded."""
        return self._object("PUT", path_to("workspaces", workspace, "snapshots", digest), manifest)

    def get_snapshot(self, workspace: str, digest: str) -> JsonObject:
        """The manifest of a source folder."""
        return self._object("GET", path_to("workspaces", workspace, "snapshots", digest))

    # --- experiments and graphs -------------------------------------------------------------------------------

    def list_experiments(self, workspace: str) -> list[JsonObject]:
        """The experiments of a workspace, by name."""
        return self._list("experiments", path_to("workspaces", workspace, "experiments"))

    def create_experiment(self, workspace: str, body: JsonObject) -> JsonObject:
        """Create an experiment, or return the existing one: name, description, tags."""
        return self._object("POST", path_to("workspaces", workspace, "experiments"), body)

    def get_experiment(self, workspace: str, name: str) -> JsonObject:
        """One experiment."""
        return self._object("GET", path_to("workspaces", workspace, "experiments", name))

    def update_experiment(self, workspace: str, name: str, changes: JsonObject) -> JsonObject:
        """Change an experiment: description, tags, archived."""
        return self._object("PATCH", path_to("workspaces", workspace, "experiments", name), changes)

    def validate_graph(self, workspace: str, graph: JsonObject) -> list[JsonObject]:
        """All that is wrong with a pipeline; each with code, message, target and hint."""
        answer = self._object("POST", path_to("workspaces", workspace, "graphs", "validate"), {"graph": graph})
        return list(answer["errors"])

    # --- runs -------------------------------------------------------------------------------------------------

    def submit_run(
        self, workspace: str, experiment: str, body: JsonObject, idempotency_key: str | None = None
    ) -> JsonObject:
        """Submit a pipeline and return the run; a second call with the same key returns the run of the first.

        The body has graph, parameters, tags, properties, description, display_name, reuse and regenerate_outputs.
        """
        return self._start(path_to("workspaces", workspace, "experiments", experiment, "runs"), body, idempotency_key)

    def list_runs(
        self,
        workspace: str,
        *,
        experiment: str | None = None,
        status: str | None = None,
        pipeline_id: str | None = None,
        schedule_id: str | None = None,
        tags: Sequence[str] = (),
        limit: int = MOST,
    ) -> list[JsonObject]:
        """The newest runs that pass the filters, at most 1000; tags are written `key:value`."""
        filters = {"experiment": experiment, "status": status, "pipeline_id": pipeline_id, "schedule_id": schedule_id}
        path = path_to("workspaces", workspace, "runs")
        return self._list("runs", path, **filters, tag=list(tags) or None, limit=limit)

    def get_run(self, workspace: str, run_id: str) -> JsonObject:
        """One run, with its state as it is now."""
        return self._object("GET", path_to("workspaces", workspace, "runs", run_id))

    def update_run(self, workspace: str, run_id: str, changes: JsonObject) -> JsonObject:
        """Change a run: tags, display_name, description."""
        return self._object("PATCH", path_to("workspaces", workspace, "runs", run_id), changes)

    def cancel_run(self, workspace: str, run_id: str) -> JsonObject:
        """End a run; one that has ended already stays as it is."""
        return self._object("POST", path_to("workspaces", workspace, "runs", run_id, "cancel"))

    def save_dataset(self, workspace: str, source: JsonObject) -> JsonObject:
        """Keep where a dataset lies and how it is read; the answer has its id."""
        return self._object("POST", path_to("workspaces", workspace, "datasets"), {"source": source})

    def get_dataset(self, workspace: str, dataset_id: str) -> JsonObject:
        """A saved dataset."""
        return self._object("GET", path_to("workspaces", workspace, "datasets", dataset_id))

    def preview_dataset(self, workspace: str, dataset_id: str, rows: int) -> JsonObject:
        """The first rows of a saved table."""
        return self._object(
            "GET", path_to("workspaces", workspace, "datasets", dataset_id, "preview"), params={"rows": rows}
        )

    def profile_dataset(self, workspace: str, dataset_id: str) -> JsonObject:
        """What is in the columns of a saved table."""
        return self._object("GET", path_to("workspaces", workspace, "datasets", dataset_id, "profile"))

    def resume_run(self, workspace: str, run_id: str) -> JsonObject:
        """Let a run that failed or was canceled go on from the steps that have no result."""
        return self._object("POST", path_to("workspaces", workspace, "runs", run_id, "resume"))

    def get_graph(self, workspace: str, run_id: str) -> JsonObject:
        """The pipeline of a run, as it was submitted."""
        graph: JsonObject = self._object("GET", path_to("workspaces", workspace, "runs", run_id, "graph"))["graph"]
        return graph

    def list_steps(self, workspace: str, run_id: str) -> list[JsonObject]:
        """The steps of a run, in the order of its pipeline."""
        return self._list("steps", path_to("workspaces", workspace, "runs", run_id, "steps"))

    def explain(self, workspace: str, run_id: str, step: str | None = None) -> list[JsonObject]:
        """Why each step ran or was reused, or one step, given by id or name."""
        return self._list("steps", path_to("workspaces", workspace, "runs", run_id, "explain"), step=step)

    def read_log(
        self, workspace: str, run_id: str, step_id: str, stream: str = "stdout", offset: int = 0
    ) -> tuple[str, int]:
        """A piece of a log (stdout, stderr or job) from an offset on, and the offset to go on from."""
        path = path_to("workspaces", workspace, "runs", run_id, "steps", step_id, "logs", stream)
        with self._transport.open("GET", path, params={"offset": offset}) as response:
            text = response.read().decode("utf-8", "replace")
            return text, int(response.headers["x-next-offset"])

    def list_artifacts(self, workspace: str, run_id: str, step_id: str) -> list[JsonObject]:
        """The files that a step has left; each with path and size."""
        return self._list("artifacts", path_to("workspaces", workspace, "runs", run_id, "steps", step_id, "artifacts"))

    def download_artifact(self, workspace: str, run_id: str, step_id: str, path: str) -> Iterator[bytes]:
        """The bytes of a file that a step has left, in blocks."""
        folder = path_to("workspaces", workspace, "runs", run_id, "steps", step_id, "artifacts")
        return self._download(f"{folder}/{quote(path)}")

    # --- upkeep -----------------------------------------------------------------------------------------------

    def collect_garbage(self, workspace: str, body: JsonObject, on_progress: OnProgress) -> JsonObject:
        """Free what nothing refers to; returns the report. The body has older_than_seconds, max_bytes and dry_run."""
        return self._long_work(path_to("workspaces", workspace, "gc"), body, on_progress)

    def verify(self, workspace: str, body: JsonObject, on_progress: OnProgress) -> JsonObject:
        """Check all that is stored; returns the report. The body has quarantine."""
        return self._long_work(path_to("workspaces", workspace, "verify"), body, on_progress)

    def _long_work(self, path: str, body: JsonObject, on_progress: OnProgress) -> JsonObject:
        """The report of work that tells its progress in lines of JSON. It ends on the server if this is interrupted."""
        # Uncompressed, as a compressor would hold lines back.
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        content = [json.dumps(body).encode()]
        with self._transport.open("POST", path, headers=headers, body=lambda: content) as response:
            for line in response.iter_lines():
                message = json.loads(line)
                if "error" in message:
                    raise ServiceException(str(message["error"]["Message"]))
                if "report" in message:
                    report: JsonObject = message["report"]
                    return report
                on_progress(message["progress"])
        raise ServiceException(f"The server at {self.endpoint} ended the work without a report. Its log tells why.")


def _file_path(workspace: str, datastore: str, path: str) -> str:
    return f"{path_to('workspaces', workspace, 'datastores', datastore, 'files')}/{quote(path)}"


def _position(content: Readable | bytes) -> int | None:
    """Where a file stands, if it can be read again from there; None if it cannot."""
    seekable = getattr(content, "seekable", None)
    return content.tell() if seekable is not None and seekable() else None  # type: ignore[union-attr]


def _blocks(stream: Readable) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _batches(files: Iterable[tuple[str, Path | bytes]]) -> Iterator[list[tuple[str, Path | bytes]]]:
    """As many files in one request as its limits allow, at least one."""
    batch: list[tuple[str, Path | bytes]] = []
    total = 0
    for digest, content in files:
        size = _size(content)
        if batch and (len(batch) >= FRAMES_PER_REQUEST or total + size > BYTES_PER_REQUEST):
            yield batch
            batch, total = [], 0
        batch.append((digest, content))
        total += size
    if batch:
        yield batch


def _frames(files: Sequence[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """Digest, length (8 bytes, big-endian) and content of each file."""
    for digest, content in files:
        if isinstance(content, bytes):
            yield digest.encode("ascii") + len(content).to_bytes(8, "big") + content
            continue
        with content.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            yield digest.encode("ascii") + size.to_bytes(8, "big")
            yield from _exactly(stream, size, content)


def _exactly(stream: BinaryIO, size: int, path: Path) -> Iterator[bytes]:
    left = size
    while left:
        block = stream.read(min(left, BLOCK))
        if not block:
            raise UserErrorException(f"The file {path} became shorter while it was uploaded. Submit again.")
        left -= len(block)
        yield block
