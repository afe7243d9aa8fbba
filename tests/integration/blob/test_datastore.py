"""A datastore in Azure Blob Storage: what is listed, read, written and published."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from airloom.errors import AlreadyExists, IntegrityError, NotFound, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage.azure_access import BLOCK
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.datastores import Download, FileInfo
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import scan_tree
from tests.support.azurite import Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

FILES = {"a.txt": b"a", "deep/er/b.bin": b"b" * 1000, "deep/empty": b"", "größe %20 #?.csv": b"1,2"}


def make_tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def fetch_all(datastore: AzureBlobDatastore, path: str, target: Path) -> dict[str, bytes]:
    infos = datastore.list(path)
    datastore.fetch([Download(info, target / info.path) for info in infos], lambda info: None)
    return {info.path: (target / info.path).read_bytes() for info in infos}


def test_a_folder_that_is_published_comes_back(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", FILES)
    expected = scan_tree(tree, StatCache(tmp_path / "digests.db"))
    blobs.publish(tree, "out/one", manifest=expected)
    assert not tree.exists()
    assert blobs.scan("out/one").entries == expected.entries
    assert blobs.exists("out/one")
    assert blobs.exists("out")
    assert not blobs.exists("out/on")
    back = fetch_all(blobs, "out/one", tmp_path / "back")
    assert back == {f"out/one/{name}": content for name, content in FILES.items()}
    assert [info.path for info in blobs.list("out/*/*.txt")] == ["out/one/a.txt"]
    assert blobs.scan("out/one/a.txt").is_file
    with blobs.open_read("out/one/deep/er/b.bin") as stream:
        assert stream.read() == b"b" * 1000


def test_large_files_travel_in_blocks(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    data = bytes(range(251)) * (2 * BLOCK // 251 + 9)
    info = blobs.write("big", io.BytesIO(data))
    assert (info.size, info.digest) == (len(data), digest_bytes(data))
    assert fetch_all(blobs, "big", tmp_path)["big"] == data
    tree = make_tree(tmp_path / "tree", {"big": data, "small": b"s"})
    blobs.publish(tree, "folder")
    assert fetch_all(blobs, "folder", tmp_path / "2") == {"folder/big": data, "folder/small": b"s"}


def test_what_is_there_is_replaced_only_on_request(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    blobs.publish(make_tree(tmp_path / "1", {"old": b"1", "both": b"1"}), "out")
    with pytest.raises(AlreadyExists, match="already has 'out'"):
        blobs.publish(make_tree(tmp_path / "2", {"new": b"2"}), "out")
    with pytest.raises(AlreadyExists, match="already has 'out/old'"):
        blobs.write("out/old", io.BytesIO(b"2"), overwrite=False)
    with pytest.raises(AlreadyExists, match="already has 'out'"):
        blobs.write("out", io.BytesIO(b"2"))
    blobs.publish(tmp_path / "2", "out", overwrite=True)
    assert [info.path for info in blobs.list("out")] == ["out/new"]
    blobs.publish(make_tree(tmp_path, {"file": b"f"}) / "file", "out", overwrite=True)
    assert [info.path for info in blobs.list()] == ["out"]
    blobs.publish(make_tree(tmp_path / "3", {"x": b"x"}), "out", overwrite=True)
    assert [info.path for info in blobs.list()] == ["out/x"]
    blobs.delete("out")
    blobs.delete("out")
    assert blobs.list() == []
    assert not blobs.exists("out")


def test_a_file_of_others_is_known_by_its_version(blobs: AzureBlobDatastore, tmp_path: Path) -> None:
    blob = blobs.container.blob("in/data.csv")
    blob.upload_blob(b"1")
    (first,) = blobs.list("in")
    assert first.digest is None
    before = blobs.digest("in")
    assert blobs.digest("in") == before
    blob.upload_blob(b"2", overwrite=True)
    assert blobs.digest("in") != before
    with pytest.raises(IntegrityError, match=r"'in/data\.csv' of the datastore 'blobs' was changed or removed"):
        blobs.fetch([Download(first, tmp_path / "data.csv")], lambda info: None)
    assert list(tmp_path.glob("*data*")) == []


def test_nothing_is_read_that_is_not_there(blobs: AzureBlobDatastore) -> None:
    for path in ("nothing", "no/*.csv"):
        assert blobs.list(path) == []
        with pytest.raises(NotFound, match="The datastore 'blobs' has nothing at"):
            blobs.scan(path)
    with pytest.raises(NotFound, match="has no file 'nothing'"):
        blobs.open_read("nothing")
    for path in ("../x", "/x", ".airloom-x/y"):
        with pytest.raises(UnsafePath):
            blobs.list(path)


def test_all_files_are_told_when_they_are_there(blobs: AzureBlobDatastore, tmp_path: Path, azurite: Azurite) -> None:
    blobs.publish(make_tree(tmp_path / "tree", FILES), "out")
    seen: list[FileInfo] = []
    infos = blobs.list("out")
    blobs.fetch([Download(info, tmp_path / info.path) for info in infos], seen.append)
    assert sorted(info.path for info in seen) == [info.path for info in infos]
