"""What a supervisor says of itself in its home, for `status`, `down` and whoever started it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from airloom.embedded.home import Home, write_text

Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]


class ComponentState(BaseModel):
    """One of Airflow's processes. `pid` is None while it is down; `session` is that of its last start."""

    pid: int | None = None
    session: int | None = None
    restarts: int = 0
    healthy: bool = False
    started_at: datetime | None = None


class ServerState(BaseModel):
    """The whole server. `message` says what is being waited for, or why the start failed."""

    pid: int
    port: int
    phase: Phase = "starting"
    message: str = ""
    started_at: float = Field(default_factory=time.time)
    seconds_to_ready: float | None = None
    version: str = ""
    airflow_version: str = ""
    components: dict[str, ComponentState] = Field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the server answers, for browsers and clients on this machine."""
        return f"http://127.0.0.1:{self.port}"


def read_state(home: Home) -> ServerState | None:
    """The last state written in a home; it may be that of a supervisor that is gone."""
    try:
        return ServerState.model_validate_json(home.state.read_bytes())
    except (OSError, ValidationError):
        return None


def write_state(home: Home, state: ServerState) -> None:
    """Replace the state of a home."""
    write_text(home.state, state.model_dump_json(indent=2) + "\n")
