"""Tree manifests: the content of a file or folder as a value."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from airloom.errors import InvalidName, NotFound, UnsafePath
from airloom.graph.canonical import digest_bytes, digest_value
from airloom.storage.durable import temporary_name
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import TreeEntry, TreeManifest, entries_digest, scan_tree
from airloom.storage.walk import walk

MakeTree = Callable[[str, dict[str, str]], Path]

part = st.text(st.sampled_from("ab.-é *[#!"), min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
trees = st.dictionaries(st.lists(part, min_size=1, max_size=3).map("/".join), st.text(max_size=20), max_size=8).filter(
    lambda files: not any(other.startswith(path + "/") for path in files for other in files)
)


def scan(root: Path) -> TreeManifest:
    return scan_tree(root, null_cache())


def paths_of(manifest: TreeManifest) -> list[str]:
    return [entry.path for entry in manifest.entries]


def entry(path: str, text: str = "") -> TreeEntry:
    return TreeEntry(path=path, size=len(text), digest=digest_bytes(text.encode()))


# --- what a manifest holds ----------------------------------------------------------------------------------------


def test_a_folder_is_the_sorted_list_of_its_files(make_tree: MakeTree) -> None:
    manifest = scan(make_tree("t", {"b.txt": "two", "a/x.txt": "1", "a.txt": ""}))
    assert manifest.entries == (entry("a.txt"), entry("a/x.txt", "1"), entry("b.txt", "two"))
    assert manifest.total_size == 4
    assert not manifest.is_file


def test_a_single_file_is_a_tree_with_an_empty_path(make_tree: MakeTree) -> None:
    root = make_tree("t", {"model.pkl": "m", "copy.pkl": "m"})
    manifest = scan(root / "model.pkl")
    assert manifest.entries == (entry("", "m"),)
    assert manifest.is_file
    assert manifest.digest == scan(root / "copy.pkl").digest, "its name does not count"
    assert manifest.digest != scan(root).digest


def test_empty_folders_leave_no_trace(make_tree: MakeTree) -> None:
    root = make_tree("t", {"a": "1"})
    before = scan(root).digest
    (root / "empty" / "deeper").mkdir(parents=True)
    assert scan(root).digest == before


def test_temporary_files_of_ours_are_no_content(make_tree: MakeTree) -> None:
    root = make_tree("t", {"a": "1"})
    (root / temporary_name()).write_text("half")
    assert paths_of(scan(root)) == ["a"]


def test_the_digest_is_that_of_the_entries(make_tree: MakeTree) -> None:
    manifest = scan(make_tree("t", {"a": "1"}))
    assert manifest.digest == digest_value([{"path": "a", "size": 1, "digest": digest_bytes(b"1")}])


@pytest.mark.parametrize("count", [0, 1, 9_999, 10_000, 10_001, 20_001])
def test_the_digest_of_many_entries_is_that_of_their_list(count: int) -> None:
    rows = [{"path": f"{number:05}", "size": number, "digest": f"{number:064x}"} for number in range(count)]
    assert entries_digest(tuple(TreeEntry.model_construct(**row) for row in rows)) == digest_value(rows)


@settings(max_examples=30, deadline=None)
@given(files=trees, seed=st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order_of_creation(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str], seed: random.Random
) -> None:
    digests = set()
    for _ in range(2):
        root = tmp_path_factory.mktemp("tree")
        shuffled = list(files)
        seed.shuffle(shuffled)
        for path in shuffled:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path])
        digests.add(scan(root).digest)
        assert paths_of(scan(root)) == sorted(files)
    assert len(digests) == 1


@settings(max_examples=50)
@given(files=trees, other=trees)
def test_equal_digests_mean_equal_content(files: dict[str, str], other: dict[str, str]) -> None:
    one, two = (TreeManifest(entries=tuple(entry(*item) for item in tree.items())) for tree in (files, other))
    assert (one.digest == two.digest) == (files == other)


def test_a_manifest_survives_json(make_tree: MakeTree) -> None:
    manifest = scan(make_tree("t", {"ä/b": "1", "c": ""}))
    assert TreeManifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert TreeManifest(entries=manifest.entries[::-1]).digest == manifest.digest


# --- manifests from elsewhere -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "a/../../b", "a//b", "./a", "a/"])
def test_a_manifest_with_an_unsafe_path_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath, match=re.escape(repr(path))) as caught:
        TreeManifest.model_validate({"entries": [{"path": path, "size": 0, "digest": "0" * 64}]})
    assert caught.value.target == path


def test_a_path_that_is_not_in_normal_form_is_called_so() -> None:
    with pytest.raises(UnsafePath, match=r"^The path 'a//b' of a tree manifest is not in normal form\.$"):
        TreeManifest.model_validate({"entries": [{"path": "a//b", "size": 0, "digest": "0" * 64}]})


@pytest.mark.parametrize(
    ("paths", "cause"),
    [
        (["a", "a"], "the same path occurs twice"),
        (["a", "a-b", "a/b"], "'a' is both a file and the folder of 'a/b'"),
        (["", "a"], "'' is both a file and the folder of 'a'"),
    ],
)
def test_a_manifest_that_no_folder_could_hold_is_refused(paths: list[str], cause: str) -> None:
    with pytest.raises(ValidationError, match=cause):
        TreeManifest(entries=tuple(entry(path) for path in paths))


def test_a_manifest_with_something_else_for_a_digest_is_refused() -> None:
    with pytest.raises(InvalidName, match=r"'\.\./x' is not a digest"):
        TreeEntry(path="a", size=0, digest="../x")
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        TreeEntry(path="a", size=-1, digest="0" * 64)
    with pytest.raises(ValidationError, match="Input should be 1"):
        TreeManifest.model_validate({"format": 2, "entries": []})


# --- links and other things in folders ----------------------------------------------------------------------------


def test_links_inside_are_followed(make_tree: MakeTree) -> None:
    root = make_tree("t", {"data/a": "1", "b": "2"})
    (root / "latest").symlink_to("data")
    (root / "c").symlink_to(root / "b")
    manifest = scan(root)
    assert manifest.entries == (
        entry("b", "2"), entry("c", "2"), entry("data/a", "1"), entry("latest/a", "1"),
    )  # fmt: skip


def test_a_changed_target_is_seen_through_a_link(make_tree: MakeTree, cache: StatCache) -> None:
    root = make_tree("t", {"a": "1", "b": "2"})
    (root / "link").symlink_to("a")
    before = scan_tree(root, cache).digest
    (root / "link").unlink()
    (root / "link").symlink_to("b")
    assert scan_tree(root, cache).digest != before


@pytest.mark.parametrize("target", ["..", "/etc/passwd", "../t-other/x", "sub/../../outside"])
def test_links_that_leave_the_root_are_refused(make_tree: MakeTree, target: str) -> None:
    root = make_tree("t", {"sub/a": ""})
    make_tree("t-other", {"x": "secret"})
    (root / "sub" / "link").symlink_to(target if target.startswith("/") else root / target)
    with pytest.raises(UnsafePath, match=f"link {root}/sub/link leads to .*, outside of {root}"):
        scan(root)


def test_a_boundary_allows_links_to_its_other_folders(make_tree: MakeTree) -> None:
    root = make_tree("t", {"a/x": "1", "b/y": "2"})
    (root / "a" / "link").symlink_to("../b/y")
    with pytest.raises(UnsafePath, match="outside of"):
        scan(root / "a")
    assert paths_of(scan_tree(root / "a", null_cache(), boundary=root)) == ["link", "x"]


def test_links_that_lead_back_are_refused(make_tree: MakeTree) -> None:
    root = make_tree("t", {"a/b/x": ""})
    (root / "a" / "b" / "up").symlink_to("..")
    with pytest.raises(UnsafePath, match="a/b/up leads back to a folder around it"):
        scan(root)


def test_links_to_nothing_are_named(make_tree: MakeTree) -> None:
    root = make_tree("t", {})
    (root / "dangling").symlink_to("gone")
    with pytest.raises(NotFound, match=r"dangling leads to .*/gone, which does not exist. Remove or exclude it"):
        scan(root)
    (root / "dangling").unlink()
    (root / "self").symlink_to("self")
    with pytest.raises(NotFound, match="self leads to"):
        scan(root)


def test_what_is_no_file_is_refused_and_not_read(make_tree: MakeTree) -> None:
    root = make_tree("t", {})
    os.mkfifo(root / "pipe")
    with pytest.raises(UnsafePath, match="pipe is neither a file nor a folder"):
        scan(root)


def test_names_that_are_not_text_are_refused(make_tree: MakeTree) -> None:
    root = make_tree("t", {})
    (root / os.fsdecode(b"caf\xe9")).touch()
    with pytest.raises(
        InvalidName, match=r"'caf\\udce9' is not valid UTF-8\. Rename the file, or exclude it"
    ) as caught:
        scan(root)
    assert caught.value.target == "caf\udce9"
    (root / "sub").mkdir()
    (root / "caf\udce9").rename(root / "sub" / "caf\udce9")
    with pytest.raises(InvalidName, match="not valid UTF-8") as caught:
        scan(root)
    assert caught.value.target == "sub/caf\udce9"


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"no file or folder {tmp_path}/none"):
        scan(tmp_path / "none")


def test_excluded_folders_are_not_visited(make_tree: MakeTree) -> None:
    root = make_tree("t", {"keep/a": "", "skip/b": "", "c.tmp": ""})
    (root / "skip" / "bad").symlink_to("/")
    asked = []

    def exclude(path: str) -> bool:
        asked.append(path)
        return path in ("skip/", "c.tmp")

    assert [file.path for file in walk(root, exclude=exclude)] == ["keep/a"]
    assert sorted(asked) == ["c.tmp", "keep/", "keep/a", "skip/"]


def test_files_that_vanish_during_the_walk_are_not_in_it(make_tree: MakeTree) -> None:
    root = make_tree("t", {"a": "", "b/x": "", "c": "", "d/y": ""})
    found = walk(root)
    assert next(found).path == "a"
    (root / "b" / "x").unlink()
    (root / "b").rmdir()
    (root / "c").unlink()
    assert [file.path for file in found] in (["d/y"], ["c", "d/y"])


def test_a_root_that_is_itself_a_link_is_its_target(make_tree: MakeTree, tmp_path: Path) -> None:
    root = make_tree("t", {"a": "1"})
    (tmp_path / "alias").symlink_to(root)
    (root / "inside").symlink_to(root / "a")
    assert scan(tmp_path / "alias").digest == scan(root).digest
