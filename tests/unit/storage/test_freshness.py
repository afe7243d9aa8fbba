"""Marks of use: what a store knows of an object's age, and that no mark is lost to a deletion."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta

import pytest

from airloom.storage.freshness import FRESH, freshen
from airloom.storage.local import LocalStore


def age(store: LocalStore, key: str, by: timedelta) -> datetime:
    """Set the time of an object back; returns the time it has now."""
    then = datetime.now(UTC) - by
    os.utime(store.root / key, (then.timestamp(), then.timestamp()))
    return then


def test_info_tells_size_and_time(store: LocalStore) -> None:
    before = datetime.now(UTC)
    store.put("a/k", b"12345")
    info = store.info("a/k")
    assert info is not None and info.size == 5
    assert before <= info.modified <= datetime.now(UTC)


@pytest.mark.parametrize("key", ["none", "a", "a/k/below"])
def test_there_is_no_info_of_what_is_no_object(store: LocalStore, key: str) -> None:
    store.put("a/k", b"")
    assert store.info(key) is None
    assert store.touch(key) is False
    assert store.delete_if_unused(key, datetime.now(UTC)) is True
    assert list(store.list()) == ["a/k"]


def test_a_touch_makes_an_object_new_and_keeps_its_bytes(store: LocalStore) -> None:
    store.put("k", b"bytes")
    age(store, "k", timedelta(days=9))
    before = datetime.now(UTC)
    assert store.touch("k") is True
    info = store.info("k")
    assert info is not None and info.modified >= before
    assert store.get("k") == b"bytes"


def test_only_what_was_not_used_since_is_deleted(store: LocalStore) -> None:
    store.put("k", b"")
    then = age(store, "k", timedelta(days=9))
    assert store.delete_if_unused("k", then - timedelta(days=1)) is False
    assert store.exists("k")
    assert store.delete_if_unused("k", then + timedelta(days=1)) is True
    assert not store.exists("k")


def test_an_object_is_touched_only_when_its_mark_is_old(store: LocalStore) -> None:
    store.put("young", b"")
    store.put("old", b"")
    then = age(store, "young", FRESH - timedelta(minutes=1))
    age(store, "old", FRESH + timedelta(minutes=1))
    assert freshen(store, "young") and freshen(store, "old")
    young, old = store.info("young"), store.info("old")
    assert young is not None and abs(young.modified - then) < timedelta(seconds=1)
    assert old is not None and datetime.now(UTC) - old.modified < timedelta(minutes=1)


def test_what_is_gone_cannot_be_freshened(store: LocalStore) -> None:
    assert freshen(store, "none") is False


def test_of_a_touch_and_a_deletion_at_once_one_wins_and_both_know(store: LocalStore) -> None:
    for number in range(200):
        key = f"k{number}"
        store.put(key, b"")
        age(store, key, timedelta(days=1))
        cutoff, touched = datetime.now(UTC) - timedelta(hours=2), []
        toucher = threading.Thread(target=lambda key=key, touched=touched: touched.append(store.touch(key)))
        toucher.start()
        gone = store.delete_if_unused(key, cutoff)
        toucher.join()
        assert touched == [not gone]
        assert store.exists(key) is not gone
