"""config.json: which workspace, on which server, and how to sign in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from airloom.exceptions import UserErrorException

FILE_NAME = "config.json"
FOLDERS = (".airloom", ".azureml", "", "aml_config")
DEFAULT_ENDPOINT = "http://127.0.0.1:8080"
ENDPOINT_VARIABLE = "AIRLOOM_ENDPOINT"
HOME_VARIABLE = "AIRLOOM_HOME"


class Connection(NamedTuple):
    """How to reach a server. `password_file` is absolute; `source` says where all this was found."""

    endpoint: str = DEFAULT_ENDPOINT
    username: str | None = None
    password_file: Path | None = None
    source: str = "the default address"


class WorkspaceConfig(NamedTuple):
    """The content of a config.json. `connection` None means that it speaks only of Azure."""

    workspace_name: str
    subscription_id: str
    resource_group: str
    connection: Connection | None
    path: Path


def find_config(path: str | None = None, file_name: str = FILE_NAME) -> Path:
    """The configuration file: `path` itself, or the nearest one in a folder or the folders above it."""
    start = Path(path or ".").resolve()
    if start.is_file():
        return start
    for candidate in _candidates(start, file_name):
        if candidate.is_file():
            return candidate
    raise UserErrorException(
        f"There is no {file_name} in {start}, in .airloom/ or .azureml/ there, or in a folder above it. "
        "Start a server with `airloom up`, which writes one, or pass the path of yours: from_config(path=...)."
    )


def read_config(path: Path) -> WorkspaceConfig:
    """Read a configuration file. Raises UserErrorException that says what is missing."""
    document = _read(path)
    missing = [key for key in ("subscription_id", "resource_group", "workspace_name") if not document.get(key)]
    if missing:
        raise UserErrorException(f"{path} lacks {', '.join(missing)}.")
    return WorkspaceConfig(
        workspace_name=str(document["workspace_name"]),
        subscription_id=str(document["subscription_id"]),
        resource_group=str(document["resource_group"]),
        connection=_connection(document, path),
        path=path,
    )


def find_connection(start: str | None = None) -> Connection:
    """The server to talk to, in this order.

    AIRLOOM_ENDPOINT; the nearest config.json that names a server; the one in AIRLOOM_HOME; the default address.
    """
    folder = Path(start or ".").resolve()
    found = (_connection_in(file) for file in _candidates(folder, FILE_NAME) if file.is_file())
    connection = next((connection for connection in found if connection is not None), None)
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if endpoint:
        # The credentials of a file are for the server that the file names, and must not be sent to another.
        if connection is not None and connection.endpoint.rstrip("/") == endpoint.rstrip("/"):
            return connection
        return Connection(endpoint=endpoint, source=f"the environment variable {ENDPOINT_VARIABLE}")
    return connection or Connection()


def connection_in_home(home: Path) -> Connection:
    """The server that a home's config.json names; the default address if it names none."""
    return _connection_in(home / FILE_NAME) or Connection()


def write_config(folder: Path, file_name: str, content: dict[str, Any]) -> Path:
    """Write a configuration file into `.airloom/` below a folder and return its path."""
    target = folder / ".airloom" / file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    return target


def describe(connection: Connection, beside: Path) -> dict[str, Any]:
    """The `airloom` part of a config.json that lies in the folder `beside`."""
    described: dict[str, Any] = {"endpoint": connection.endpoint}
    if connection.username:
        described["username"] = connection.username
    if connection.password_file is not None:
        described["password_file"] = os.path.relpath(connection.password_file, beside)
    return described


def _candidates(start: Path, file_name: str) -> Iterator[Path]:
    for folder in (start, *start.parents):
        for inner in FOLDERS:
            yield folder / inner / file_name
    home = os.environ.get(HOME_VARIABLE)
    if home:
        yield Path(home).expanduser() / file_name


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserErrorException(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserErrorException(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UserErrorException(f"{path} must hold a JSON object.")
    return document


def _connection_in(path: Path) -> Connection | None:
    # Any project may have a config.json of its own above the working folder: what is not ours is passed over.
    try:
        return _connection(_read(path), path)
    except UserErrorException:
        return None


def _connection(document: dict[str, Any], path: Path) -> Connection | None:
    part = document.get("airloom")
    if not isinstance(part, dict):
        return None
    password_file = part.get("password_file")
    return Connection(
        endpoint=str(part.get("endpoint") or DEFAULT_ENDPOINT),
        username=part.get("username"),
        password_file=(path.parent / password_file).resolve() if password_file else None,
        source=str(path),
    )
