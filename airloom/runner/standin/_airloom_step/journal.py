"""Where a script's metrics, tags and files go: the folder that the runner watches, or memory without a runner."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from datetime import datetime, timezone
from typing import Any, BinaryIO

from .errors import UserErrorException

RUN_DIR = "AIRLOOM_RUN_DIR"
METRICS = "metrics.jsonl"
EVENTS = "run.jsonl"
UPLOADS = "uploads"
_RESERVED = ("metrics.jsonl", "run.jsonl", "logs/stdout.txt", "logs/stderr.txt", "logs/job.txt")


class Journal:
    """The run folder of one attempt. Lines are appended in one write each, so that several processes may log."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def append(self, file: str, entry: dict[str, Any]) -> None:
        """Add one line to a file of entries."""
        entry = dict(entry, time=datetime.now(timezone.utc).isoformat())
        line = json.dumps(plain(entry), allow_nan=False) + "\n"
        descriptor = os.open(os.path.join(self._folder, file), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode("utf-8"))
        finally:
            os.close(descriptor)

    def read(self, file: str) -> list[dict[str, Any]]:
        """All entries of a file so far."""
        try:
            with open(os.path.join(self._folder, file), encoding="utf-8") as lines:
                return [json.loads(line) for line in lines if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def save(self, name: str, source: str | BinaryIO) -> None:
        """Keep a copy of a file or stream as an artifact of the run."""
        target = self._target(name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if isinstance(source, (str, os.PathLike)):
            shutil.copyfile(source, target)
        else:
            with open(target, "wb") as file:
                shutil.copyfileobj(source, file)

    def saved(self) -> dict[str, str]:
        """The artifacts kept so far, by name, and where they lie."""
        return files_below(os.path.join(self._folder, UPLOADS))

    def _target(self, name: str) -> str:
        root = os.path.join(self._folder, UPLOADS)
        target = os.path.normpath(os.path.join(root, name))
        if not target.startswith(root + os.sep):
            raise UserErrorException(f"The artifact name {name!r} leaves the run; use a relative path.")
        if os.path.relpath(target, root) in _RESERVED or os.path.exists(target):
            raise UserErrorException(f"The run already has an artifact {name!r}; use another name.")
        return target


class OfflineJournal(Journal):
    """Keeps metrics in memory and shows them, as there is no run to record them."""

    def __init__(self) -> None:
        super().__init__("")
        self._entries: dict[str, list[dict[str, Any]]] = {}

    def append(self, file: str, entry: dict[str, Any]) -> None:
        self._entries.setdefault(file, []).append(plain(entry))
        if file == METRICS:
            sys.stdout.write("{} {} = {}\n".format(entry["type"], entry["name"], entry["value"]))

    def read(self, file: str) -> list[dict[str, Any]]:
        return list(self._entries.get(file, ()))

    def save(self, name: str, source: str | BinaryIO) -> None:
        sys.stdout.write(f"offline run: {name} is not uploaded\n")

    def saved(self) -> dict[str, str]:
        return {}


def files_below(root: str) -> dict[str, str]:
    """All files below a folder: relative path with forward slashes, and full path."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root).replace(os.sep, "/")] = path
    return dict(sorted(found.items()))


def plain(value: Any) -> Any:
    """The value in what JSON can hold: numpy scalars and arrays become numbers and lists, NaN and infinity words."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    for method in ("tolist", "item"):
        if hasattr(value, method):
            return plain(getattr(value, method)())
    return str(value)


def number(value: Any) -> Any:
    """Turns the words for NaN and infinity back into numbers."""
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, list):
        return [number(part) for part in value]
    if isinstance(value, dict):
        return {key: number(part) for key, part in value.items()}
    return value
