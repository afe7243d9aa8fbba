"""What a dataset consists of, pinned, and compared with what there is later."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.errors import NotFound
from airloom.graph.model import DataLocation, FilesSource
from airloom.storage import contents
from airloom.storage.contents import compare, content_of, pin
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.workspace import WorkspaceStore


@pytest.fixture
def folder(workspace: WorkspaceStore, tmp_path: Path) -> Path:
    """The root of two datastores, with three files."""
    for name in ("blobs", "files"):
        workspace.put_datastore(LocalConfig(name=name, root=str(tmp_path / name)))
    for path in ("blobs/in/a.csv", "blobs/in/sub/b.csv", "files/c.csv"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


def source(*places: str) -> FilesSource:
    pairs = (place.partition("/") for place in places)
    return FilesSource(locations=tuple(DataLocation(datastore=store, path=path) for store, _, path in pairs))


BOTH = source("blobs/in", "files/*.csv")


def test_a_content(workspace: WorkspaceStore, folder: Path) -> None:
    content = pin(workspace, BOTH)
    assert (content.files, content.size) == (3, 14 + 18 + 11)
    assert content.modified is not None
    assert content == content_of(workspace, BOTH)
    assert compare(workspace, BOTH, content.digest).state == "unchanged"


def test_every_kind_of_change_is_told_with_its_files(workspace: WorkspaceStore, folder: Path) -> None:
    pinned = pin(workspace, BOTH)
    (folder / "blobs/in/a.csv").write_text("another")
    (folder / "blobs/in/sub/b.csv").unlink()
    (folder / "files/d.csv").write_text("new")
    (folder / "files/d.txt").write_text("not matched")
    found = compare(workspace, BOTH, pinned.digest)
    assert found.state == "changed"
    assert (found.added, found.removed, found.changed) == (
        ("files/d.csv",),
        ("blobs/in/sub/b.csv",),
        ("blobs/in/a.csv",),
    )
    assert found.now is not None and found.now.files == 3


def test_a_change_back_is_none(workspace: WorkspaceStore, folder: Path) -> None:
    pinned = pin(workspace, BOTH)
    (folder / "files/c.csv").write_text("x")
    assert compare(workspace, BOTH, pinned.digest).state == "changed"
    (folder / "files/c.csv").write_text("files/c.csv")
    assert compare(workspace, BOTH, pinned.digest).state == "unchanged"


def test_what_is_gone_is_missing(workspace: WorkspaceStore, folder: Path) -> None:
    pinned = pin(workspace, BOTH)
    (folder / "files/c.csv").unlink()
    assert compare(workspace, BOTH, pinned.digest)[:2] == ("missing", None)
    with pytest.raises(NotFound):
        pin(workspace, BOTH)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 100_000])
def test_a_list_that_is_lost_or_damaged_costs_only_the_names(
    workspace: WorkspaceStore, folder: Path, damage: bytes
) -> None:
    pinned = pin(workspace, BOTH)
    (key,) = workspace.store.list(workspace.key("datasets", "contents", ""))
    (folder / "files/d.csv").write_text("new")
    assert compare(workspace, BOTH, pinned.digest).added == ("files/d.csv",)
    workspace.store.put(key, damage)
    assert compare(workspace, BOTH, pinned.digest)[2:] == ((), (), ())
    workspace.store.delete(key)
    assert compare(workspace, BOTH, pinned.digest).state == "changed"


def test_the_list_of_a_very_large_dataset_is_not_kept(
    workspace: WorkspaceStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "MOST_FILES_LISTED", 2)
    pinned = pin(workspace, BOTH)
    assert list(workspace.store.list(workspace.key("datasets", ""))) == []
    (folder / "files/c.csv").write_text("x")
    found = compare(workspace, BOTH, pinned.digest)
    assert (found.state, found.changed) == ("changed", ())
