"""Endpoints: stable names in front of published pipelines. Each version is one pipeline; one version is the default.

Whoever changes an endpoint locks its row first, so of two who add a version at once each gets a number of his own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError

from airloom.errors import AlreadyExists, NotFound
from airloom.plugins import publishing, workspaces
from airloom.plugins.airflow_gateway import BaseUser, Session, open_session
from airloom.plugins.checking import check_name
from airloom.plugins.creation import lock
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import IS_DEFAULT, EndpointRow, EndpointVersionRow, PipelineRow
from airloom.plugins.errors import Conflict
from airloom.plugins.publishing import Status
from airloom.plugins.schedule_documents import settle_of_endpoint
from airloom.plugins.settings import Settings
from airloom.plugins.submission import ACTIVE, DISABLED, RunRequest, check_may_run, start


@dataclass(frozen=True)
class NewEndpoint:
    """An endpoint to be created, with its first version."""

    name: str
    pipeline_id: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What is to change of an endpoint; None leaves it as it is. `default_version` is one that it has."""

    name: str | None = None
    description: str | None = None
    status: Status | None = None
    default_version: str | None = None


def create(settings: Settings, user: BaseUser, workspace: str, new: NewEndpoint) -> str:
    """Create an endpoint whose version 0, the default, is a published pipeline; returns its id."""
    check_name(new.name, "an endpoint")
    endpoint_id = str(uuid.uuid4())
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        pipeline = publishing.find(session, row, new.pipeline_id)
        check_may_run(user, pipeline.dag_id)
        _check_free(session, row, new.name)
        session.add(
            EndpointRow(
                id=endpoint_id,
                workspace_id=row.id,
                name=new.name,
                description=new.description,
                tags=dict(new.tags),
                properties=dict(new.properties),
                created_by=user.get_name(),
                versions=[EndpointVersionRow(version=0, pipeline_id=pipeline.id)],
            )
        )
        _flush(session, new.name)
    return endpoint_id


def find(session: Session, workspace: WorkspaceRow, endpoint_id: str) -> EndpointRow:
    """The endpoint of this id. Raises NotFound."""
    row = _one(session, workspace, EndpointRow.id == endpoint_id)
    if row is None:
        raise _no_endpoint(workspace, endpoint_id)
    return row


def by_name(session: Session, workspace: WorkspaceRow, name: str) -> EndpointRow:
    """The endpoint of this name. Raises NotFound."""
    row = _one(session, workspace, EndpointRow.name == name)
    if row is None:
        raise _no_endpoint(workspace, name)
    return row


def list_some(
    session: Session,
    workspace: WorkspaceRow,
    *,
    active_only: bool = True,
    name: str | None = None,
    limit: int = 100,
    may_read: Callable[[str], bool],
) -> list[EndpointRow]:
    """The endpoints, by name, of whose default pipeline the caller may read the DAG, at most `limit`."""
    query = select(EndpointRow, PipelineRow.dag_id).join(EndpointVersionRow, IS_DEFAULT).join(PipelineRow, _OF_VERSION)
    query = query.where(EndpointRow.workspace_id == workspace.id).order_by(EndpointRow.name)
    if active_only:
        query = query.where(EndpointRow.status == ACTIVE)
    if name is not None:
        query = query.where(EndpointRow.name == name)
    found = session.execute(query).all()
    return list(islice((row for row, dag_id in found if may_read(dag_id)), limit))


def resolve(session: Session, endpoint: EndpointRow, version: str | None = None) -> PipelineRow:
    """The pipeline of a version, by default of the default one. Raises NotFound."""
    number = endpoint.default_version if version is None else _number(endpoint, version)
    query = select(PipelineRow).join(EndpointVersionRow, _OF_VERSION)
    row = session.scalar(
        query.where(EndpointVersionRow.endpoint_id == endpoint.id, EndpointVersionRow.version == number)
    )
    if row is None:
        raise _no_version(endpoint, str(number))
    return row


def submit(settings: Settings, user: BaseUser, workspace: str, endpoint: EndpointRow, request: RunRequest) -> str:
    """Create a run of a version of an endpoint, `request.endpoint_version` or the default; returns the run's id."""
    with open_session() as session:
        target = resolve(session, endpoint, request.endpoint_version)
    check_may_run(user, target.dag_id)
    if endpoint.status != ACTIVE:
        raise Conflict(
            f"The endpoint {endpoint.name!r} is disabled or archived.",
            hint="Enable or reactivate it first.",
            target=endpoint.id,
        )
    return start(settings, user, workspace, target, request)


