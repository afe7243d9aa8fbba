"""A look at saved tables: their first rows, and what is in their columns."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from airloom.errors import InvalidGraph
from airloom.graph.model import TabularSource
from airloom.plugins import tables
from airloom.plugins.airflow_gateway import SUBMIT
from airloom.plugins.api import table_schemas as schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.deps import StoreDep
from airloom.storage.saved_datasets import SavedDatasets
from airloom.storage.workspace import WorkspaceStore

router = APIRouter(prefix="/workspaces/{ws}/datasets/{dataset_id}", tags=["datasets"])

LONGEST_PREVIEW = 1000


@router.get("/preview", summary="See the first rows of a table", dependencies=[requires(SUBMIT)])
def preview(
    dataset_id: str, store: StoreDep, rows: Annotated[int, Query(ge=0, le=LONGEST_PREVIEW)] = 100
) -> schemas.TablePreview:
    """Reads what is there now. Long texts and lists are cut, and values that JSON lacks are null."""
    return schemas.TablePreview.model_validate(tables.preview(store, _table(store, dataset_id), rows))


@router.get("/profile", summary="See what is in the columns of a table", dependencies=[requires(SUBMIT)])
def profile(dataset_id: str, store: StoreDep) -> schemas.TableProfile:
    """Reads the whole table as it is now; what was found is remembered until its content is another."""
    return schemas.TableProfile.model_validate(tables.profile(store, _table(store, dataset_id)))


def _table(store: WorkspaceStore, dataset_id: str) -> TabularSource:
    source = SavedDatasets(store).get(dataset_id)
    if not isinstance(source, TabularSource):
        raise InvalidGraph(f"The dataset {dataset_id!r} is one of files, not a table.", target=dataset_id)
    return source
