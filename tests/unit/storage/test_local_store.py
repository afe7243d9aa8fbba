"""The local object store, used by one process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.errors import AlreadyExists, IntegrityError, NotFound, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage.durable import new_file, temporary_name
from airloom.storage.local import LocalStore


def test_what_was_put_is_got(store: LocalStore) -> None:
    store.put("a/b/c.bin", b"\x00\xff")
    assert store.get("a/b/c.bin") == b"\x00\xff"
    with store.open_read("a/b/c.bin") as stream:
        assert stream.read(1) == b"\x00"


def test_put_replaces(store: LocalStore) -> None:
    store.put("k", b"long old content")
    store.put("k", b"new")
    assert store.get("k") == b"new"


@pytest.mark.parametrize("key", ["none", "a", "a/b/c"])
def test_getting_what_is_not_there_names_the_key(store: LocalStore, key: str) -> None:
    store.put("a/b", b"")
    with pytest.raises(NotFound, match=f"has no object '{key}'"):
        store.get(key)
    assert not store.exists(key)
    assert store.etag(key) is None or key == "a"


@pytest.mark.parametrize("key", ["", "/abs", "../up", "a//b", "a/", "./a", ".airloom-locks/00"])
def test_keys_that_are_not_in_normal_form_are_refused(store: LocalStore, key: str) -> None:
    with pytest.raises(UnsafePath, match=r"cannot be the key|is absolute|contains '\.\.'"):
        store.put(key, b"")


def test_a_key_through_a_link_out_of_the_store_is_refused(store: LocalStore, tmp_path: Path) -> None:
    store.put("runs/1/log", b"")
    (store.root / "runs" / "1" / "out").symlink_to(tmp_path)
    with pytest.raises(UnsafePath, match="leaves its folder through a symbolic link"):
        store.get("runs/1/out/secret")


def test_put_if_absent_keeps_the_first(store: LocalStore) -> None:
    assert store.put_if_absent("k", b"first") is True
    assert store.put_if_absent("k", b"second") is False
    assert store.get("k") == b"first"


def test_an_object_cannot_lie_where_others_lie_below(store: LocalStore) -> None:
    store.put("a/b", b"")
    with pytest.raises(AlreadyExists, match="other objects lie below"):
        store.put("a", b"")
    with pytest.raises(AlreadyExists, match="a file has its name"):
        store.put("a/b/c", b"")
    assert list(store.list()) == ["a/b"]


def test_update_sees_the_old_bytes_or_none(store: LocalStore) -> None:
    store.update("k", lambda old: b"made" if old is None else b"wrong")
    store.update("k", lambda old: (old or b"") + b" twice")
    assert store.get("k") == b"made twice"


def test_an_update_that_fails_changes_nothing(store: LocalStore) -> None:
    def fail(old: bytes | None) -> bytes:
        raise ValueError("no")

    store.put("k", b"old")
    with pytest.raises(ValueError, match="no"):
        store.update("k", fail)
    store.update("k", lambda old: (old or b"") + b"+")
    assert store.get("k") == b"old+"


def test_an_update_loses_no_object_that_appears_meanwhile(store: LocalStore) -> None:
    """put_if_absent takes no lock; update() notices and starts again with what is there now."""
    seen: list[bytes | None] = []

    def change(old: bytes | None) -> bytes:
        seen.append(old)
        if old is None:
            assert LocalStore(store.root).put_if_absent("k", b"other")
        return (old or b"") + b"+mine"

    store.update("k", change)
    assert store.get("k") == b"other+mine"
    assert seen == [None, b"other"]


def test_every_write_changes_the_etag(store: LocalStore) -> None:
    etags = []
    for value in (b"a", b"b", b"a") * 30:
        store.put("k", value)
        etags.append(store.etag("k"))
    assert len(set(etags)) == len(etags)


def test_a_file_is_stamped_by_the_clock_and_not_by_the_slower_one_of_the_kernel(tmp_path: Path) -> None:
    """Else its etag might not tell it from one written just before, with the same inode: see new_file.

    Kernels from 6.13 on stamp a file as exactly by themselves, if it was looked at; there this holds in either case.
    """
    for _ in range(20):
        before = time.time_ns()
        with new_file(tmp_path) as (file, path):
            file.write(b"a")
        assert before <= path.stat().st_mtime_ns <= time.time_ns()


def test_an_update_to_equal_bytes_is_no_write(store: LocalStore) -> None:
    store.put("k", b"same")
    before = store.etag("k")
    store.update("k", lambda old: b"same")
    assert store.etag("k") == before


def test_delete_removes_and_may_be_repeated(store: LocalStore) -> None:
    store.put("a/k", b"")
    store.delete("a/k")
    store.delete("a/k")
    assert not store.exists("a/k")


def test_put_file_copies_a_file_and_checks_its_digest(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    store.put_file("k", source, digest=digest_bytes(b"x" * 3_000_000))
    assert store.get("k") == source.read_bytes()
    with pytest.raises(IntegrityError, match=f"{source} has the digest .* it was changed meanwhile"):
        store.put_file("other", source, digest="0" * 64)
    assert list(store.list()) == ["k"]


def test_list_selects_by_the_beginning_of_the_key(store: LocalStore) -> None:
    for key in ("a/1", "a/2", "ab/1", "b"):
        store.put(key, b"")
    assert list(store.list("a")) == ["a/1", "a/2", "ab/1"]
    assert list(store.list("a/")) == ["a/1", "a/2"]
    assert list(store.list("a/2")) == ["a/2"]
    assert list(store.list("none/")) == []
    assert list(store.list("b/")) == []


def test_list_shows_neither_temporary_files_nor_locks(store: LocalStore) -> None:
    store.update("a/k", lambda old: b"")
    (store.root / "a" / temporary_name()).write_bytes(b"left by a crash")
    assert list(store.list()) == ["a/k"]
    assert len(os.listdir(store.root)) == 2  # the lock folder is there


@settings(max_examples=25)
@given(keys=st.sets(st.lists(st.sampled_from(["a", "a-", "a.b", "b", "é"]), min_size=1, max_size=3).map("/".join)))
def test_listed_keys_are_sorted_as_text(tmp_path_factory: pytest.TempPathFactory, keys: set[str]) -> None:
    store = LocalStore(tmp_path_factory.mktemp("store"))
    stored = [key for key in sorted(keys) if not any(other.startswith(key + "/") for other in keys)]
    for key in stored:
        path = store.local_path(key)
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(store.list()) == stored


def test_a_failed_write_leaves_no_temporary_file(store: LocalStore, tmp_path: Path) -> None:
    store.put("folder/k", b"")
    with pytest.raises(FileNotFoundError, match="missing"):
        store.put_file("folder/new", tmp_path / "missing")
    assert os.listdir(store.root / "folder") == ["k"]
