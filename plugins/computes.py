"""Compute targets: each is a row of ours and a pool of Airflow's, changed together in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from airloom.errors import AlreadyExists, InvalidName, NotFound
from airloom.plugins.airflow_gateway import Session, delete_pool, put_pool
from airloom.plugins.creation import create_once, lock
from airloom.plugins.db.models import ComputeRow, WorkspaceRow
from airloom.storage.paths import check_name


def pool_name(workspace: str, compute: str) -> str:
    """The Airflow pool that limits how many steps run on a compute target at a time."""
    return f"{workspace}.{compute}"


def list_all(session: Session, workspace: WorkspaceRow) -> Sequence[ComputeRow]:
    """The compute targets of a workspace, by name."""
    query = select(ComputeRow).where(ComputeRow.workspace_id == workspace.id).order_by(ComputeRow.name)
    return session.scalars(query).all()


def pools(session: Session, workspace: WorkspaceRow) -> dict[str, str]:
    """Compute target -> pool, as a definition needs it."""
    return {compute.name: compute.pool for compute in list_all(session, workspace)}


def find(session: Session, workspace: WorkspaceRow, name: str) -> ComputeRow:
    """The compute target of this name. Raises NotFound."""
    row = _get(session, workspace, name)
    if row is None:
        known = ", ".join(compute.name for compute in list_all(session, workspace)) or "none"
        raise NotFound(
            f"Workspace {workspace.name!r} has no compute target {name!r}.",
            hint=f"It has: {known}.",
            target=name,
        )
    return row


def create(
    session: Session, workspace: WorkspaceRow, *, exist_ok: bool, name: str, provisioning: dict[str, Any], **fields: Any
) -> ComputeRow:
    """Create a compute target and its pool. AlreadyExists if there is one, unless `exist_ok`."""
    check_name("compute target", name)

    def make(own: Session) -> None:
        pool = pool_name(workspace.name, name)
        row = ComputeRow(workspace_id=workspace.id, name=name, pool=pool, provisioning={}, slots=0, **fields)
        _set_sizes(own, row, provisioning)
        own.add(row)

    row, made = create_once(lambda: _get(session, workspace, name), make, f"compute target {name!r}")
    if not made and not exist_ok:
        raise AlreadyExists(
            f"Workspace {workspace.name!r} has a compute target {name!r} already.",
            hint="Use it, choose another name, or delete it first.",
            target=name,
        )
    return row


def resize(session: Session, row: ComputeRow, provisioning: dict[str, Any]) -> None:
    """Change the sizes of a compute target; its pool follows. What others change at the same moment is kept."""
    lock(session, row)
    _set_sizes(session, row, provisioning)


def _set_sizes(session: Session, row: ComputeRow, provisioning: dict[str, Any]) -> None:
    merged = {**row.provisioning, **provisioning}
    if merged.get("min_nodes", 0) > merged["max_nodes"]:
        raise InvalidName(
            f"Compute target {row.name!r} would have min_nodes {merged['min_nodes']} above "
            f"max_nodes {merged['max_nodes']}.",
            hint="Lower min_nodes or raise max_nodes.",
            target="min_nodes",
        )
    row.provisioning = merged
    row.slots = merged["max_nodes"]
    put_pool(session, row.pool, row.slots, f"Airloom compute target {row.pool}")


def delete(session: Session, row: ComputeRow) -> None:
    """Remove a compute target and its pool. Pipelines that name it can no longer be submitted."""
    delete_pool(session, row.pool)
    session.delete(row)


def _get(session: Session, workspace: WorkspaceRow, name: str) -> ComputeRow | None:
    query = select(ComputeRow).where(ComputeRow.workspace_id == workspace.id, ComputeRow.name == name)
    return session.scalar(query)
