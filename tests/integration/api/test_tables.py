"""A look at tables over HTTP: first rows and profiles, as of now."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.client import Client
from airloom.exceptions import NotFoundException, UserErrorException
from airloom.graph.model import DataLocation, FilesSource, TabularSource
from airloom.graph.tables import ReadOptions, Take

BLOBS = "workspaceblobstore"


def saved(admin: Client, workspace: str, path: str, **reading: Any) -> str:
    """The id of a table."""
    source = TabularSource(locations=(DataLocation(datastore=BLOBS, path=path),), **reading)
    return str(admin.save_dataset(workspace, source.model_dump(mode="json"))["id"])


def test_the_first_rows_are_those_of_now(admin: Client, workspace: str) -> None:
    admin.upload_file(workspace, BLOBS, "t/a.csv", b"a,when\n1,2020-01-01\nx,\n")
    table = saved(admin, workspace, "t", options=ReadOptions(include_path=True))
    assert admin.preview_dataset(workspace, table, 1) == {
        "columns": [
            {"name": "Path", "type": "string"},
            {"name": "a", "type": "string"},
            {"name": "when", "type": "datetime"},
        ],
        "rows": [["/t/a.csv", "1", "2020-01-01T00:00:00"]],
    }
    admin.upload_file(workspace, BLOBS, "t/a.csv", b"a\n5\n", overwrite=True)
    assert admin.preview_dataset(workspace, table, 9)["rows"] == [["/t/a.csv", 5]]
    with pytest.raises(UserErrorException, match="less than or equal to 1000"):
        admin.preview_dataset(workspace, table, 1001)


def test_profiles(admin: Client, workspace: str) -> None:
    admin.upload_file(workspace, BLOBS, "n.csv", b"n,t\n" + b"".join(b"%d,x\n" % number for number in range(100)))
    found = admin.profile_dataset(workspace, saved(admin, workspace, "n.csv", transforms=(Take(count=50),)))
    number, text = found["columns"]
    assert (found["rows"], number["name"], number["max"], number["mean"]) == (50, "n", 49, 24.5)
    assert [each["count"] for each in number["histogram"]] == [5] * 10
    assert text["top_values"] == [{"value": "x", "count": 50}]


def test_a_registered_table_is_looked_at_by_the_id_of_its_version(admin: Client, workspace: str) -> None:
    admin.upload_file(workspace, BLOBS, "r.csv", b"n\n7\n")
    source = TabularSource(locations=(DataLocation(datastore=BLOBS, path="r.csv"),)).model_dump(mode="json")
    version = admin.register_dataset(workspace, "numbers", {"source": source})
    assert admin.preview_dataset(workspace, version["id"], 5)["rows"] == [[7]]


def test_what_cannot_be_looked_at_says_why(admin: Client, workspace: str) -> None:
    admin.upload_file(workspace, BLOBS, "x.parquet", b"no")
    for path, message in (
        ("x.parquet", r"x\.parquet is not a Parquet file"),
        ("none.parquet", "has nothing at 'none.parquet'"),
    ):
        with pytest.raises(UserErrorException, match=message):
            admin.profile_dataset(workspace, saved(admin, workspace, path, format="parquet"))
    files = FilesSource(locations=(DataLocation(datastore=BLOBS, path="x.parquet"),)).model_dump(mode="json")
    with pytest.raises(UserErrorException, match="not a table"):
        admin.preview_dataset(workspace, admin.save_dataset(workspace, files)["id"], 5)
    with pytest.raises(NotFoundException):
        admin.preview_dataset(workspace, "none", 5)
