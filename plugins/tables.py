"""What is in tables: the server has a process of its own look at them, and remembers what it said.

polars, and the memory that a table takes, stay out of the server. A table on a datastore elsewhere is copied first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import airloom
from airloom.errors import InvalidGraph, LimitExceeded, NotFound, StoreUnavailable
from airloom.graph.canonical import digest_value
from airloom.graph.model import TabularSource
from airloom.reuse.workspace import ReuseWorkspace
from airloom.storage.datastores import DatastoreHandle, Download, FileInfo
from airloom.storage.workspace import WorkspaceStore
from airloom.tabular.failures import UnreadableTable
from airloom.tabular.parts import base_of, chosen

SECONDS = 120
"""How long a table may be looked at."""

LARGEST_COPY = 1 << 30
"""Bytes of a table that are copied to the server for a look at them."""

_AT_A_TIME = 2
_REMEMBERED = 256

_places = threading.BoundedSemaphore(_AT_A_TIME)
_known: OrderedDict[str, dict[str, Any]] = OrderedDict()
_known_lock = threading.Lock()

_ERRORS = {error.code: error for error in (InvalidGraph, NotFound, UnreadableTable)}


def preview(store: WorkspaceStore, source: TabularSource, rows: int) -> dict[str, Any]:
    """The first rows of a table, and the types of its columns."""
    return _look(store, source, {"action": "preview", "rows": rows})


def profile(store: WorkspaceStore, source: TabularSource) -> dict[str, Any]:
    """Counts, ranges and distributions of the columns of a table."""
    return _look(store, source, {"action": "profile"})


def _look(store: WorkspaceStore, source: TabularSource, question: dict[str, Any]) -> dict[str, Any]:
    """The answer about the content that is there now; the same question about the same content is asked once."""
    if source.format == "sql":
        raise InvalidGraph("The rows of a query are not kept, so there is nothing to look at.", hint="Run a step.")
    content = ReuseWorkspace(store).source_digest(source)
    key = digest_value([content, source.model_dump(mode="json"), question])
    with _known_lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    with tempfile.TemporaryDirectory(prefix="airloom-look-") as folder:
        files = _files(store, source, Path(folder))
        answer = _ask({**question, "files": files, "reading": source.reading.model_dump(mode="json")}, folder)
    with _known_lock:
        _known[key] = answer
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    return answer


def _files(store: WorkspaceStore, source: TabularSource, folder: Path) -> list[tuple[str, str]]:
    """The files of the table by name, and where they lie on this machine."""
    files: list[tuple[str, str]] = []
    for location in source.locations:
        handle = store.datastore(location.datastore)
        found = handle.list(location.path)
        base = base_of(location.path, [info.path for info in found])
        listed = chosen(source, found, partial(_within, base))
        files += [(info.path, str(place)) for info, place in _here(handle, listed, folder / str(len(files)))]
    return files


def _within(base: str, info: FileInfo) -> str:
    return info.path.removeprefix(f"{base}/") if base else info.path


def _here(handle: DatastoreHandle, listed: Sequence[FileInfo], folder: Path) -> list[tuple[FileInfo, Path]]:
    if not listed:
        return []
    on_disk = [(info, handle.local_path(info.path)) for info in listed]
    places = [(info, place) for info, place in on_disk if place is not None]
    if len(places) == len(listed):
        return places
    size = sum(info.size for info in listed)
    if size > LARGEST_COPY:
        raise LimitExceeded(
            f"The table has {size / 1e9:.1f} GB on the datastore {handle.config.name!r}, which is not on the server's "
            f"disk; at most {LARGEST_COPY / 1e9:.1f} GB are copied for a look.",
            hint="Look at a part of the files, or in a step.",
        )
    copies = [Download(info, folder / str(number)) for number, info in enumerate(listed)]
    folder.mkdir(parents=True)
    handle.fetch(copies, lambda info: None)
    return [(copy.info, copy.target) for copy in copies]


def _ask(question: dict[str, Any], folder: str) -> dict[str, Any]:
    """The answer of a process that knows nothing of the server's secrets."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(Path(airloom.__file__).parents[1]),
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
    }
    command = [sys.executable, "-P", "-m", "airloom.tabular"]
    text = json.dumps(question).encode()
    try:
        with _places:
            asked = subprocess.run(
                command, input=text, capture_output=True, env=environment, timeout=SECONDS, check=False
            )
        answer = json.loads(asked.stdout)
    except subprocess.TimeoutExpired:
        raise LimitExceeded(
            f"Looking at the table takes longer than {SECONDS} seconds.", hint="Look at a part of it, such as take(n)."
        ) from None
    except ValueError:
        raise StoreUnavailable(
            f"The process that reads tables ended with {asked.returncode}.", hint="Was there enough memory?"
        ) from None
    if "error" in answer:
        error = answer["error"]
        kind = _ERRORS.get(error["code"], UnreadableTable)
        raise kind(error["message"], hint=error["hint"], target=error["target"])
    result: dict[str, Any] = answer["result"]
    return result
