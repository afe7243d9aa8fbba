"""Watching a folder: which files are seen, what tells that one has changed, and what cannot be looked at."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from airloom.errors import AirloomError, StoreUnavailable, UnsafePath
from airloom.storage import watched
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import EnvironmentSecrets
from airloom.storage.stat_cache import null_cache
from airloom.storage.watched import WatchedPlace

OLD_NS = 1_000_000_000


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be old enough as soon as they are there, but for the tests that are about that."""
    monkeypatch.setattr(watched, "RACY_NS", -1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for path in ("in/a.csv", "in/deep/down/b.csv", "other/c.csv"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def datastore(root: Path) -> DatastoreHandle:
    return open_datastore(LocalConfig(name="data", root=str(root)), null_cache(), EnvironmentSecrets())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["in/a.csv", "in/deep/down/b.csv", "other/c.csv"]),
        ("in", ["in/a.csv", "in/deep/down/b.csv"]),
        ("./in/", ["in/a.csv", "in/deep/down/b.csv"]),
        ("in/a.csv", ["in/a.csv"]),
        ("not/yet/there", []),
    ],
)
def test_a_place_is_seen_with_all_below_it(root: Path, path: str, found: list[str]) -> None:
    assert sorted(datastore(root).survey(path).marks) == found


def test_files_on_their_way_are_not_seen(root: Path) -> None:
    (root / "in" / ".airloom-tmp-1").write_text("half")
    assert ".airloom" not in str(datastore(root).survey("in"))


def _write(path: Path) -> None:
    path.write_text("IN/A.CSV")


def _write_and_restore_the_time(path: Path) -> None:
    before = path.stat()
    path.write_text("IN/A.CSV")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("IN/A.CSV")
    other.replace(path)


def _grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


@pytest.mark.parametrize("change", [_write, _write_and_restore_the_time, _replace, _grow])
def test_each_kind_of_change_gives_another_mark(root: Path, change: object) -> None:
    before = datastore(root).survey("in").marks
    time.sleep(0.02)  # the clock of the file system has ticks
    assert callable(change)
    change(root / "in/a.csv")
    after = datastore(root).survey("in").marks
    assert after["in/a.csv"] != before["in/a.csv"]
    assert after["in/deep/down/b.csv"] == before["in/deep/down/b.csv"]


def test_reading_a_file_is_no_change(root: Path) -> None:
    before = datastore(root).survey("in")
    (root / "in/a.csv").read_bytes()
    assert datastore(root).survey("in") == before


def test_a_file_is_young_while_it_may_still_be_written_to(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "RACY_NS", 3600 * 10**9)
    assert datastore(root).survey("in").young == {"in/a.csv", "in/deep/down/b.csv"}


def test_an_old_time_set_by_hand_does_not_make_a_new_file_old(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `cp -p` and archive programs set it, before or after they write."""
    monkeypatch.setattr(watched, "RACY_NS", 3600 * 10**9)
    os.utime(root / "in/a.csv", ns=(OLD_NS, OLD_NS))
    assert "in/a.csv" in datastore(root).survey("in").young


def test_a_time_in_the_far_future_does_not_make_a_file_wait_for_it(root: Path) -> None:
    future = time.time_ns() + 10**18
    os.utime(root / "in/a.csv", ns=(future, future))
    assert datastore(root).survey("in").young == frozenset()


def test_a_datastore_whose_root_is_gone_is_not_an_empty_one(root: Path) -> None:
    store = datastore(root)
    root.rename(root.with_name("unmounted"))
    with pytest.raises(StoreUnavailable, match="Is its disk mounted"):
        store.survey("in")


def test_a_link_out_of_the_datastore_is_refused(root: Path) -> None:
    (root / "in/out").symlink_to("/etc")
    with pytest.raises(UnsafePath):
        datastore(root).survey("in")


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "in/../../x", "a\0b", ".airloom-tmp-1/x"])
def test_a_place_outside_of_the_datastore_cannot_be_watched(path: str) -> None:
    with pytest.raises((ValidationError, AirloomError)):
        WatchedPlace(datastore="data", path=path)


@pytest.mark.parametrize(
    ("path", "folder", "selected"),
    [
        ("in", "in", ["in/a.csv", "in/x/b.csv", "in/x/c.txt"]),
        ("", "", ["in/a.csv", "in/x/b.csv", "in/x/c.txt"]),
        ("in/*.csv", "in", ["in/a.csv"]),
        ("in/**/*.csv", "in", ["in/a.csv", "in/x/b.csv"]),
        ("**/*.txt", "", ["in/x/c.txt"]),
    ],
)
def test_a_pattern_selects_below_the_folder_that_is_listed(path: str, folder: str, selected: list[str]) -> None:
    place = WatchedPlace(datastore="data", path=path)
    assert place.folder == folder
    assert list(filter(place.selects, ["in/a.csv", "in/x/b.csv", "in/x/c.txt"])) == selected
