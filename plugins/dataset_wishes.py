"""Outputs of steps become datasets: the wishes that workers left are granted whenever somebody looks for datasets."""

from __future__ import annotations

import logging

from airloom.errors import AirloomError
from airloom.graph.model import DatasetSource
from airloom.plugins import datasets
from airloom.plugins.airflow_gateway import Session, open_session
from airloom.plugins.datasets import NewVersion
from airloom.plugins.db.datasets import DatasetRow, DatasetVersionRow, RegistrationRow
from airloom.storage.registrations import Wish, Wishes
from airloom.storage.workspace import WorkspaceStore

log = logging.getLogger(__name__)


def grant_wishes(workspace_id: int, storage: WorkspaceStore) -> None:
    """Register what the steps of this workspace's runs have left to be registered.

    Each wish is granted in a transaction and then taken away, so a server that dies in between finds it again, sees
    that it was granted, and only takes it away. The caller's own session must have written nothing.
    """
    wishes = Wishes(storage)
    for found in wishes.all():
        try:
            _grant(workspace_id, found.wish)
        except AirloomError as error:
            log.warning("The dataset %r of run %s was not registered: %s", found.wish.name, found.wish.run_id, error)
            continue
        wishes.granted(found)


def _grant(workspace_id: int, wish: Wish) -> None:
    row_id = datasets.id_of(workspace_id, wish.name)
    with open_session() as session:
        row = datasets.locked(session, row_id, wish.name)
        before = _version_before(session, wish)
        if before is not None and datasets.same(before, wish.source, wish.content):
            return
        if before is not None and before.registration_id == wish.id:
            _correct(before, wish)
            return
        _register(session, row, wish)


def _version_before(session: Session, wish: Wish) -> DatasetVersionRow | None:
    """What this very output of this run was registered as before."""
    granted = session.get(RegistrationRow, wish.id)
    return session.get(DatasetVersionRow, granted.version_id) if granted is not None else None


def _correct(version: DatasetVersionRow, wish: Wish) -> None:
    """A later attempt of the step wrote another output: the one that was registered is not that of the run."""
    version.source = wish.source.model_dump(mode="json")
    version.content = wish.content.model_dump(mode="json")


def _register(session: Session, row: DatasetRow, wish: Wish) -> None:
    latest = datasets.latest_of(session, row)
    if latest is None or not datasets.same(latest, wish.source, wish.content):
        if latest is not None and not wish.create_new_version:
            log.info("The dataset %r has other data, and no new version was asked for.", wish.name)
            return
        latest = datasets.append(session, row, _new(wish), wish.source, wish.content)
    session.merge(RegistrationRow(id=wish.id, version_id=latest.id, run_id=wish.run_id))


def _new(wish: Wish) -> NewVersion:
    source: DatasetSource = wish.source
    origin = {"run_id": wish.run_id, "step_id": wish.step_id, "registration_id": wish.id}
    return NewVersion(wish.name, source, wish.description, wish.tags, created_by="", origin=origin)
