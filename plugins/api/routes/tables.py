"""A look at saved tables: their first rows, and what is in their columns."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from airloom.errors import InvalidGraph
from airloom.graph.model import TabularSource
from airloom.plugins import datasets, tables, workspaces
from airloom.plugins.airflow_gateway import SUBMIT, open_session
from airloom.plugins.api import table_schemas as schemas
from airloom.plugins.api.auth import requires
from airloom.plugins.api.deps import SettingsDep, StoreDep
from airloom.storage.saved_datasets import SavedDatasets

router = APIRouter(prefix="/workspaces/{ws}/datasets/{dataset_id}", tags=["datasets"])

LONGEST_PREVIEW = 1000


def _table(ws: str, dataset_id: str, store: StoreDep, settings: SettingsDep) -> TabularSource:
    """A version of a registered dataset, or a saved one. No connection is held while it is looked at."""
    with open_session() as session:
        row = datasets.by_id(session, workspaces.find(session, settings, ws), dataset_id)
        source = datasets.source_of(row) if row is not None else None
    source = source or SavedDatasets(store).get(dataset_id)
    if not isinstance(source, TabularSource):
        raise InvalidGraph(f"The dataset {dataset_id[:80]!r} is one of files, not a table.", target=dataset_id[:80])
    return source


TableDep = Annotated[TabularSource, Depends(_table)]


@router.get("/preview", summary="See the first rows of a table", dependencies=[requires(SUBMIT)])
def preview(
    table: TableDep, store: StoreDep, rows: Annotated[int, Query(ge=0, le=LONGEST_PREVIEW)] = 100
) -> schemas.TablePreview:
    """Reads what is there now. Long texts and lists are cut, and values that JSON lacks are null."""
    return schemas.TablePreview.model_validate(tables.preview(store, table, rows))


@router.get("/profile", summary="See what is in the columns of a table", dependencies=[requires(SUBMIT)])
def profile(table: TableDep, store: StoreDep) -> schemas.TableProfile:
    """Reads the whole table as it is now; what was found is remembered until its content is another."""
    return schemas.TableProfile.model_validate(tables.profile(store, table))
