"""What the store keeps for one workspace, and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airloom.errors import IntegrityError, InvalidName, NotFound, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.envelope import seal
from airloom.storage.local import LocalStore
from airloom.storage.object_store import ObjectStore
from airloom.storage.snapshot import collect, materialize, store_snapshot
from airloom.storage.stat_cache import shared_cache
from airloom.storage.tree import TreeEntry, TreeManifest
from airloom.storage.workspace import WorkspaceStore

ATTEMPT = ("run-1", "train", "1")


@pytest.fixture
def store(any_store: ObjectStore) -> ObjectStore:
    return any_store


def test_keys_lie_where_the_layout_says(workspace: WorkspaceStore) -> None:
    digest = "ab" + "0" * 62
    assert workspace.key("reuse", "leases", "k") == "workspaces/lab/reuse/leases/k"
    assert workspace.datastore_key("blob") == "workspaces/lab/datastores/blob.json"
    assert workspace.snapshot_key(digest) == f"workspaces/lab/snapshots/{digest}.json"
    assert workspace.blob_key(digest) == f"workspaces/lab/blobs/ab/{digest}"
    assert workspace.artifact_key(*ATTEMPT) == "workspaces/lab/runs/run-1/train/1"
    assert workspace.artifact_key(*ATTEMPT, "logs/stdout.txt") == "workspaces/lab/runs/run-1/train/1/logs/stdout.txt"


@pytest.mark.parametrize("name", ["", "..", "a/b", "/"])
def test_a_workspace_name_cannot_reach_into_another(workspace: WorkspaceStore, name: str) -> None:
    with pytest.raises(InvalidName, match="cannot be the name of a workspace"):
        WorkspaceStore(workspace.store, name)


def test_without_a_cache_of_its_own_it_uses_the_shared_one(workspace: WorkspaceStore) -> None:
    assert WorkspaceStore(workspace.store, "other").cache is shared_cache()


# --- datastores -----------------------------------------------------------------------------------------------------


def test_a_datastore_is_found_by_its_name(workspace: WorkspaceStore, tmp_path: Path) -> None:
    config = LocalConfig(name="blob", root=str(tmp_path / "blob"))
    workspace.put_datastore(config)
    assert workspace.datastores() == {"blob": config}
    assert workspace.datastore("blob").config == config
    assert workspace.datastore("blob").local_path("a") == tmp_path / "blob" / "a"


def test_nothing_else_of_a_workspace_is_taken_for_a_datastore(workspace: WorkspaceStore) -> None:
    config = LocalConfig(name="blob", root="/srv")
    workspace.put_datastore(config)
    workspace.put_snapshot(TreeManifest(entries=()))
    workspace.store.put(workspace.key("datastores of old", "other.json"), b"{}")
    assert workspace.datastores() == {"blob": config}
    with pytest.raises(NotFound, match=r"It has: blob\.$"):
        workspace.datastore("other")


def test_an_unknown_datastore_is_answered_with_those_that_exist(workspace: WorkspaceStore) -> None:
    with pytest.raises(NotFound, match=r"'lab' has no datastore 'blob'. It has: none\."):
        workspace.datastore("blob")
    for name in ("workspaceblobstore", "raw"):
        workspace.put_datastore(LocalConfig(name=name, root="/srv"))
    with pytest.raises(NotFound, match=r"Did you mean 'workspaceblobstore'\? It has: raw, workspaceblobstore\."):
        workspace.datastore("workspaceblob")


def test_a_deleted_datastore_keeps_its_data(workspace: WorkspaceStore, tmp_path: Path) -> None:
    (tmp_path / "blob").mkdir()
    workspace.put_datastore(LocalConfig(name="blob", root=str(tmp_path / "blob")))
    workspace.delete_datastore("blob")
    workspace.delete_datastore("blob")
    assert workspace.datastores() == {}
    assert (tmp_path / "blob").is_dir()


UNREADABLE_CONFIGS = {
    b'{"name": "blob", "root": "/data"': r"It is truncated or is not JSON\.",
    seal({"name": "blob", "root": "/data"}).replace(b"/data", b"/dada"): r"It was altered: its content does not have",
    seal({"name": "blob", "root": "relative"}): r"Value error, the root 'relative' .* must be an absolute folder\.",
    seal({"name": "other", "root": "/data"}): r"It is that of the datastore 'other'\.",
}


@pytest.mark.parametrize(("data", "cause"), UNREADABLE_CONFIGS.items(), ids=["truncated", "altered", "wrong", "moved"])
def test_a_damaged_datastore_configuration_is_named(workspace: WorkspaceStore, data: bytes, cause: str) -> None:
    workspace.store.put(workspace.datastore_key("blob"), data)
    named = r"^The datastore configuration 'workspaces/lab/datastores/blob\.json' cannot be read\. "
    with pytest.raises(IntegrityError, match=rf"{named}{cause}.* Register the datastore again\.$") as caught:
        workspace.datastore("blob")
    assert caught.value.target == workspace.datastore_key("blob")


def test_a_datastore_configuration_of_an_earlier_version_is_read(workspace: WorkspaceStore) -> None:
    workspace.store.put(workspace.datastore_key("blob"), b'{"name": "blob", "root": "/data", "type": "local"}')
    assert workspace.datastore("blob").config == LocalConfig(name="blob", root="/data")


def test_the_default_folder_of_a_datastore_lies_in_the_store(tmp_path: Path) -> None:
    workspace = WorkspaceStore(LocalStore(tmp_path), "lab")
    assert workspace.default_datastore_root("blob") == tmp_path / "workspaces/lab/data/blob"
    with pytest.raises(InvalidName, match="name of a datastore"):
        workspace.default_datastore_root("../x")


def test_in_a_store_elsewhere_a_datastore_has_no_default_folder(remote: WorkspaceStore) -> None:
    with pytest.raises(NotFound) as caught:
        remote.default_datastore_root("blob")
    assert caught.value.message == (
        "The datastore 'blob' has no default folder, as the store of the workspace is remote."
    )
    assert caught.value.hint == (
        "Set data_root in section [airloom] of airflow.cfg, or give the datastore's root explicitly."
    )
    assert caught.value.target == "blob"


# --- blobs and snapshots --------------------------------------------------------------------------------------------


def test_blobs_are_stored_only_under_their_own_digest(workspace: WorkspaceStore, tmp_path: Path) -> None:
    digest = digest_bytes(b"content")
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(IntegrityError, match=f"Content sent as {digest} has the digest"):
        workspace.put_blob(digest, b"other")
    with pytest.raises(IntegrityError, match="it was changed meanwhile"):
        workspace.put_blob(digest, tmp_path / "file")
    assert workspace.missing_blobs([digest, digest]) == [digest]
    workspace.put_blob(digest, b"content")
    assert workspace.missing_blobs([digest]) == []
    with pytest.raises(InvalidName, match=r"'\.\./\.\./x' is not a digest"):
        workspace.missing_blobs(["../../x"])


def test_a_snapshot_without_all_its_files_is_refused(workspace: WorkspaceStore) -> None:
    entries = [TreeEntry(path=name, size=1, digest=digest_bytes(name.encode())) for name in "ab"]
    manifest = TreeManifest(entries=tuple(entries))
    workspace.put_blob(entries[0].digest, b"a")
    with pytest.raises(NotFound, match=r"1 of its files are not in the store, among them 'b'\. Upload"):
        workspace.put_snapshot(manifest)
    workspace.put_blob(entries[1].digest, b"b")
    assert workspace.put_snapshot(manifest) == workspace.put_snapshot(manifest) == manifest.digest
    assert workspace.snapshot(manifest.digest) == manifest


def test_a_snapshot_is_laid_out_as_it_was_and_a_damaged_one_is_told(workspace: WorkspaceStore, tmp_path: Path) -> None:
    source = tmp_path / "src"
    (source / "lib").mkdir(parents=True)
    (source / "train.py").write_text("print(1)")
    (source / "lib" / "empty.py").touch()
    manifest = collect(source)
    store_snapshot(workspace, manifest, source)
    assert materialize(workspace, manifest.digest, tmp_path / "out") == manifest
    assert (tmp_path / "out" / "train.py").read_text() == "print(1)"
    assert (tmp_path / "out" / "lib" / "empty.py").read_bytes() == b""
    key = workspace.blob_key(digest_bytes(b"print(1)"))
    workspace.store.put(key, b"print(2)")
    with pytest.raises(IntegrityError, match=r"stored content of 'train.py' was altered"):
        materialize(workspace, manifest.digest, tmp_path / "again")
    workspace.store.delete(key)
    with pytest.raises(IntegrityError, match=r"stored content of 'train.py' is missing"):
        materialize(workspace, manifest.digest, tmp_path / "again")


def test_a_snapshot_that_is_used_is_marked_so(tmp_path: Path) -> None:
    workspace = WorkspaceStore(LocalStore(tmp_path / "here"), "lab")  # in a container no time can be set back
    manifest = TreeManifest(entries=())
    workspace.put_snapshot(manifest)
    path = workspace.store.local_path(workspace.snapshot_key(manifest.digest))
    assert path is not None
    os.utime(path, (0, 0))
    assert workspace.snapshot(manifest.digest) == manifest
    assert path.stat().st_mtime == 0
    assert workspace.use_snapshot(manifest.digest) == manifest
    assert path.stat().st_mtime > 0


class Collected(LocalStore):
    """A store from which the collector takes each object just after it was read."""

    def get(self, key: str) -> bytes:
        data = super().get(key)
        self.delete(key)
        return data


def test_a_snapshot_that_is_removed_while_it_is_looked_at_cannot_be_used(tmp_path: Path) -> None:
    workspace = WorkspaceStore(Collected(tmp_path), "lab")
    digest = workspace.put_snapshot(TreeManifest(entries=()))
    with pytest.raises(NotFound) as caught:
        workspace.use_snapshot(digest)
    assert caught.value.message == f"The snapshot {digest} was removed."
    assert (caught.value.hint, caught.value.target) == ("Upload it again.", digest)


# --- artifacts ------------------------------------------------------------------------------------------------------


def test_artifacts_of_an_attempt_are_listed_by_name(workspace: WorkspaceStore, tmp_path: Path) -> None:
    (tmp_path / "m").write_text("model")
    workspace.write_artifact(*ATTEMPT, "outputs/model.pkl", tmp_path / "m")
    workspace.write_artifact(*ATTEMPT, "logs/stdout.txt", b"hello")
    workspace.write_artifact("run-1", "train", "10", "logs/stdout.txt", b"other attempt")
    assert workspace.list_artifacts(*ATTEMPT) == ["logs/stdout.txt", "outputs/model.pkl"]
    with workspace.open_artifact(*ATTEMPT, "logs/stdout.txt") as stream:
        assert stream.read() == b"hello"


def test_an_artifact_may_be_written_through_its_path(tmp_path: Path) -> None:
    workspace = WorkspaceStore(LocalStore(tmp_path), "lab")
    path = workspace.artifact_path(*ATTEMPT, "logs/job.txt")
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text("growing")
    assert workspace.list_artifacts(*ATTEMPT) == ["logs/job.txt"]
    assert workspace.artifact_path(*ATTEMPT) == path.parents[1]


def test_missing_and_unsafe_artifacts(workspace: WorkspaceStore) -> None:
    with pytest.raises(NotFound, match="runs/run-1/train/1/none"):
        workspace.open_artifact(*ATTEMPT, "none")
    with pytest.raises(UnsafePath, match=r"contains '\.\.'"):
        workspace.open_artifact(*ATTEMPT, "../../../datastores/blob.json")
    with pytest.raises(InvalidName, match="cannot be the name of a run"):
        workspace.list_artifacts("..", "train", "1")
    assert workspace.list_artifacts(*ATTEMPT) == []
