"""Snapshots: collected, stored, laid out again, and never silently wrong."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings

from airloom.errors import AlreadyExists, IntegrityError, InvalidName, LimitExceeded, NotFound, UnsafePath
from airloom.storage.local import LocalStore
from airloom.storage.snapshot import SnapshotLimits, collect, digest_of_paths, materialize, store_snapshot
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import TreeManifest, scan_tree
from airloom.storage.workspace import WorkspaceStore
from tests.unit.storage.test_tree import trees

MakeTree = Callable[[str, dict[str, str]], Path]
SOURCE = {"train.py": "print(1)", "lib/util.py": "x = 1", "lib/data/small.csv": "a,b"}


def paths_of(manifest: TreeManifest) -> list[str]:
    return [entry.path for entry in manifest.entries]


def snap(folder: Path) -> TreeManifest:
    return collect(folder, cache=null_cache())


@pytest.fixture
def stored(workspace: WorkspaceStore, make_tree: MakeTree) -> TreeManifest:
    source = make_tree("src", SOURCE)
    manifest = snap(source)
    store_snapshot(workspace, manifest, source)
    return manifest


# --- collecting -----------------------------------------------------------------------------------------------------


def test_all_files_are_collected_but_for_what_never_counts(make_tree: MakeTree) -> None:
    noise = {".git/HEAD": "", "lib/__pycache__/util.pyc": "", "lib/.ipynb_checkpoints/n.ipynb": ""}
    assert paths_of(snap(make_tree("src", {**SOURCE, **noise}))) == sorted(SOURCE)


def test_gitignore_decides_what_is_left_out(make_tree: MakeTree) -> None:
    rules = "# data\n*.csv\n/out/\n!keep.csv\nbuild\n"
    files = {"a.csv": "", "keep.csv": "", "out/x": "", "sub/out/x": "", "sub/build/y": "", "s.py": ""}
    assert paths_of(snap(make_tree("src", {".gitignore": rules, **files}))) == [
        ".gitignore", "keep.csv", "s.py", "sub/out/x",
    ]  # fmt: skip


def test_amlignore_takes_the_place_of_gitignore(make_tree: MakeTree) -> None:
    files = {".gitignore": "a.py", ".amlignore": "\ufeffb.py\n", "a.py": "", "b.py": ""}
    assert paths_of(snap(make_tree("src", files))) == [".amlignore", ".gitignore", "a.py"]


def test_ignored_files_are_those_that_git_ignores(make_tree: MakeTree) -> None:
    """Git itself is the reference."""
    rules = "*.log\n!important.log\ntemp/\n/root.txt\ndoc/**/*.pdf\n\\#odd\nspace \n[ab].c\n!temp/x\n"
    files = ["x.log", "important.log", "temp/x", "a/temp/y", "root.txt", "a/root.txt", "doc/a/b/c.pdf", "doc/c.pdf"]
    files += ["#odd", "space", "a.c", "c.c", "a/temp.py"]
    source = make_tree("src", {".gitignore": rules, **dict.fromkeys(files, "")})
    git = ["git", "-c", "core.excludesFile=/dev/null", "-C", str(source)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout
    assert paths_of(snap(source)) == sorted(listed.split("\0")[:-1])


def test_a_bad_ignore_file_is_named(make_tree: MakeTree) -> None:
    source = make_tree("src", SOURCE)
    (source / ".amlignore").write_bytes(b"caf\xe9")
    with pytest.raises(InvalidName, match=r"ignore file .*/\.amlignore cannot be read: .*Correct it"):
        snap(source)


def test_a_missing_source_directory_is_named(make_tree: MakeTree) -> None:
    source = make_tree("src", {"file.py": ""})
    with pytest.raises(NotFound, match=f"{source}/none does not exist. Give source_directory"):
        snap(source / "none")
    with pytest.raises(NotFound, match=r"file\.py is not a folder"):
        snap(source / "file.py")


def test_links_out_of_the_source_directory_are_refused_unless_ignored(make_tree: MakeTree) -> None:
    source = make_tree("src", SOURCE)
    (source / "data").symlink_to("/usr")
    with pytest.raises(UnsafePath, match="src/data leads to /usr"):
        snap(source)
    (source / ".amlignore").write_text("/data/\n")
    assert paths_of(snap(source)) == sorted([".amlignore", *SOURCE])


def test_too_many_files_are_refused_and_the_ways_out_named(make_tree: MakeTree) -> None:
    source = make_tree("src", SOURCE)
    with pytest.raises(LimitExceeded, match="holds 3 files, more than the limit of 2 files") as caught:
        collect(source, limits=SnapshotLimits(max_files=2), cache=null_cache())
    assert "src/.amlignore, or set AIRLOOM_SNAPSHOT_MAX_FILES" in caught.value.hint


def test_too_many_bytes_are_refused_before_any_is_read(make_tree: MakeTree) -> None:
    source = make_tree("src", SOURCE)
    os.truncate(source / "lib/data/small.csv", 3 * 1024**3)  # sparse: reading it would take long
    with pytest.raises(LimitExceeded, match=r"3072\.0 MB \(the largest file is 'lib/data/small\.csv'\), .* 300 MB"):
        snap(source)


def test_the_environment_sets_the_limits(make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SnapshotLimits.from_environment() == SnapshotLimits(300 * 1024 * 1024, 2000)
    monkeypatch.setenv("AIRLOOM_SNAPSHOT_MAX_MB", "1")
    monkeypatch.setenv("AIRLOOM_SNAPSHOT_MAX_FILES", "2")
    assert SnapshotLimits.from_environment() == SnapshotLimits(1024 * 1024, 2)
    with pytest.raises(LimitExceeded, match="limit of 2 files"):
        snap(make_tree("src", SOURCE))
    for wrong in ("-5", "0", "1.5", "many"):
        monkeypatch.setenv("AIRLOOM_SNAPSHOT_MAX_MB", wrong)
        with pytest.raises(InvalidName) as caught:
            SnapshotLimits.from_environment()
        assert caught.value.message == f"The environment variable AIRLOOM_SNAPSHOT_MAX_MB is {wrong!r}."
        assert caught.value.hint == "Set it to a whole number above 0."
        assert caught.value.target == "AIRLOOM_SNAPSHOT_MAX_MB"


def test_a_folder_may_hold_as_much_as_the_limits_say(make_tree: MakeTree) -> None:
    size = sum(map(len, SOURCE.values()))
    assert paths_of(
        collect(make_tree("src", SOURCE), limits=SnapshotLimits(size, len(SOURCE)), cache=null_cache())
    ) == sorted(SOURCE)


# --- the way to the store and back ----------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(files=trees)
def test_what_is_laid_out_is_what_was_collected(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]
) -> None:
    base = tmp_path_factory.mktemp("round")
    for path, text in files.items():
        (base / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        (base / "src" / path).write_text(text)
    (base / "src").mkdir(exist_ok=True)
    workspace = WorkspaceStore(LocalStore(base / "store"), "lab", null_cache())
    manifest = snap(base / "src")
    digest = store_snapshot(workspace, manifest, base / "src")
    assert materialize(workspace, digest, base / "out") == manifest
    assert scan_tree(base / "out", null_cache()) == scan_tree(base / "src", null_cache()) == manifest


def test_only_what_the_store_lacks_is_stored(workspace: WorkspaceStore, make_tree: MakeTree) -> None:
    source = make_tree("src", SOURCE)
    store_snapshot(workspace, snap(source), source)
    blobs = {key: workspace.store.etag(key) for key in workspace.store.list(workspace.key("blobs", ""))}
    (source / "new.py").write_text("new")
    manifest = snap(source)
    assert len(workspace.missing_blobs(entry.digest for entry in manifest.entries)) == 1
    store_snapshot(workspace, manifest, source)
    after = {key: workspace.store.etag(key) for key in workspace.store.list(workspace.key("blobs", ""))}
    assert len(after) == 4
    assert blobs.items() <= after.items()


def test_a_file_that_changes_after_collecting_is_never_stored_as_what_it_was(
    workspace: WorkspaceStore, make_tree: MakeTree
) -> None:
    source = make_tree("src", SOURCE)
    manifest = snap(source)
    (source / "train.py").write_text("print(2)")
    with pytest.raises(IntegrityError, match=r"train\.py has the digest .* it was changed meanwhile"):
        store_snapshot(workspace, manifest, source)
    (source / "train.py").unlink()
    with pytest.raises(NotFound, match=r"'train\.py' of .* vanished"):
        store_snapshot(workspace, manifest, source)
    with pytest.raises(NotFound, match="has no object"):
        workspace.snapshot(manifest.digest)


def test_a_snapshot_comes_from_a_store_elsewhere_as_from_a_near_one(
    remote: WorkspaceStore, make_tree: MakeTree, tmp_path: Path
) -> None:
    source = make_tree("src", SOURCE)
    manifest = snap(source)
    store_snapshot(remote, manifest, source)
    assert materialize(remote, manifest.digest, tmp_path / "some" / "new" / "out") == manifest
    assert scan_tree(tmp_path / "some/new/out", null_cache()) == manifest
    remote.store.delete(remote.blob_key(manifest.entries[0].digest))
    with pytest.raises(IntegrityError, match="is missing"):
        materialize(remote, manifest.digest, tmp_path / "again")


def test_a_near_store_is_not_read_as_a_stream(workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path) -> None:
    """The kernel copies its files, without their bytes passing through this process."""
    near = WorkspaceStore(WithoutStreams(tmp_path / "store"), "lab", workspace.cache)
    assert materialize(near, stored.digest, tmp_path / "out") == stored


class WithoutStreams(LocalStore):
    def open_read(self, key: str) -> BinaryIO:
        assert "/blobs/" not in key
        return super().open_read(key)


def test_a_laid_out_file_is_a_copy(workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path) -> None:
    materialize(workspace, stored.digest, tmp_path / "one")
    (tmp_path / "one" / "train.py").write_text("altered by the script")
    materialize(workspace, stored.digest, tmp_path / "two")
    assert (tmp_path / "two" / "train.py").read_text() == SOURCE["train.py"]


def test_laying_out_twice_does_nothing_the_second_time(
    workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()  # an empty folder may be there before
    materialize(workspace, stored.digest, tmp_path / "out")
    inode = (tmp_path / "out" / "train.py").stat().st_ino
    (tmp_path / "out" / "lib" / "__pycache__").mkdir()
    (tmp_path / "out" / "lib" / "__pycache__" / "util.pyc").touch()
    materialize(workspace, stored.digest, tmp_path / "out")
    assert (tmp_path / "out" / "train.py").stat().st_ino == inode


@pytest.mark.parametrize("change", ["altered", "extra", "missing", "file"])
def test_a_target_with_other_content_is_refused(
    workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path, change: str
) -> None:
    out = tmp_path / "out"
    if change == "file":
        out.touch()
    else:
        materialize(workspace, stored.digest, out)
        {
            "altered": lambda: (out / "train.py").write_text("print(3)"),
            "extra": lambda: (out / "numpy.py").touch(),
            "missing": lambda: (out / "train.py").unlink(),
        }[change]()
    with pytest.raises(AlreadyExists, match=f"{out} already exists and is not the snapshot {stored.digest}"):
        materialize(workspace, stored.digest, out)


def test_several_that_lay_out_the_same_folder_all_succeed(
    workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: materialize(workspace, stored.digest, tmp_path / "w" / "out"), range(8)))
    assert done == [stored] * 8
    assert os.listdir(tmp_path / "w") == ["out"]


# --- altered stores -------------------------------------------------------------------------------------------------


def stored_file(workspace: WorkspaceStore, key: str) -> Path:
    path = workspace.store.local_path(key)
    assert path is not None
    return path


@pytest.mark.parametrize("text", ["print(9)", "", "print(1) "])
def test_an_altered_blob_is_found_and_nothing_is_laid_out(
    workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path, text: str
) -> None:
    digest = next(entry.digest for entry in stored.entries if entry.path == "train.py")
    stored_file(workspace, workspace.blob_key(digest)).write_text(text)
    with pytest.raises(IntegrityError, match=r"content of 'train\.py' was altered \(workspaces/lab/blobs/"):
        materialize(workspace, stored.digest, tmp_path / "w" / "out")
    assert os.listdir(tmp_path / "w") == []


def test_a_missing_blob_is_found_and_mended_by_storing_again(
    workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path
) -> None:
    digest = next(entry.digest for entry in stored.entries if entry.path == "lib/util.py")
    workspace.store.delete(workspace.blob_key(digest))
    with pytest.raises(IntegrityError, match=r"content of 'lib/util\.py' is missing"):
        materialize(workspace, stored.digest, tmp_path / "out")
    store_snapshot(workspace, stored, tmp_path / "src")
    materialize(workspace, stored.digest, tmp_path / "out")


def test_an_altered_manifest_is_found(workspace: WorkspaceStore, stored: TreeManifest, tmp_path: Path) -> None:
    path = stored_file(workspace, workspace.snapshot_key(stored.digest))
    original = path.read_text()
    path.write_text(original.replace("train.py", "trais.py"))
    with pytest.raises(IntegrityError, match="altered: its content has the digest"):
        materialize(workspace, stored.digest, tmp_path / "out")
    for text in (original[:-5], "{}", original.replace("train.py", "../../x.py")):
        path.write_text(text)
        with pytest.raises(IntegrityError, match="altered: it is not a manifest"):
            materialize(workspace, stored.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_snapshot_is_named(workspace: WorkspaceStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="snapshots/" + "0" * 64):
        materialize(workspace, "0" * 64, tmp_path / "out")


# --- parts of a snapshot --------------------------------------------------------------------------------------------


def test_only_the_chosen_paths_count(make_tree: MakeTree) -> None:
    source = make_tree("src", SOURCE)
    chosen = ("train.py", "./lib/data/")
    before = digest_of_paths(snap(source), chosen)
    (source / "lib" / "util.py").write_text("x = 2")
    assert digest_of_paths(snap(source), chosen) == before
    (source / "lib" / "data" / "small.csv").write_text("b,a")
    assert digest_of_paths(snap(source), chosen) != before


def test_order_and_overlap_of_the_chosen_paths_do_not_count(make_tree: MakeTree) -> None:
    manifest = snap(make_tree("src", SOURCE))
    assert digest_of_paths(manifest, ["lib", "train.py", "lib/util.py"]) == manifest.digest
    assert digest_of_paths(manifest, ["."]) == manifest.digest


def test_a_path_that_matches_nothing_is_an_error_with_a_suggestion(make_tree: MakeTree) -> None:
    manifest = snap(make_tree("src", SOURCE))
    with pytest.raises(NotFound, match=r"no file or folder 'tain\.py'. Did you mean 'train\.py'\?"):
        digest_of_paths(manifest, ["train.py", "tain.py"])
    with pytest.raises(NotFound, match=r"no file or folder 'li'"):
        digest_of_paths(manifest, ["li"])


def test_one_suggestion_is_made_at_most(make_tree: MakeTree) -> None:
    manifest = snap(make_tree("src", {"train1.py": "", "train2.py": ""}))
    with pytest.raises(NotFound, match=r"^The snapshot .*'train\.py'\. Did you mean 'train2\.py'\? Paths are"):
        digest_of_paths(manifest, ["train.py"])


def test_collecting_uses_the_cache(make_tree: MakeTree, cache: StatCache) -> None:
    source = make_tree("src", SOURCE)
    assert collect(source, cache=cache) == snap(source)
