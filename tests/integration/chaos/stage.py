"""The server of these tests: two schedulers on a PostgreSQL database, all of which may be killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from airloom.core import Workspace
from airloom.embedded import processes
from airloom.embedded.home import Home
from airloom.embedded.state import ServerState, read_state
from airloom.reuse.workspace import ReuseWorkspace
from tests.integration.chaos.scene import eventually
from tests.support.airflow_api import AirflowApi
from tests.support.postgres import MortalPostgresServer, mortal_postgres
from tests.support.server import RunningServer, running_server

API = "/airloom/api/v1"
SCHEDULERS = ("scheduler", "scheduler-2")


@dataclass(frozen=True)
class Stage:
    """A server, its database, and the processes that there are to kill."""

    server: RunningServer
    database: MortalPostgresServer

    @property
    def home(self) -> Home:
        """The server's home."""
        return Home(self.server.home.resolve())

    def state(self) -> ServerState:
        """What the supervisor says."""
        state = read_state(self.home)
        assert state is not None
        return state

    def component(self, name: str) -> psutil.Process:
        """The process of a component, once it is there."""
        eventually(lambda: self.state().components[name].pid, f"the start of the {name}")
        return psutil.Process(self.state().components[name].pid)

    def kill(self, name: str) -> None:
        """SIGKILL to a component; returns when the supervisor has noticed."""
        restarts = self.state().components[name].restarts
        self.component(name).kill()
        eventually(lambda: self.state().components[name].restarts > restarts, "the supervisor to notice")

    def wait_until_whole(self) -> None:
        """Return once every component is well."""
        eventually(lambda: all(part.healthy for part in self.state().components.values()), "a server that is well")

    def processes(self) -> list[psutil.Process]:
        """All processes of the server and of the scripts that it runs."""
        return processes.belonging_to(self.home)

    def client(self) -> Workspace:
        """A client of its own."""
        return self.server.workspace()

    def reuse(self) -> ReuseWorkspace:
        """The records, read from the store and not through the server."""
        return ReuseWorkspace.open(self.server.store.as_uri(), "default")

    def airflow(self) -> AirflowApi:
        """Airflow's own API."""
        return AirflowApi(self.server)

    def ask(self, path: str) -> dict[str, Any]:
        """What Airloom's API answers for the workspace; {} while it does not answer as it should."""
        try:
            with self.airflow() as api:
                answer = api.send("GET", f"{API}/workspaces/default/{path}", b"")
                document: dict[str, Any] = answer.json() if answer.is_success else {}
                return document
        except (httpx.TransportError, ValueError, KeyError):
            return {}

    def runs(self) -> list[dict[str, Any]]:
        """What `airloom runs` tells."""
        listed: list[dict[str, Any]] = json.loads(self.server.cli("runs", "--limit", "1000", "--json").stdout)
        return listed


def start_again(stage: Stage) -> None:
    """`airloom up` for a server whose supervisor was killed."""
    stage.server.cli("up", "--detach", "--schedulers", "2")


@contextmanager
def a_stage(folder: Path, *options: str) -> Iterator[Stage]:
    """A server with two schedulers and a database of its own, all of it whole."""
    with mortal_postgres() as database:
        address = database.address(database.new_database())
        with running_server(folder / "home", "--database", address, "--schedulers", "2", *options) as server:
            stage = Stage(server, database)
            stage.wait_until_whole()
            yield stage
