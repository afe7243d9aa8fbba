"""What the routes ask FastAPI for, beside what those of the other API do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from airloom.plugins import workspaces
from airloom.plugins.airflow_gateway import BaseUser, CurrentUser, Session
from airloom.plugins.api.deps import SettingsDep
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.errors import BadRequest
from airloom.plugins.settings import Settings
from airloom.plugins.wire.addresses import Addresses


@dataclass(frozen=True)
class Call:
    """A request: who asks what server for which workspace."""

    user: BaseUser
    settings: Settings
    addresses: Addresses

    @property
    def ws(self) -> str:
        """Name of the workspace."""
        return self.addresses.workspace

    def workspace(self, session: Session) -> WorkspaceRow:
        """The workspace. Raises NotFound."""
        return workspaces.find(session, self.settings, self.ws)


def _call(request: Request, sub: str, rg: str, ws: str, user: CurrentUser, settings: SettingsDep) -> Call:
    return Call(user, settings, Addresses.of(request))


CallDep = Annotated[Call, Depends(_call)]


def _name(
    name: Annotated[str | None, Query()] = None,
    as_the_client_writes_it: Annotated[str | None, Query(alias="Name", include_in_schema=False)] = None,
) -> str:
    found = name or as_the_client_writes_it
    if not found:
        raise BadRequest("The query has no name.", hint="Add ?name= and the name of the endpoint.", target="name")
    return found


NameDep = Annotated[str, Depends(_name)]
ActiveOnly = Annotated[bool, Query(alias="activeOnly")]
Version = Annotated[str | None, Query(alias="pipelineVersion")]
MOST = 1000
"""So many things are listed at most: the original service has no limits in its paths."""
