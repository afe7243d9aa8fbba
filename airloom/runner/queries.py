"""Inputs that are the rows of a query: it is run once, when the step starts, and its rows are kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airloom.errors import NotFound
from airloom.graph.step_settings import SqlRows
from airloom.runner.spec import StagedInput
from airloom.storage.workspace import WorkspaceStore

ROWS_FILE = "rows.parquet"


def fetch_rows(store: WorkspaceStore, spec: StagedInput, folder: Path, check: Callable[[], None]) -> Path:
    """The Parquet file with the rows, which come and are written some at a time. `check` is called in between."""
    from pyarrow import parquet

    from airloom.sql.database import open_database

    name = spec.paths[0].datastore
    config = store.datastores().get(name)
    if config is None:
        raise NotFound(
            f"Input {spec.name!r} reads from the datastore {name!r}, which the workspace does not have.",
            hint="Register it.",
            target=name,
        )
    folder.mkdir(parents=True)
    target = folder / ROWS_FILE
    query = SqlRows(datastore=name, query=spec.tabular.options.query)
    with (
        open_database(config, store.secrets).read(query) as rows,
        parquet.ParquetWriter(target, rows.schema, compression="zstd") as writer,
    ):
        for batch in rows:
            check()
            writer.write_batch(batch)
    return target
