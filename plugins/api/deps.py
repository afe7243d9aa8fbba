"""What routes ask FastAPI for: a database session, and the workspace named in the path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Header

from airloom.plugins import workspaces
from airloom.plugins.airflow_gateway import Session, open_session
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.settings import Settings, load_settings
from airloom.storage.workspace import WorkspaceStore


def _session() -> Iterator[Session]:
    with open_session() as session:
        yield session


# "function": committed before the answer is sent, so that a caller who reads at once finds what he wrote.
SessionDep = Annotated[Session, Depends(_session, scope="function")]
SettingsDep = Annotated[Settings, Depends(load_settings)]


IdempotencyKey = Annotated[str | None, Header(description="The same key again returns the run that it has made.")]
"""The header Idempotency-Key, which every route that makes a run takes."""


def _workspace(ws: str, session: SessionDep, settings: SettingsDep) -> WorkspaceRow:
    return workspaces.find(session, settings, ws)


WorkspaceDep = Annotated[WorkspaceRow, Depends(_workspace)]


def _workspace_store(ws: str, settings: SettingsDep) -> WorkspaceStore:
    with open_session() as session:  # not the route's: a long upload must not hold a connection
        workspace = workspaces.find(session, settings, ws).name
    return workspaces.open_storage(settings, workspace)


StoreDep = Annotated[WorkspaceStore, Depends(_workspace_store)]
