"""Looks at tables that are not on the server's disk, and what is remembered of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.errors import InvalidGraph, LimitExceeded, NotFound
from airloom.graph.model import DataLocation, TabularSource
from airloom.graph.tables import ReadOptions
from airloom.plugins import tables
from airloom.storage.object_store import open_store
from airloom.tabular.failures import UnreadableTable
from tests.support.remote_datastore import FarWorkspace, RemoteFolder


@pytest.fixture
def store(tmp_path: Path) -> FarWorkspace:
    """A workspace whose data is elsewhere."""
    return FarWorkspace(open_store(f"file://{tmp_path / 'store'}"), "default")


@pytest.fixture
def far(store: FarWorkspace, tmp_path: Path) -> RemoteFolder:
    """Its datastore."""
    return store.add(tmp_path / "far")


def table(path: str, **options: str) -> TabularSource:
    """A table on it."""
    reading = ReadOptions.model_validate(options)
    return TabularSource(locations=(DataLocation(datastore="far", path=path),), options=reading)


def test_files_elsewhere_are_copied_once_for_the_same_content(store: FarWorkspace, far: RemoteFolder) -> None:
    far.put("t/a.csv", "n\n1\n")
    far.put("t/b.csv", "n\n2\n")
    far.put("t/c.txt", "x")
    source = table("t", path_glob="*.csv")
    assert tables.preview(store, source, 5)["rows"] == tables.preview(store, source, 5)["rows"] == [[1], [2]]
    assert sorted(far.fetched) == ["t/a.csv", "t/b.csv"]
    assert tables.profile(store, source)["rows"] == 2
    far.put("t/b.csv", "n\n3\n4\n")
    assert tables.preview(store, source, 5)["rows"] == [[1], [3], [4]]


def test_too_much_is_not_copied(store: FarWorkspace, far: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    far.put("t.csv", "n\n1\n")
    monkeypatch.setattr(tables, "LARGEST_COPY", 3)
    with pytest.raises(LimitExceeded, match="'far', which is not on the server's disk"):
        tables.preview(store, table("t.csv"), 1)
    assert far.fetched == []


def test_a_look_that_takes_too_long_ends(
    store: FarWorkspace, far: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.put("t.csv", "n\n1\n")
    monkeypatch.setattr(tables, "SECONDS", 0.001)
    with pytest.raises(LimitExceeded, match="takes longer than"):
        tables.profile(store, table("t.csv"))


def test_what_is_wrong_with_a_table_is_told(store: FarWorkspace, far: RemoteFolder) -> None:
    far.put("empty.csv", "")
    with pytest.raises(UnreadableTable, match=r"empty\.csv is empty"):
        tables.profile(store, table("empty.csv"))
    with pytest.raises(NotFound):
        tables.profile(store, table("none.csv"))
    with pytest.raises(InvalidGraph, match="nothing to look at"):
        tables.profile(store, table("", query="SELECT 1").model_copy(update={"format": "sql"}))
