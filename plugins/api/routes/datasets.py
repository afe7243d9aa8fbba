"""Datasets: places and how to read them, saved under an id; and registered ones, with names and numbered versions.

What is registered or saved is where data lies, not the data. Whoever may submit pipelines may do all of this: a
script of his could read and write the same data.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from airloom.graph.model import DatasetSource, source_locations
from airloom.graph.validate import check_location
from airloom.plugins import datasets, datastores
from airloom.plugins.airflow_gateway import SUBMIT, CurrentUser, Session, open_session
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.dataset_schemas import (
    Content,
    ContentNow,
    Dataset,
    DatasetBody,
    DatasetPatch,
    DatasetVersion,
    DatasetVersionBody,
    DatasetVersionList,
    FoundDataset,
)
from airloom.plugins.api.deps import SessionDep, SettingsDep, StoreDep, WorkspaceDep
from airloom.plugins.dataset_wishes import grant_wishes
from airloom.plugins.db.datasets import DatasetVersionRow
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.errors import RejectedGraph
from airloom.plugins.workspaces import find as find_workspace
from airloom.storage.saved_datasets import SavedDatasets

router = APIRouter(
    prefix="/workspaces/{ws}/datasets",
    tags=["datasets"],
    route_class=limited_route("max_request_mb"),
    dependencies=[requires(SUBMIT)],
)
_NAMED = "/by-name/{name}"
_VERSIONS = f"{_NAMED}/versions"
_VERSION = f"{_VERSIONS}/{{version}}"
Version = Annotated[str, Path(description="A number, or `latest`.")]


@router.get("", summary="List registered datasets")
def list_datasets(workspace: WorkspaceDep, storage: StoreDep, session: SessionDep) -> DatasetVersionList:
    """The latest version of each, by name."""
    grant_wishes(workspace.id, storage)
    return DatasetVersionList(datasets=[_view(row) for row in datasets.list_latest(session, workspace)])


@router.post("", status_code=201, summary="Save a dataset")
def save_dataset(body: DatasetBody, workspace: WorkspaceDep, session: SessionDep, store: StoreDep) -> Dataset:
    """Keeps where the data lies and how it is read. The same again has the same id."""
    _check(session, workspace, body.source)
    return Dataset(id=SavedDatasets(store).save(body.source), source=body.source)


@router.get("/{dataset_id}", summary="Read a dataset by its id")
def get_dataset(dataset_id: str, workspace: WorkspaceDep, store: StoreDep, session: SessionDep) -> FoundDataset:
    """A version of a registered dataset, or a saved one."""
    row = datasets.by_id(session, workspace, dataset_id)
    if row is None:
        return FoundDataset(id=dataset_id, source=SavedDatasets(store).get(dataset_id))
    return FoundDataset(id=row.id, source=datasets.source_of(row), registered=_view(row))


@router.post(_VERSIONS, status_code=201, summary="Register a dataset")
def register_dataset(
    ws: str, name: str, body: DatasetVersionBody, storage: StoreDep, settings: SettingsDep, user: CurrentUser
) -> DatasetVersion:
    """Makes version 1 of a name, or the next one. The same source with the same content is the same version.

    Its content is read to be pinned: files on local datastores that are new are digested, elsewhere none is.
    """
    with open_session() as session:
        workspace = find_workspace(session, settings, ws)
        _check(session, workspace, body.source)
        workspace_id = workspace.id
    grant_wishes(workspace_id, storage)
    new = datasets.NewVersion(name=name, created_by=user.get_name(), **dict(body))
    version_id = datasets.register(workspace_id, storage, new)
    with open_session() as session:
        row = datasets.by_id(session, find_workspace(session, settings, ws), version_id)
        return _view(row or datasets.find(session, find_workspace(session, settings, ws), name))


@router.get(_VERSIONS, summary="List the versions of a dataset")
def list_dataset_versions(
    name: str, workspace: WorkspaceDep, storage: StoreDep, session: SessionDep
) -> DatasetVersionList:
    """All of them, the newest first."""
    grant_wishes(workspace.id, storage)
    return DatasetVersionList(datasets=[_view(row) for row in datasets.versions(session, workspace, name)])


@router.get(_VERSION, summary="Read a version of a dataset")
def get_dataset_version(
    name: str, version: Version, workspace: WorkspaceDep, storage: StoreDep, session: SessionDep
) -> DatasetVersion:
    """One version, with the content that it had when it was registered."""
    grant_wishes(workspace.id, storage)
    return _view(datasets.find(session, workspace, name, version))


@router.get(f"{_VERSION}/content", summary="Tell whether the content of a dataset has changed")
def get_dataset_content(ws: str, name: str, version: Version, storage: StoreDep, settings: SettingsDep) -> ContentNow:
    """Compares what the version had when it was registered with what lies there now."""
    with open_session() as session:
        workspace = find_workspace(session, settings, ws)
        grant_wishes(workspace.id, storage)
        row = datasets.find(session, workspace, name, version)
        session.expunge_all()
    found = datasets.content_now(storage, row)
    return ContentNow(
        state=found.state,
        registered=Content.model_validate(row.content),
        now=Content.model_validate(found.now.model_dump()) if found.now is not None else None,
        added=list(found.added),
        removed=list(found.removed),
        changed=list(found.changed),
    )


@router.patch(_VERSION, summary="Change a version of a dataset")
def update_dataset_version(
    name: str, version: Version, body: DatasetPatch, workspace: WorkspaceDep, session: SessionDep
) -> DatasetVersion:
    """Changes description and tags, as a whole; what it reads never changes."""
    row = datasets.find(session, workspace, name, version)
    datasets.update(session, row, body.description, body.tags)
    return _view(row)


@router.delete(_VERSION, status_code=204, summary="Unregister a version of a dataset")
def unregister_dataset_version(name: str, version: Version, workspace: WorkspaceDep, session: SessionDep) -> None:
    """Forgets it; its data stays, and its number is not given again."""
    datasets.unregister(session, datasets.find(session, workspace, name, version))


@router.delete(_NAMED, status_code=204, summary="Unregister a dataset")
def unregister_dataset(name: str, workspace: WorkspaceDep, storage: StoreDep, session: SessionDep) -> None:
    """Forgets the name and all its versions; their data stays."""
    grant_wishes(workspace.id, storage)
    datasets.unregister_all(session, workspace, name)


def _check(session: Session, workspace: WorkspaceRow, source: DatasetSource) -> None:
    known = datastores.names(session, workspace)
    problems = [
        problem
        for location in source_locations(source)
        for problem in check_location(location, "The dataset", "source", known)
    ]
    if problems:
        raise RejectedGraph(problems)


def _view(row: DatasetVersionRow) -> DatasetVersion:
    return DatasetVersion(
        id=row.id,
        source=datasets.source_of(row),
        name=row.dataset.name,
        version=row.version,
        description=row.description,
        tags=row.tags,
        content=Content.model_validate(row.content),
        run_id=row.run_id,
        step_id=row.step_id,
        created_at=row.created_at,
        created_by=row.created_by,
        modified_at=row.modified_at,
    )