def update(settings: Settings, user: BaseUser, workspace: str, endpoint_id: str, change: Change) -> None:
    """Change what is given."""
    with open_session() as session:
        row = _locked(session, settings, user, workspace, endpoint_id)
        if change.name is not None and change.name != row.name:
            _rename(session, row, change.name)
        if change.description is not None:
            row.description = change.description
        if change.status is not None:
            row.status = change.status
        if change.default_version is not None:
            check_may_run(user, resolve(session, row, change.default_version).dag_id)
            row.default_version = _number(row, change.default_version)
    settle_of_endpoint(settings, endpoint_id)


def add_version(
    settings: Settings, user: BaseUser, workspace: str, endpoint_id: str, pipeline_id: str, *, default: bool = False
) -> str:
    """Add a published pipeline as the next version; returns its number."""
    with open_session() as session:
        row = _locked(session, settings, user, workspace, endpoint_id)
        pipeline = publishing.find(session, session.get_one(WorkspaceRow, row.workspace_id), pipeline_id)
        check_may_run(user, pipeline.dag_id)
        number = 1 + max(version.version for version in row.versions)
        row.versions.append(EndpointVersionRow(version=number, pipeline_id=pipeline.id))
        if default:
            row.default_version = number
    settle_of_endpoint(settings, endpoint_id)
    return str(number)


def archive(settings: Settings, user: BaseUser, workspace: str, endpoint_id: str) -> None:
    """Disable an endpoint and free its name: it is named by a UUID until it is reactivated."""
    with open_session() as session:
        row = _locked(session, settings, user, workspace, endpoint_id)
        row.status = DISABLED
        if not is_archived(row):
            row.name = str(uuid.uuid4())
    settle_of_endpoint(settings, endpoint_id)


def reactivate(settings: Settings, user: BaseUser, workspace: str, endpoint_id: str, name: str) -> None:
    """Give an archived endpoint a name again, and enable it."""
    with open_session() as session:
        row = _locked(session, settings, user, workspace, endpoint_id)
        if not is_archived(row):
            raise Conflict(
                f"The endpoint {row.name!r} is not archived.", hint="Enable it, or rename it.", target=row.id
            )
        _rename(session, row, name)
        row.status = ACTIVE
    settle_of_endpoint(settings, endpoint_id)


def is_archived(endpoint: EndpointRow) -> bool:
    """True if its name is free for another one."""
    return _is_uuid(endpoint.name)


def default_dag(session: Session, endpoint: EndpointRow) -> str:
    """The DAG of its default pipeline: who may read or run this, may read or change the endpoint."""
    return resolve(session, endpoint).dag_id


_OF_VERSION = PipelineRow.id == EndpointVersionRow.pipeline_id


def _one(session: Session, workspace: WorkspaceRow, which: ColumnElement[bool]) -> EndpointRow | None:
    return session.scalar(select(EndpointRow).where(EndpointRow.workspace_id == workspace.id, which))


def _locked(session: Session, settings: Settings, user: BaseUser, workspace: str, endpoint_id: str) -> EndpointRow:
    """The endpoint for whoever may change it; nobody else changes it until the session's transaction ends."""
    row = find(session, workspaces.find(session, settings, workspace), endpoint_id)
    lock(session, row)
    check_may_run(user, default_dag(session, row))
    return row


def _rename(session: Session, row: EndpointRow, name: str) -> None:
    check_name(name, "an endpoint")
    _check_free(session, session.get_one(WorkspaceRow, row.workspace_id), name)
    row.name = name
    _flush(session, name)


def _check_free(session: Session, workspace: WorkspaceRow, name: str) -> None:
    if _is_uuid(name):
        raise Conflict(f"{name!r} cannot be the name of an endpoint: archived ones are named so.", target=name)
    if _one(session, workspace, EndpointRow.name == name) is not None:
        raise _taken(name)


def _flush(session: Session, name: str) -> None:
    """Write what was changed; another may have taken the name at the same moment."""
    try:
        session.flush()
    except IntegrityError:
        raise _taken(name) from None


def _number(endpoint: EndpointRow, version: str) -> int:
    if not (version.isascii() and version.isdecimal() and len(version) <= 9 and str(int(version)) == version):
        raise _no_version(endpoint, version)
    return int(version)


def _is_uuid(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"There is an endpoint {name!r} already.", hint="Add a version to it, or choose another name.", target=name
    )


def _no_endpoint(workspace: WorkspaceRow, wanted: str) -> NotFound:
    return NotFound(
        f"Workspace {workspace.name!r} has no endpoint {wanted[:80]!r}.",
        hint="Check its id or name.",
        target=wanted[:80],
    )


def _no_version(endpoint: EndpointRow, version: str) -> NotFound:
    known = ", ".join(str(each.version) for each in endpoint.versions)
    return NotFound(
        f"The endpoint {endpoint.name!r} has no version {version[:20]!r}.",
        hint=f"It has: {known}.",
        target=version[:20],
    )
