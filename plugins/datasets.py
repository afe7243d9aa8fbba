"""Registered datasets: names with numbered versions, each of which pins what it consisted of.

Whoever adds a version locks the dataset's row first, so of two who add one at once each gets a number of his own. The
content is read before that, as it may take long. What is registered twice without a change is the same version.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter
from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError

from airloom.errors import AlreadyExists, InvalidName, NotFound
from airloom.graph.model import DatasetRef, DatasetSource
from airloom.graph.suggest import did_you_mean
from airloom.plugins.airflow_gateway import Session, open_session, open_session_in_turn
from airloom.plugins.checking import check_name
from airloom.plugins.creation import lock
from airloom.plugins.db.datasets import DatasetRow, DatasetVersionRow
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.errors import Conflict
from airloom.storage.contents import Comparison, Content, compare, pin
from airloom.storage.saved_datasets import SavedDatasets
from airloom.storage.workspace import WorkspaceStore

LATEST = "latest"
_SOURCE: TypeAdapter[DatasetSource] = TypeAdapter(DatasetSource)


@dataclass(frozen=True)
class NewVersion:
    """A dataset to be registered. Without `create_new_version`, a name that stands for other data is refused."""

    name: str
    source: DatasetSource
    description: str | None = None
    tags: Mapping[str, str] | None = None
    create_new_version: bool = False
    created_by: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)


def register(workspace_id: int, storage: WorkspaceStore, new: NewVersion) -> str:
    """Register a dataset with the content that it has now; returns the id of its version."""
    check_name(new.name, "a dataset")
    source = new.source.model_copy(update={"dataset": None})
    content = pin(storage, source)
    row_id = id_of(workspace_id, new.name)
    with open_session() as session:
        row = locked(session, row_id, new.name)
        latest = latest_of(session, row)
        if latest is not None and same(latest, source, content):
            _describe(latest, new.description, new.tags)
            return latest.id
        if latest is not None and not new.create_new_version:
            raise AlreadyExists(
                f"There is a dataset {new.name!r} already, whose version {latest.version} has other data.",
                hint="Pass create_new_version=True to add a version, or choose another name.",
                target=new.name,
            )
        return append(session, row, new, source, content).id


def id_of(workspace_id: int, name: str) -> int:
    """The id of the row of a name, made if there is none. It holds one connection at a time."""
    found = _id(workspace_id, name)
    if found is None:
        try:
            with open_session_in_turn() as session:
                session.add(DatasetRow(workspace_id=workspace_id, name=name))
        except IntegrityError:
            pass  # somebody else has made it at the same moment, or the workspace is no more
        found = _id(workspace_id, name)
    if found is None:
        raise _deleted(name)
    return found


def locked(session: Session, row_id: int, name: str) -> DatasetRow:
    """The row of a name, which nobody else may change until the session ends."""
    row = session.get(DatasetRow, row_id)
    if row is None:
        raise _deleted(name)
    lock(session, row)
    return row


def append(
    session: Session, row: DatasetRow, new: NewVersion, source: DatasetSource, content: Content
) -> DatasetVersionRow:
    """Add the next version to a locked row."""
    row.last_version += 1
    version = DatasetVersionRow(
        id=str(uuid.uuid4()),
        dataset_id=row.id,
        version=row.last_version,
        description=new.description or "",
        tags=dict(new.tags or {}),
        source=source.model_dump(mode="json"),
        content=content.model_dump(mode="json"),
        created_by=new.created_by,
        **new.origin,
    )
    session.add(version)
    session.flush()
    return version


def same(version: DatasetVersionRow, source: DatasetSource, content: Content) -> bool:
    """True if a version has this source and this content."""
    return version.source == source.model_dump(mode="json") and version.content["digest"] == content.digest


def latest_of(session: Session, row: DatasetRow) -> DatasetVersionRow | None:
    """The latest version of a name, None if all were unregistered."""
    query = select(DatasetVersionRow).where(DatasetVersionRow.dataset_id == row.id)
    return session.scalars(query.order_by(DatasetVersionRow.version.desc()).limit(1)).first()


# --- looking ------------------------------------------------------------------------------------------------------


def list_latest(session: Session, workspace: WorkspaceRow) -> Sequence[DatasetVersionRow]:
    """The latest version of each name, by name."""
    newest = (
        select(DatasetVersionRow.dataset_id, func.max(DatasetVersionRow.version).label("version"))
        .group_by(DatasetVersionRow.dataset_id)
        .subquery()
    )
    query = (
        select(DatasetVersionRow)
        .join(newest, (newest.c.dataset_id == DatasetVersionRow.dataset_id))
        .join(DatasetRow, DatasetRow.id == DatasetVersionRow.dataset_id)
        .where(newest.c.version == DatasetVersionRow.version, DatasetRow.workspace_id == workspace.id)
        .order_by(DatasetRow.name)
    )
    return session.scalars(query).all()


def versions(session: Session, workspace: WorkspaceRow, name: str) -> Sequence[DatasetVersionRow]:
    """All versions of a name, the newest first. Raises NotFound."""
    query = _versions_of(workspace, name).order_by(DatasetVersionRow.version.desc())
    found = session.scalars(query).all()
    if not found:
        raise _no_dataset(session, workspace, name)
    return found


def find(session: Session, workspace: WorkspaceRow, name: str, version: str | int = LATEST) -> DatasetVersionRow:
    """A version of a name, by its number or `latest`. Raises NotFound, and InvalidName for what is no version."""
    wanted = _number(version)
    query = _versions_of(workspace, name).order_by(DatasetVersionRow.version.desc()).limit(1)
    if wanted is not None:
        query = query.where(DatasetVersionRow.version == wanted)
    row = session.scalars(query).first()
    if row is None:
        known = ", ".join(str(each.version) for each in versions(session, workspace, name)[:20])
        raise NotFound(
            f"The dataset {name!r} has no version {version}.", hint=f"It has: {known}.", target=f"{name}:{version}"
        )
    return row


def by_id(session: Session, workspace: WorkspaceRow, version_id: str) -> DatasetVersionRow | None:
    """The version of this id, if there is one."""
    query = select(DatasetVersionRow).join(DatasetRow, DatasetRow.id == DatasetVersionRow.dataset_id)
    return session.scalars(
        query.where(DatasetVersionRow.id == version_id.lower(), DatasetRow.workspace_id == workspace.id)
    ).first()


def source_of(row: DatasetVersionRow) -> DatasetSource:
    """What a version reads, with the version itself named in it."""
    source = _SOURCE.validate_python(row.source)
    reference = DatasetRef(id=row.id, name=row.dataset.name, version=row.version, digest=row.content["digest"])
    return source.model_copy(update={"dataset": reference})


def source_by_id(session: Session, workspace: WorkspaceRow, storage: WorkspaceStore, dataset_id: str) -> DatasetSource:
    """What a registered version, or a saved dataset, of this id reads. Raises NotFound."""
    row = by_id(session, workspace, dataset_id)
    return SavedDatasets(storage).get(dataset_id) if row is None else source_of(row)


def content_now(storage: WorkspaceStore, row: DatasetVersionRow) -> Comparison:
    """What has become of the content that a version pinned."""
    return compare(storage, _SOURCE.validate_python(row.source), row.content["digest"])


def places(session: Session) -> Iterator[tuple[str, str]]:
    """Datastore and path of all that any version of any workspace reads."""
    for source in session.scalars(select(DatasetVersionRow.source)):
        for location in _SOURCE.validate_python(source).locations:
            yield location.datastore, location.path


# --- changing -----------------------------------------------------------------------------------------------------


def update(session: Session, row: DatasetVersionRow, description: str | None, tags: Mapping[str, str] | None) -> None:
    """Change what is said of a version; None leaves it as it is."""
    lock(session, row.dataset)
    session.refresh(row)
    _describe(row, description, tags)


def unregister(session: Session, row: DatasetVersionRow) -> None:
    """Forget a version; its data stays."""
    session.delete(row)


def unregister_all(session: Session, workspace: WorkspaceRow, name: str) -> None:
    """Forget a name and all its versions; their data stays. Raises NotFound."""
    session.delete(versions(session, workspace, name)[0].dataset)


def _describe(row: DatasetVersionRow, description: str | None, tags: Mapping[str, str] | None) -> None:
    if description is not None:
        row.description = description
    if tags is not None:
        row.tags = dict(tags)


def _id(workspace_id: int, name: str) -> int | None:
    query = select(DatasetRow.id).where(DatasetRow.workspace_id == workspace_id, DatasetRow.name == name)
    with open_session() as session:
        return session.scalar(query)


def _deleted(name: str) -> Conflict:
    return Conflict(
        f"The dataset {name!r}, or its workspace, was deleted at the same moment.", hint="Try again.", target=name
    )


def _versions_of(workspace: WorkspaceRow, name: str) -> Select[DatasetVersionRow]:
    return (
        select(DatasetVersionRow)
        .join(DatasetRow, DatasetRow.id == DatasetVersionRow.dataset_id)
        .where(DatasetRow.workspace_id == workspace.id, DatasetRow.name == name)
    )


def _number(version: str | int) -> int | None:
    """The number of a version, None for the latest."""
    text = str(version)
    if text == LATEST:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidName(
            f"{text[:80]!r} is no version of a dataset.", hint="Give a number, or latest.", target=text[:80]
        )
    return int(text)


def _no_dataset(session: Session, workspace: WorkspaceRow, name: str) -> NotFound:
    known = [row.dataset.name for row in list_latest(session, workspace)]
    return NotFound(
        f"Workspace {workspace.name!r} has no dataset {name[:80]!r}.",
        hint=did_you_mean(name, known) or "`airloom datasets` lists those that it has.",
        target=name[:80],
    )
