"""Tables read on this machine: the files are copied here, and polars reads the copies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.data import _transfer
from airloom.data._reading import as_user_errors
from airloom.data.abstract_dataset import DatasetFile
from airloom.graph.tables import TableReading
from airloom.tabular.parts import Part, chosen

if TYPE_CHECKING:
    from airloom.tabular import Table


@contextmanager
def opened(files: Sequence[DatasetFile], reading: TableReading, on_error: Any = "null") -> Iterator[Table]:
    """A table of files on datastores. The copies are removed in the end."""
    from airloom.tabular import Table

    with as_user_errors(), tempfile.TemporaryDirectory(prefix="airloom-dataset-") as folder:
        wanted = chosen(reading, files, lambda file: file.relative)
        with Table(_fetched(wanted, Path(folder)), reading, on_error) as table:
            yield table


def _fetched(files: Sequence[DatasetFile], folder: Path) -> list[Part]:
    by_datastore: dict[str, list[DatasetFile]] = {}
    for file in files:
        by_datastore.setdefault(file.place.datastore.name, []).append(file)
    for name, group in by_datastore.items():
        places: list[tuple[dict[str, Any], str]] = [
            ({"path": file.place.path, "size": file.size}, file.place.path) for file in group
        ]
        store = group[0].place.datastore
        _transfer.fetch(store, places, str(folder / name), overwrite=True, show_progress=False)
    return [Part(folder / file.place.datastore.name / file.place.path, file.place.path) for file in files]
