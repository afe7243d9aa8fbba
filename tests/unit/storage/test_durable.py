"""Giving names durably: what was there is replaced whole, or comes back, and nothing of ours stays behind."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from airloom.errors import AlreadyExists
from airloom.storage import durable
from airloom.storage.durable import exchange, make_dirs, new_file, remove_tree, sync_tree, take_place


def make(path: Path, content: str, *, folder: bool) -> Path:
    """A file that holds a text, or a folder with such a file."""
    if folder:
        path.mkdir()
        (path / "f").write_text(content)
    else:
        path.write_text(content)
    return path


def content(path: Path) -> str:
    return (path / "f" if path.is_dir() else path).read_text()


class OldSystem:
    """The C library of a system that knows no exchange of names."""

    def __init__(self, code: int) -> None:
        self._code = code

    def renameat2(self, *arguments: object) -> int:
        ctypes.set_errno(self._code)
        return -1


@pytest.fixture(params=["exchange", "no exchange", "no such call"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """This system, one whose file system cannot exchange names, and one without the call for it."""
    if request.param != "exchange":
        old = OldSystem(errno.EINVAL) if request.param == "no exchange" else object()
        monkeypatch.setattr(ctypes, "CDLL", lambda *args, **options: old)
    return str(request.param)


# --- exchanging -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_two_names_are_swapped(tmp_path: Path, one: bool, other: bool) -> None:
    first, second = make(tmp_path / "1", "one", folder=one), make(tmp_path / "2", "other", folder=other)
    assert exchange(first, second) is True
    assert (content(first), content(second)) == ("other", "one")
    assert (first.is_dir(), second.is_dir()) == (other, one)


def test_relative_names_are_those_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "1", "one", folder=True)
    make(tmp_path / "2", "other", folder=True)
    assert exchange(Path("1"), Path("2")) is True
    assert content(tmp_path / "1") == "other"


@pytest.mark.parametrize("gone", ["1", "2"])
def test_a_swap_with_what_is_not_there_names_both(tmp_path: Path, gone: str) -> None:
    one, other = tmp_path / "1", tmp_path / "2"
    (other if gone == "1" else one).touch()
    with pytest.raises(FileNotFoundError) as caught:
        exchange(one, other)
    assert str(caught.value) == f"[Errno 2] No such file or directory: '{one}' -> '{other}'"
    assert caught.value.errno == errno.ENOENT
    assert (caught.value.filename, caught.value.filename2) == (str(one), str(other))


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_a_system_that_cannot_swap_says_so_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **options: OldSystem(code))
    one, other = make(tmp_path / "1", "one", folder=False), make(tmp_path / "2", "other", folder=False)
    assert exchange(one, other) is False
    assert (content(one), content(other)) == ("one", "other")


def test_so_does_one_without_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **options: object())
    assert exchange(tmp_path / "1", tmp_path / "2") is False


# --- taking a place -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("old", [True, False, None])
def test_what_is_there_is_replaced_and_removed(tmp_path: Path, new: bool, old: bool | None) -> None:
    source, target = make(tmp_path / "new", "new", folder=new), tmp_path / "target"
    if old is not None:
        make(target, "old", folder=old)
    take_place(source, target)
    assert (content(target), target.is_dir()) == ("new", new)
    assert os.listdir(tmp_path) == ["target"]


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("new", [True, False])
def test_a_link_is_replaced_and_not_what_it_leads_to(tmp_path: Path, new: bool) -> None:
    elsewhere = make(tmp_path / "elsewhere", "kept", folder=True)
    (tmp_path / "target").symlink_to(elsewhere)
    take_place(make(tmp_path / "new", "new", folder=new), tmp_path / "target")
    assert content(tmp_path / "target") == "new"
    assert not (tmp_path / "target").is_symlink()
    assert content(elsewhere) == "kept"


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("left", [True, False])
def test_what_a_killed_process_had_put_aside_is_removed(tmp_path: Path, left: bool) -> None:
    target = make(tmp_path / "target", "old", folder=True)
    aside = make(durable._aside(target), "older", folder=left)
    assert aside.parent == tmp_path and durable.is_private(aside.name)
    take_place(make(tmp_path / "new", "new", folder=True), target)
    assert content(target) == "new"
    assert os.listdir(tmp_path) == ["target"]


def test_each_name_has_its_own_place_aside(tmp_path: Path) -> None:
    places = {durable._aside(tmp_path / name) for name in ("a", "b", "é")}
    assert len(places) == 3
    assert durable._aside(tmp_path / "a") in places


@pytest.mark.usefixtures("system")
def test_nothing_is_lost_when_there_is_nothing_to_put_there(tmp_path: Path) -> None:
    target = make(tmp_path / "target", "old", folder=True)
    with pytest.raises(FileNotFoundError):
        take_place(tmp_path / "gone", target)
    assert content(target) == "old"
    assert os.listdir(tmp_path) == ["target"]


class ComesBetween(OldSystem):
    """A system on which somebody else always acts between two looks, for a number of times."""

    def __init__(self, times: int, code: int) -> None:
        super().__init__(code)
        self.left, self.tries = times, 0
        self._real = ctypes.CDLL(None, use_errno=True)

    def renameat2(self, *arguments: object) -> int:
        self.tries += 1
        if self.left == 0:
            return int(self._real.renameat2(*arguments))
        self.left -= 1
        return super().renameat2(*arguments)


def take_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: ComesBetween) -> Path:
    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **options: between)
    target = make(tmp_path / "target", "old", folder=True)
    take_place(make(tmp_path / "new", "new", folder=True), target)
    return target


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR])
def test_who_meets_others_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    target = take_over(tmp_path, monkeypatch, ComesBetween(9, code))
    assert content(target) == "new"
    assert os.listdir(tmp_path) == ["target"]


@pytest.mark.parametrize(("times", "code", "tries"), [(99, errno.ENOENT, 10), (1, errno.EACCES, 1)])
def test_but_not_for_ever_nor_where_that_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, code: int, tries: int
) -> None:
    between = ComesBetween(times, code)
    with pytest.raises(OSError, match=rf"\[Errno {code}\]"):
        take_over(tmp_path, monkeypatch, between)
    assert between.tries == tries
    assert (content(tmp_path / "target"), content(tmp_path / "new")) == ("old", "new")


# --- making and removing --------------------------------------------------------------------------------------------


def test_folders_are_made_up_to_the_first_that_is_there(tmp_path: Path) -> None:
    make_dirs(tmp_path / "a" / "b" / "c")
    make_dirs(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a/b/c").is_dir()


@pytest.mark.parametrize("below", ["file", "file/a", "file/a/b"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AlreadyExists) as caught:
        make_dirs(tmp_path / below)
    assert caught.value.message == f"The folder {tmp_path}/file cannot be made: a file has its name."
    assert caught.value.target == f"{tmp_path}/file"
    assert caught.value.hint == "Choose another path."


def test_a_new_file_has_a_name_that_no_listing_shows(tmp_path: Path) -> None:
    with new_file(tmp_path / "sub") as (file, path):
        file.write(b"1")
        assert path.parent == tmp_path / "sub"
        assert durable.is_private(path.name)
    assert path.read_bytes() == b"1"


def test_a_file_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_file(tmp_path) as (file, _):
        fail(file)
    assert os.listdir(tmp_path) == []


REMOVED: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.touch(),
    "folder": lambda path: (path / "deep").mkdir(parents=True),
    "link to a folder": lambda path: path.symlink_to(path.with_name("kept")),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", REMOVED)
def test_whatever_it_is_it_is_removed_and_nothing_else(tmp_path: Path, kind: str) -> None:
    make(tmp_path / "kept", "kept", folder=True)
    REMOVED[kind](tmp_path / "path")
    remove_tree(tmp_path / "path")
    assert os.listdir(tmp_path) == ["kept"]
    assert content(tmp_path / "kept") == "kept"


def synced(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> set[str]:
    """The names of the files and folders that an action has synced."""
    names: set[str] = set()
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        names.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", watch)
        act()
    return names


def test_a_tree_is_synced_with_all_in_it_but_not_where_links_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "root", "1", folder=True)
    (root / "sub").mkdir()
    (root / "sub" / "g").touch()
    (root / "link").symlink_to("/etc/hostname")
    (root / "dangling").symlink_to("nowhere")
    assert synced(monkeypatch, lambda: sync_tree(root)) == {"root", "f", "sub", "g"}
    assert synced(monkeypatch, lambda: sync_tree(root / "f")) == {"f"}


def test_each_new_folder_is_synced_into_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert synced(monkeypatch, lambda: make_dirs(tmp_path / "a" / "b")) == {tmp_path.name, "a"}
    assert synced(monkeypatch, lambda: make_dirs(tmp_path / "a" / "b")) == set()


def test_a_taken_place_is_synced_before_the_old_bytes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = make(tmp_path / "target", "old", folder=True)
    source = make(tmp_path / "new", "new", folder=True)
    assert synced(monkeypatch, lambda: take_place(source, target)) == {tmp_path.name}
