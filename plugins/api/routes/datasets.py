"""Saved datasets: places and how to read them, found by an id."""

from __future__ import annotations

from fastapi import APIRouter

from airloom.graph.model import source_locations
from airloom.graph.validate import check_location
from airloom.plugins import datastores
from airloom.plugins.airflow_gateway import SUBMIT
from airloom.plugins.api import schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.bodies import limited_route
from airloom.plugins.api.deps import SessionDep, StoreDep, WorkspaceDep
from airloom.plugins.errors import RejectedGraph
from airloom.storage.saved_datasets import SavedDatasets

router = APIRouter(prefix="/workspaces/{ws}/datasets", tags=["datasets"], route_class=limited_route("max_request_mb"))


@router.post("", status_code=201, summary="Save a dataset", dependencies=[requires(SUBMIT)])
def save_dataset(
    body: schemas.DatasetBody, workspace: WorkspaceDep, session: SessionDep, store: StoreDep
) -> schemas.Dataset:
    """Keeps where the data lies and how it is read. The same again has the same id."""
    known = datastores.names(session, workspace)
    problems = [
        problem
        for location in source_locations(body.source)
        for problem in check_location(location, "The dataset", "source", known)
    ]
    if problems:
        raise RejectedGraph(problems)
    return schemas.Dataset(id=SavedDatasets(store).save(body.source), source=body.source)


@router.get("/{dataset_id}", summary="Read a saved dataset", dependencies=[requires(SUBMIT)])
def get_dataset(dataset_id: str, store: StoreDep) -> schemas.Dataset:
    """One saved dataset."""
    source = SavedDatasets(store).get(dataset_id)
    return schemas.Dataset(id=dataset_id, source=source)
