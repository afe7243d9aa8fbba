"""The local object store, used by one process."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.errors import AlreadyExists, UnsafePath
from airloom.storage.durable import new_file, temporary_name
from airloom.storage.local import LocalStore


def test_a_key_through_a_link_out_of_the_store_is_refused(store: LocalStore, tmp_path: Path) -> None:
    store.put("runs/1/log", b"")
    (store.root / "runs" / "1" / "out").symlink_to(tmp_path)
    with pytest.raises(UnsafePath, match="leaves its folder through a symbolic link"):
        store.get("runs/1/out/secret")


def test_an_object_cannot_lie_where_others_lie_below(store: LocalStore) -> None:
    store.put("a/b", b"")
    with pytest.raises(AlreadyExists, match="other objects lie below"):
        store.put("a", b"")
    with pytest.raises(AlreadyExists, match="a file has its name"):
        store.put("a/b/c", b"")
    assert list(store.list()) == ["a/b"]


def test_a_file_is_stamped_by_the_clock_and_not_by_the_slower_one_of_the_kernel(tmp_path: Path) -> None:
    """Else its etag might not tell it from one written just before, with the same inode: see new_file.

    Kernels from 6.13 on stamp a file as exactly by themselves, if it was looked at; there this holds in either case.
    """
    for _ in range(20):
        before = time.time_ns()
        with new_file(tmp_path) as (file, path):
            file.write(b"a")
        assert before <= path.stat().st_mtime_ns <= time.time_ns()


def test_list_shows_neither_temporary_files_nor_locks(store: LocalStore) -> None:
    store.update("a/k", lambda old: b"")
    (store.root / "a" / temporary_name()).write_bytes(b"left by a crash")
    assert list(store.list()) == ["a/k"]
    assert len(os.listdir(store.root)) == 2  # the lock folder is there


@settings(max_examples=25)
@given(keys=st.sets(st.lists(st.sampled_from(["a", "a-", "a.b", "b", "é"]), min_size=1, max_size=3).map("/".join)))
def test_any_keys_are_listed_as_sorted_text(tmp_path_factory: pytest.TempPathFactory, keys: set[str]) -> None:
    store = LocalStore(tmp_path_factory.mktemp("store"))
    stored = [key for key in sorted(keys) if not any(other.startswith(key + "/") for other in keys)]
    for key in stored:
        path = store.local_path(key)
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(store.list()) == stored


def test_it_is_shown_as_its_folder(store: LocalStore) -> None:
    assert repr(store) == f"LocalStore('{store.root}')"


def test_keys_share_a_fixed_number_of_locks(store: LocalStore) -> None:
    for number in range(300):
        store.delete_exactly(f"k{number}", b"")  # no lock is needed for what is not there
    assert not store.root.exists()
    for number in range(300):
        assert store.touch(f"k{number}") is False
    locks = os.listdir(store.root / ".airloom-locks")
    assert 128 < len(locks) <= 256
    assert {len(name) for name in locks} == {2}
    assert all(0 <= int(name, 16) < 256 for name in locks)


def test_what_was_used_at_that_very_time_is_not_deleted(store: LocalStore) -> None:
    store.put("k", b"")
    info = store.info("k")
    assert info is not None
    assert store.delete_if_unused("k", info.modified) is False
    assert store.delete_if_unused("k", info.modified + timedelta(microseconds=1)) is True


def test_nothing_else_is_left_beside_an_object(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"4")
    for _ in range(2):
        store.put("f/put", b"1")
        store.put_if_absent("f/absent", b"2")
        store.update("f/update", lambda old: (old or b"") + b"3")
        store.put_file("f/file", tmp_path / "source")
    assert sorted(os.listdir(store.root / "f")) == ["absent", "file", "put", "update"]


def test_a_lock_is_held_until_the_update_is_done(store: LocalStore) -> None:
    """Others who want to write the object wait for it, and for nothing else."""
    done: list[bytes] = []
    writer = threading.Thread(target=lambda: (store.put("k", b"later"), done.append(store.get("k"))))

    def change(old: bytes | None) -> bytes:
        writer.start()
        writer.join(0.2)
        assert done == []
        return b"first"

    store.put("k", b"old")
    store.update("k", change)
    writer.join()
    assert done == [b"later"]


def test_a_failed_write_leaves_no_temporary_file(store: LocalStore, tmp_path: Path) -> None:
    store.put("folder/k", b"")
    with pytest.raises(FileNotFoundError, match="missing"):
        store.put_file("folder/new", tmp_path / "missing")
    assert os.listdir(store.root / "folder") == ["k"]
