"""Choosing among the files of a dataset, and having them in a folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Dataset, Workspace
from airloom.data import FileDataset
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.exceptions import UserErrorException

OLD = datetime(2020, 5, 17, tzinfo=UTC)


@pytest.fixture
def files(blobs: AbstractDatastore) -> FileDataset:
    """Three files of 1, 20 and 300 bytes, the first of which is old."""
    for name, size in (("a.csv", 1), ("b.CSV", 20), ("c.txt", 300)):
        path = Path(blobs.root, "in", name)  # type: ignore[attr-defined]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * size)
        if name == "a.csv":
            os.utime(path, (OLD.timestamp(), OLD.timestamp()))
    return Dataset.File.from_files((blobs, "in"))


def names(dataset: FileDataset) -> list[str]:
    return [path.path.rpartition("/")[2] for path in dataset._paths]


def test_conditions_on_files(files: FileDataset) -> None:
    size, changed, extension = (files.file_metadata(name) for name in ("Size", "LastModifiedTime", "Extension"))
    for condition, found in [
        (size > 1, ["b.CSV", "c.txt"]),
        (size >= 20, ["b.CSV", "c.txt"]),
        (size < 20, ["a.csv"]),
        (size <= 20, ["a.csv", "b.CSV"]),
        (size == 20, ["b.CSV"]),
        (size != 20, ["a.csv", "c.txt"]),
        (extension == ".csv", ["a.csv"]),
        ((size > 1) & (extension == ".txt"), ["c.txt"]),
        ((size == 1) | (extension == ".txt"), ["a.csv", "c.txt"]),
        (~(size == 1), ["b.CSV", "c.txt"]),
        (changed == OLD, ["a.csv"]),
        (changed < datetime(2021, 1, 1), ["a.csv"]),  # as v1's users write it
        (changed > OLD + timedelta(days=1), ["b.CSV", "c.txt"]),
        (files.file_metadata("CanSeek"), ["a.csv", "b.CSV", "c.txt"]),
    ]:
        assert names(files.filter(condition)) == found, condition


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda files: files.file_metadata("Sise"), "no metadata 'Sise'.*Did you mean 'Size'"),
        (lambda files: files.file_metadata("CreationTime"), "no metadata 'CreationTime'"),
        (lambda files: files.filter(lambda file: True), "needs a condition such as"),
        (lambda files: files.filter(True), "needs a condition such as"),
        (lambda files: files.filter(files.file_metadata("Size") > "big"), r"\(Size > 'big'\) compares what cannot be"),
        (lambda files: files.filter(files.file_metadata("Size") > 1000), "No file of .* is left"),
        (lambda files: bool(files.file_metadata("Size") > 1), "Join conditions by &"),
    ],
)
def test_what_is_no_condition(files: FileDataset, call: Any, message: str) -> None:
    with pytest.raises(UserErrorException, match=message):
        call(files)


def test_mounted_files_are_there_for_a_while_and_cannot_be_written_to(files: FileDataset, tmp_path: Path) -> None:
    with files.mount() as mounted:
        place = Path(mounted.mount_point)
        assert sorted(path.name for path in place.iterdir()) == ["a.csv", "b.CSV", "c.txt"]
        assert {path.stat().st_mode & 0o222 for path in place.iterdir()} == {0}
    assert not place.exists()
    chosen = tmp_path / "here"
    mounted = files.mount(str(chosen))
    mounted.start()
    mounted.start()
    assert (chosen / "c.txt").read_bytes() == b"x" * 300
    mounted.stop()
    assert list(chosen.iterdir()) == []


def test_a_folder_that_is_in_use_is_left_as_it_is(files: FileDataset, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    mounted = files.mount(str(tmp_path))
    with pytest.raises(UserErrorException, match="not an empty folder"):
        mounted.start()
    mounted.stop()
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(UserErrorException, match="does not know the argument"):
        files.mount(str(tmp_path), read_write=True)


@pytest.fixture
def parted(blobs: AbstractDatastore) -> FileDataset:
    """Files of two countries, one of them on two days."""
    for path in ("it/2026/07/01/a.txt", "it/2026/07/02/a.txt", "fr/2026/07/01/a.txt", "fr/2026/07/01/b.txt"):
        file = Path(blobs.root, "parts", path)  # type: ignore[attr-defined]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    return Dataset.File.from_files((blobs, "parts/**/*.txt"), partition_format="/{country}/{day:yyyy/MM/dd}/*.txt")


def test_parts_of_paths(parted: FileDataset, ws: Workspace) -> None:
    first, second = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)
    assert parted.partition_keys == ["country", "day"]
    assert parted.get_partition_key_values(["country"]) == [{"country": "fr"}, {"country": "it"}]
    assert parted.get_partition_key_values() == [
        {"country": "fr", "day": first},
        {"country": "it", "day": first},
        {"country": "it", "day": second},
    ]
    chosen = parted.filter((parted["country"] == "it") & (parted["day"] > datetime(2026, 7, 1)))
    assert [path.path for path in chosen._paths] == ["parts/it/2026/07/02/a.txt"]
    assert chosen.get_partition_key_values() == [{"country": "it", "day": second}]
    again = Dataset.get_by_id(ws, parted.id)
    assert isinstance(again, FileDataset)
    assert again == parted
    assert again.partition_keys == ["country", "day"]


def test_what_is_no_part_of_a_path(parted: FileDataset, files: FileDataset, blobs: AbstractDatastore) -> None:
    for call in (lambda: parted["town"], lambda: parted.get_partition_key_values(["town"]), lambda: files["country"]):
        with pytest.raises(UserErrorException, match="has the partition keys"):
            call()
    assert files.get_partition_key_values() == []
    with pytest.raises(UserErrorException, match="partition format"):
        Dataset.File.from_files((blobs, "parts"), partition_format="/{a")
    odd = Dataset.File.from_files((blobs, "in"), partition_format="/{country}/{day:yyyy/MM/dd}/*.txt")
    with pytest.raises(UserErrorException, match="does not fit the partition format"):
        odd.filter(odd["country"] == "it")
