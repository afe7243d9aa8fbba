"""What holds for every object store, in a folder as in Azure Blob Storage, used by one process."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airloom.errors import IntegrityError, NotFound, UnsafePath
from airloom.graph.canonical import digest_bytes
from airloom.storage.object_store import ObjectStore, open_store

BLOCK = 8 * 1024 * 1024
"""Larger objects travel in several requests."""


@pytest.fixture
def store(any_store: ObjectStore) -> ObjectStore:
    return any_store


def test_what_was_put_is_got(store: ObjectStore) -> None:
    store.put("a/b/c.bin", b"\x00\xff")
    assert store.get("a/b/c.bin") == b"\x00\xff"
    with store.open_read("a/b/c.bin") as stream:
        assert stream.read(1) == b"\x00"


def test_put_replaces(store: ObjectStore) -> None:
    store.put("k", b"long old content")
    store.put("k", b"new")
    assert store.get("k") == b"new"


@pytest.mark.parametrize("key", ["none", "a", "a/b/c"])
def test_getting_what_is_not_there_names_the_key(store: ObjectStore, key: str) -> None:
    store.put("a/b", b"")
    with pytest.raises(NotFound, match=f"has no object '{key}'"):
        store.get(key)
    assert not store.exists(key)
    assert store.etag(key) is None or key == "a"


@pytest.mark.parametrize("key", ["", "/abs", "../up", "a//b", "a/", "./a", ".airloom-locks/00"])
def test_keys_that_are_not_in_normal_form_are_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(UnsafePath, match=r"cannot be the key|is absolute|contains '\.\.'"):
        store.put(key, b"")


def test_put_if_absent_keeps_the_first(store: ObjectStore) -> None:
    assert store.put_if_absent("k", b"first") is True
    assert store.put_if_absent("k", b"second") is False
    assert store.get("k") == b"first"


def test_update_sees_the_old_bytes_or_none(store: ObjectStore) -> None:
    store.update("k", lambda old: b"made" if old is None else b"wrong")
    store.update("k", lambda old: (old or b"") + b" twice")
    assert store.get("k") == b"made twice"


def test_an_update_that_fails_changes_nothing(store: ObjectStore) -> None:
    def fail(old: bytes | None) -> bytes:
        raise ValueError("no")

    store.put("k", b"old")
    with pytest.raises(ValueError, match="no"):
        store.update("k", fail)
    store.update("k", lambda old: (old or b"") + b"+")
    assert store.get("k") == b"old+"


def test_an_update_loses_no_object_that_appears_meanwhile(store: ObjectStore, any_address: str) -> None:
    """Nothing holds put_if_absent off; update() notices and starts again with what is there now."""
    seen: list[bytes | None] = []

    def change(old: bytes | None) -> bytes:
        seen.append(old)
        if old is None:
            assert open_store(any_address).put_if_absent("k", b"other")
        return (old or b"") + b"+mine"

    store.update("k", change)
    assert store.get("k") == b"other+mine"
    assert seen == [None, b"other"]


def test_every_write_changes_the_etag(store: ObjectStore) -> None:
    etags = []
    for value in (b"a", b"b", b"a") * 30:
        store.put("k", value)
        etags.append(store.etag("k"))
    assert len(set(etags)) == len(etags)


def test_an_update_to_equal_bytes_is_no_write(store: ObjectStore) -> None:
    store.put("k", b"same")
    before = store.etag("k")
    store.update("k", lambda old: b"same")
    assert store.etag("k") == before


def test_delete_removes_and_may_be_repeated(store: ObjectStore) -> None:
    store.put("a/k", b"")
    store.delete("a/k")
    store.delete("a/k")
    assert not store.exists("a/k")


def test_exactly_what_was_read_is_deleted(store: ObjectStore) -> None:
    store.put("k", b"old")
    store.put("k", b"new")
    assert store.delete_exactly("k", b"old") is False
    assert store.get("k") == b"new"
    assert store.delete_exactly("k", b"new") is True
    assert store.delete_exactly("k", b"new") is False
    assert not store.exists("k")


def test_put_file_copies_a_file_and_checks_its_digest(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    store.put_file("k", source, digest=digest_bytes(b"x" * 3_000_000))
    assert store.get("k") == source.read_bytes()
    with pytest.raises(IntegrityError, match=f"{source} has the digest .* it was changed meanwhile"):
        store.put_file("other", source, digest="0" * 64)
    assert list(store.list()) == ["k"]


def test_list_selects_by_the_beginning_of_the_key(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "ab/1", "b"):
        store.put(key, b"")
    assert list(store.list("a")) == ["a/1", "a/2", "ab/1"]
    assert list(store.list("a/")) == ["a/1", "a/2"]
    assert list(store.list("a/2")) == ["a/2"]
    assert list(store.list("none/")) == []
    assert list(store.list("b/")) == []


def test_listed_keys_are_sorted_as_text(store: ObjectStore) -> None:
    keys = ["a-/x", "a.b", "a/b", "a/b-", "aé", "b", "é"]
    for key in random.sample(keys, len(keys)):
        store.put(key, b"")
    assert list(store.list()) == sorted(keys)


@pytest.mark.parametrize("key", ["a b/c%20d", "a+b&c=d", "#a?b", "größe/файл.txt", "a'b\"c"])
def test_keys_may_hold_any_printable_characters(store: ObjectStore, key: str) -> None:
    store.put(key, b"1")
    assert store.get(key) == b"1"
    assert list(store.list()) == [key]


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK])
def test_objects_of_any_size(store: ObjectStore, tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "source").write_bytes(data)
    store.put_file("from file", tmp_path / "source", digest=digest_bytes(data))
    assert store.put_if_absent("at once", data)
    assert not store.put_if_absent("at once", data[:1])
    assert store.get("from file") == store.get("at once") == data
    with store.open_read("from file") as stream:
        assert b"".join(iter(lambda: stream.read(3_000_000), b"")) == data


def test_a_large_file_that_was_changed_leaves_no_object(store: ObjectStore, tmp_path: Path) -> None:
    """The bytes of its blocks have arrived when the digest is known to be wrong."""
    store.put("replaced", b"old")
    (tmp_path / "source").write_bytes(b"x" * (2 * BLOCK + 5))
    for key in ("replaced", "new"):
        with pytest.raises(IntegrityError, match="it was changed meanwhile"):
            store.put_file(key, tmp_path / "source", digest=digest_bytes(b"x" * (2 * BLOCK + 4)))
    assert list(store.list()) == ["replaced"]
    assert store.get("replaced") == b"old"


def test_a_touch_is_seen_and_changes_no_bytes(store: ObjectStore) -> None:
    """Azure knows times to the second."""
    store.put("k", b"12345")
    before = store.info("k")
    assert before is not None and before.size == 5
    time.sleep(1.1)
    assert store.touch("k") is True
    after = store.info("k")
    assert after is not None and after.modified > before.modified
    assert (after.size, store.get("k")) == (5, b"12345")


def test_what_is_not_there_has_no_info_and_cannot_be_touched(store: ObjectStore) -> None:
    assert store.info("k") is None
    assert store.touch("k") is False
    assert store.delete_if_unused("k", datetime.now(UTC)) is True


def test_only_what_was_not_used_since_is_deleted(store: ObjectStore) -> None:
    store.put("k", b"")
    assert store.delete_if_unused("k", datetime.now(UTC) - timedelta(hours=1)) is False
    assert store.exists("k")
    assert store.delete_if_unused("k", datetime.now(UTC) + timedelta(hours=1)) is True
    assert not store.exists("k")


def test_a_touched_object_can_be_updated_and_deleted_as_before(store: ObjectStore) -> None:
    store.put("k", b"1")
    assert store.touch("k")
    store.update("k", lambda old: (old or b"") + b"2")
    assert store.touch("k")
    assert store.delete_exactly("k", b"12") is True
