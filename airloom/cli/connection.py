"""Which server and workspace a command talks to, and which run is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airloom.cli.server import HomeOption

if TYPE_CHECKING:
    from airloom.client import Client
    from airloom.core._config_file import Connection

__all__ = ["HomeOption", "RunArgument", "Target", "WorkspaceOption", "connect", "find_run", "find_step"]

DEFAULT_WORKSPACE = "default"
NEWEST = "last"
SHORTEST_PREFIX = 4
LENGTH_OF_ID = 36

WorkspaceOption = Annotated[
    str | None,
    typer.Option(
        "--workspace",
        "-w",
        envvar="AIRLOOM_WORKSPACE",
        show_default="the one in config.json, or `default`",
        help="The workspace.",
    ),
]


@dataclass(frozen=True)
class Target:
    """A workspace on a server."""

    connection: Connection
    client: Client
    workspace: str

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *failure: object) -> None:
        self.client.close()


def connect(home: Path | None, workspace: str | None) -> Target:
    """The server of the home given, else that of the nearest config.json."""
    from airloom.core._config_file import connection_in_home, find_connection
    from airloom.core._connection import open_client

    found = connection_in_home(_config_of(home)) if home else find_connection()
    return Target(found, open_client(found, None), workspace or _workspace_name(home))


def _config_of(home: Path) -> Path:
    from airloom.embedded.home import Home
    from airloom.errors import NotFound

    folder = Home.find(home)
    if not folder.config_json.exists():
        raise NotFound(
            f"There is no server in {folder.path}.",
            hint=f"Start one: airloom up --home {folder.path}",
            target=str(folder.path),
        )
    return folder.path


def _workspace_name(home: Path | None) -> str:
    from airloom.core._config_file import find_config, read_config
    from airloom.exceptions import UserErrorException

    try:
        return read_config(find_config(str(_config_of(home)) if home else None)).workspace_name
    except UserErrorException:
        return DEFAULT_WORKSPACE


def find_run(target: Target, asked: str) -> dict[str, Any]:
    """The run with this id, or whose id begins so, or the newest one for `last`."""
    if asked == NEWEST:
        return _newest_run(target)
    if len(asked) == LENGTH_OF_ID:
        return target.client.get_run(target.workspace, asked)
    from airloom.errors import NotFound

    runs = target.client.list_runs(target.workspace, limit=100) if len(asked) >= SHORTEST_PREFIX else []
    found = [run for run in runs if run["id"].startswith(asked)]
    if len(found) == 1:
        return found[0]
    raise NotFound(
        f"{'No run has' if not found else f'{len(found)} runs have'} an id that begins with {asked!r}.",
        hint=f"`airloom runs` lists them; at least {SHORTEST_PREFIX} characters are needed, and `last` is the newest.",
        target=asked,
    )


def _newest_run(target: Target) -> dict[str, Any]:
    from airloom.errors import NotFound

    for run in target.client.list_runs(target.workspace, limit=1):
        return run
    raise NotFound(f"Workspace {target.workspace!r} has no runs.", hint="Start one with `airloom submit FILE.yml`.")


def find_step(steps: list[dict[str, Any]], asked: str) -> dict[str, Any]:
    """The step with this id or name."""
    from airloom.errors import NotFound
    from airloom.graph.suggest import did_you_mean

    for step in steps:
        if asked in (step["step_id"], step["name"]):
            return step
    hint = did_you_mean(asked, [step["name"] for step in steps])
    raise NotFound(f"The run has no step {asked!r}.", hint=hint, target=asked)


def complete_run(incomplete: str) -> list[tuple[str, str]]:
    """Runs for the shell's completion; none if the server cannot be asked."""
    try:
        with connect(None, os.environ.get("AIRLOOM_WORKSPACE")) as target:
            runs = target.client.list_runs(target.workspace, limit=30)
    except Exception:
        return []
    described = [(NEWEST, "the newest run")]
    described += [(run["id"], f"{run['experiment']}, {run['status']}") for run in runs]
    return [(run_id, text) for run_id, text in described if run_id.startswith(incomplete)]


RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=complete_run,
        help="A run: its id, the beginning of it, or `last` for the newest.",
    ),
]
