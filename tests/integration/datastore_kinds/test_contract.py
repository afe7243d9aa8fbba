"""What every kind of datastore does: whole files and folders, confined to their root, told apart by their content."""

from __future__ import annotations

import errno
import io
import os
import random
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airloom.errors import AlreadyExists, IntegrityError, InvalidName, NotFound, UnsafePath
from airloom.storage.datastores import DatastoreHandle, Download
from airloom.storage.stat_cache import null_cache
from airloom.storage.tree import TreeManifest, scan_tree
from airloom.storage.walk import walk

pytestmark = pytest.mark.integration

FILES = {"a.csv": "1", "b.txt": "22", "2024/01/x.csv": "333", "2024/02/y.csv": "4444", "2024/02/y.txt": "5"}
LARGE = 20 * 1024 * 1024 + 1
"""More than two pieces in which files travel."""


@pytest.fixture
def data(any_datastore: DatastoreHandle) -> DatastoreHandle:
    for path, text in FILES.items():
        any_datastore.write(path, io.BytesIO(text.encode()))
    return any_datastore


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., Path]:
    """Writes {path: text} below a folder of the test, and returns the folder."""

    def make(files: dict[str, str], name: str = "staged") -> Path:
        root = tmp_path / name
        root.mkdir()
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    return make


def paths(data: DatastoreHandle, path: str = "") -> list[str]:
    return [info.path for info in data.list(path)]


def entry_paths(manifest: TreeManifest) -> list[str]:
    return [entry.path for entry in manifest.entries]


def content(data: DatastoreHandle, path: str) -> bytes:
    with data.open_read(path) as stream:
        return stream.read()


def fetch(data: DatastoreHandle, folder: Path, path: str = "") -> list[str]:
    """Copy all that is listed at a path; the paths, in the order in which they came."""
    came: list[str] = []
    data.fetch([Download(info, folder / info.path) for info in data.list(path)], lambda info: came.append(info.path))
    return came


# --- reading --------------------------------------------------------------------------------------------------------


def test_listing_shows_files_folders_and_globs(data: DatastoreHandle) -> None:
    assert paths(data) == sorted(FILES)
    assert paths(data, "2024/02") == paths(data, "./2024//02/") == ["2024/02/y.csv", "2024/02/y.txt"]
    assert paths(data, "b.txt") == ["b.txt"]
    assert paths(data, "*.csv") == ["a.csv"]
    assert paths(data, "2024/**/*.csv") == ["2024/01/x.csv", "2024/02/y.csv"]
    assert paths(data, "none") == paths(data, "none/*") == paths(data, "2024/0") == paths(data, "a") == []


def test_a_listing_tells_size_and_time(data: DatastoreHandle) -> None:
    (info,) = data.list("b.txt")
    assert info.size == 2
    assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_content_has_the_same_digest_wherever_it_lies(data: DatastoreHandle, stage: Callable[..., Path]) -> None:
    here = stage(FILES)
    assert data.scan() == scan_tree(here, null_cache())
    assert data.digest("2024") == scan_tree(here / "2024", null_cache()).digest
    assert data.digest("a.csv") == scan_tree(here / "a.csv", null_cache()).digest
    expected = data.digest()
    data.publish(here, "copy")
    assert data.digest("copy") == expected


def test_scanning_is_relative_to_the_folder_or_to_the_base_of_the_glob(data: DatastoreHandle) -> None:
    assert entry_paths(data.scan("2024")) == ["01/x.csv", "02/y.csv", "02/y.txt"]
    assert entry_paths(data.scan("a.csv")) == [""]
    assert entry_paths(data.scan("2024/*/y.*")) == ["02/y.csv", "02/y.txt"]
    assert entry_paths(data.scan("**/*.csv")) == ["2024/01/x.csv", "2024/02/y.csv", "a.csv"]


@pytest.mark.parametrize("path", ["", "2024", "a.csv", "2024/*/y.*", "2024/01"])
def test_the_digest_is_that_of_what_a_scan_finds(data: DatastoreHandle, path: str) -> None:
    assert data.digest(path) == data.scan(path).digest


def test_there_is_no_digest_of_nothing(data: DatastoreHandle) -> None:
    for path in ("none", "none/x", "*.parquet", "a.csv/x", "a.csv/*", "2024/0"):
        for look in (data.scan, data.digest):
            with pytest.raises(NotFound, match=rf"'raw' has nothing at '{re.escape(path)}' \(looked in .*\)"):
                look(path)


def test_an_empty_datastore_is_something(any_datastore: DatastoreHandle) -> None:
    assert any_datastore.list() == []
    assert any_datastore.scan().entries == ()
    assert any_datastore.exists("")
    assert not any_datastore.exists("a")
    assert any_datastore.survey().marks == {}


@pytest.mark.parametrize("name", ["odd [1].csv", "per%20cent.txt", "ünï/çødé ☃", "plus+and&=?#", "a'b\"c", "tilde~"])
def test_names_are_taken_literally_or_refused(any_datastore: DatastoreHandle, name: str, tmp_path: Path) -> None:
    try:
        any_datastore.write(name, io.BytesIO(b"!"))
    except InvalidName:
        assert paths(any_datastore) == paths(any_datastore, name) == []
        assert any_datastore.config.type == "azure_file_share"
        assert set(name) & set('?"')
        return
    assert paths(any_datastore) == paths(any_datastore, name) == [name]
    assert entry_paths(any_datastore.scan(name)) == [""]
    assert content(any_datastore, name) == b"!"
    fetch(any_datastore, tmp_path / "here")
    assert (tmp_path / "here" / name).read_bytes() == b"!"
    any_datastore.delete(name)
    assert paths(any_datastore) == []


def test_files_are_read_as_streams(data: DatastoreHandle) -> None:
    assert content(data, "2024/01/x.csv") == b"333"
    for path in ("none", "2024", "a.csv/x"):
        with pytest.raises(NotFound, match=f"'raw' has no file '{path}'"):
            data.open_read(path)
    assert data.exists("a.csv")
    assert data.exists("2024")
    assert not data.exists("none")


def test_a_large_file_comes_back_in_pieces_and_from_anywhere(any_datastore: DatastoreHandle, tmp_path: Path) -> None:
    expected = random.Random(1).randbytes(LARGE)
    info = any_datastore.write("large.bin", io.BytesIO(expected))
    assert info.size == LARGE
    with any_datastore.open_read("large.bin") as stream:
        stream.seek(LARGE - 5)
        assert stream.read() == expected[-5:]
        stream.seek(8 * 1024 * 1024 - 3)
        assert stream.read(6) == expected[8 * 1024 * 1024 - 3 : 8 * 1024 * 1024 + 3]
    assert fetch(any_datastore, tmp_path / "here") == ["large.bin"]
    assert (tmp_path / "here" / "large.bin").read_bytes() == expected
    assert any_datastore.digest("large.bin") == scan_tree(tmp_path / "here" / "large.bin", null_cache()).digest


def test_a_file_without_bytes_is_a_file(any_datastore: DatastoreHandle, tmp_path: Path) -> None:
    any_datastore.write("none", io.BytesIO())
    assert content(any_datastore, "none") == b""
    assert fetch(any_datastore, tmp_path / "here") == ["none"]
    assert (tmp_path / "here" / "none").read_bytes() == b""
    assert any_datastore.scan().total_size == 0


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "2024/../../x", ".airloom-tmp-1", "2024/.airloom-unfinished"])
def test_no_operation_leaves_the_root(data: DatastoreHandle, tmp_path: Path, path: str) -> None:
    (tmp_path / "staged").write_text("")
    operations: list[Callable[[], object]] = [
        lambda: data.list(path),
        lambda: data.list(path + "/*"),
        lambda: data.scan(path),
        lambda: data.survey(path),
        lambda: data.exists(path),
        lambda: data.open_read(path),
        lambda: data.local_path(path),
        lambda: data.write(path, io.BytesIO()),
        lambda: data.publish(tmp_path / "staged", path),
        lambda: data.delete(path),
    ]
    for operation in operations:
        with pytest.raises(UnsafePath, match=r"is absolute|contains '\.\.'|keeps for itself"):
            operation()


# --- fetching -------------------------------------------------------------------------------------------------------


def test_all_files_are_fetched_each_told_when_it_is_there(data: DatastoreHandle, tmp_path: Path) -> None:
    there: list[bool] = []
    downloads = [Download(info, tmp_path / "here" / info.path) for info in data.list()]
    data.fetch(downloads, lambda info: there.append((tmp_path / "here" / info.path).is_file()))
    assert there == [True] * len(FILES)
    assert {path: (tmp_path / "here" / path).read_text() for path in FILES} == FILES


def test_what_each_file_raises_ends_the_rest(data: DatastoreHandle, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        data.fetch([Download(info, tmp_path / "here" / info.path) for info in data.list()], stop)
    left = [file.path for file in walk(tmp_path / "here")]
    assert all((tmp_path / "here" / path).read_text() == FILES[path] for path in left), "each is whole or not there"


# --- writing --------------------------------------------------------------------------------------------------------


def test_writing_makes_folders_and_replaces(data: DatastoreHandle) -> None:
    data.write("new/deep/f", io.BytesIO(b"one"))
    info = data.write("./new/deep/f", io.BytesIO(b"two!"))
    assert (info.path, info.size) == ("new/deep/f", 4)
    assert content(data, "new/deep/f") == b"two!"


def test_writing_does_not_replace_unless_allowed(data: DatastoreHandle) -> None:
    with pytest.raises(AlreadyExists, match=r"'raw' already has 'a\.csv'. Choose another path, or ask for overwriting"):
        data.write("a.csv", io.BytesIO(b"x"), overwrite=False)
    with pytest.raises(AlreadyExists, match="'raw' already has '2024'"):
        data.write("2024", io.BytesIO(b"x"))
    with pytest.raises(AlreadyExists, match="a file has its name"):
        data.write("a.csv/x", io.BytesIO(b"x"))
    with pytest.raises(UnsafePath, match="root of the datastore 'raw' cannot be replaced"):
        data.write("", io.BytesIO(b"x"))
    assert paths(data) == sorted(FILES)
    assert content(data, "a.csv") == b"1"


def test_a_broken_stream_leaves_what_was_there(data: DatastoreHandle) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.ECONNRESET, "connection lost")

    with pytest.raises(OSError, match="connection lost"):
        data.write("a.csv", Broken())
    assert content(data, "a.csv") == b"1"
    assert paths(data) == sorted(FILES)


def test_deleting_files_and_folders(data: DatastoreHandle) -> None:
    for path in ("a.csv", "2024", "2024", "none/x"):
        data.delete(path)
    assert paths(data) == ["b.txt"]
    assert not data.exists("2024")
    with pytest.raises(UnsafePath, match="root of the datastore 'raw' cannot be deleted"):
        data.delete(".")


def test_a_place_that_was_deleted_is_free(data: DatastoreHandle, stage: Callable[..., Path]) -> None:
    data.delete("2024")
    data.publish(stage({"f": "new"}), "2024")
    assert paths(data, "2024") == ["2024/f"]


# --- publishing -----------------------------------------------------------------------------------------------------


def test_a_folder_is_published_as_it_is(data: DatastoreHandle, stage: Callable[..., Path]) -> None:
    staged = stage({"m/1": "one", "2": "two", "m/n/3": ""})
    expected = scan_tree(staged, null_cache())
    data.publish(staged, "out/run/port")
    assert data.scan("out/run/port") == expected
    assert data.digest("out/run/port") == expected.digest
    assert not staged.exists()
    assert paths(data) == sorted([*FILES, "out/run/port/2", "out/run/port/m/1", "out/run/port/m/n/3"])


def test_a_file_is_published_as_it_is(data: DatastoreHandle, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("m")
    data.publish(tmp_path / "model", "out/model.pkl")
    assert content(data, "out/model.pkl") == b"m"
    assert not (tmp_path / "model").exists()


def test_a_folder_without_files_is_there_once_it_is_published(
    any_datastore: DatastoreHandle, stage: Callable[..., Path]
) -> None:
    any_datastore.publish(stage({}), "out/empty")
    assert any_datastore.exists("out/empty")
    assert any_datastore.scan("out/empty").entries == ()
    assert paths(any_datastore) == []
    with pytest.raises(AlreadyExists, match="already has 'out/empty'"):
        any_datastore.publish(stage({"f": ""}, "other"), "out/empty")
    any_datastore.publish(stage({"f": ""}, "third"), "out/empty", overwrite=True)
    assert paths(any_datastore) == ["out/empty/f"]


@pytest.mark.parametrize("target", ["a.csv", "2024"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_publishing_replaces_only_when_asked_to(
    data: DatastoreHandle, stage: Callable[..., Path], kind: str, target: str
) -> None:
    staged = stage({"f": "new"})
    source = staged / "f" if kind == "file" else staged
    before = data.digest(target)
    with pytest.raises(AlreadyExists, match=f"'raw' already has '{target}'"):
        data.publish(source, target)
    assert data.digest(target) == before
    assert source.exists(), "what was not published stays"
    data.publish(source, target, overwrite=True)
    assert entry_paths(data.scan(target)) == ([""] if kind == "file" else ["f"])
    left = {path for path in FILES if path != target and not path.startswith(f"{target}/")}
    assert {path for path in paths(data) if not path.startswith(target)} == left


def test_a_manifest_that_is_given_is_believed_only_if_it_is_true(
    data: DatastoreHandle, stage: Callable[..., Path]
) -> None:
    staged = stage({"f": "new", "g": "also new"})
    manifest = scan_tree(staged, null_cache())
    data.publish(staged, "out", manifest=manifest)
    assert data.scan("out") == manifest


def test_of_racing_publishers_one_wins_and_the_folder_is_never_mixed(
    exclusive_datastore: DatastoreHandle, stage: Callable[..., Path]
) -> None:
    barrier = threading.Barrier(4)
    won: list[int] = []
    lost: list[Exception] = []

    def publish(number: int) -> None:
        staged = stage({f"{index}.txt": str(number) for index in range(12)}, f"staged-{number}")
        barrier.wait()
        try:
            exclusive_datastore.publish(staged, "out")
            won.append(number)
        except Exception as error:
            lost.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1, lost
    assert all(isinstance(error, AlreadyExists) for error in lost)
    assert {content(exclusive_datastore, path) for path in paths(exclusive_datastore, "out")} == {str(won[0]).encode()}
    assert len(paths(exclusive_datastore, "out")) == 12


def test_links_in_what_is_published_are_what_they_lead_to(data: DatastoreHandle, stage: Callable[..., Path]) -> None:
    staged = stage({"step-10/w": "weights"})
    (staged / "absolute").symlink_to(staged / "step-10")
    (staged / "relative").symlink_to("step-10/w")
    expected = scan_tree(staged, null_cache())
    data.publish(staged, "deep/er/out")
    assert data.scan("deep/er/out") == expected
    assert content(data, "deep/er/out/absolute/w") == content(data, "deep/er/out/relative") == b"weights"


def test_links_that_leave_what_is_published_are_refused(
    data: DatastoreHandle, stage: Callable[..., Path], tmp_path: Path
) -> None:
    staged = stage({"f": ""})
    (staged / "secret").symlink_to("/etc/passwd")
    with pytest.raises(UnsafePath, match="staged/secret leads to /etc/passwd"):
        data.publish(staged, "out")
    (tmp_path / "alias").symlink_to(staged / "f")
    with pytest.raises(UnsafePath, match=r"alias is a symbolic link\. Write a real file"):
        data.publish(tmp_path / "alias", "out")
    assert not data.exists("out")
    assert (staged / "f").exists()


def test_publishing_what_is_not_there_names_it(data: DatastoreHandle, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"no file or folder {tmp_path}/none"):
        data.publish(tmp_path / "none", "out")


# --- telling changes ------------------------------------------------------------------------------------------------


def test_a_survey_names_all_files_and_tells_each_change(data: DatastoreHandle) -> None:
    before = data.survey().marks
    assert sorted(before) == sorted(FILES)
    assert data.survey().marks == before
    assert data.survey("2024").marks == {path: mark for path, mark in before.items() if path.startswith("2024/")}
    assert data.survey("a.csv").marks == {"a.csv": before["a.csv"]}
    assert data.survey("none").marks == {}
    data.write("2024/02/y.csv", io.BytesIO(b"5555"))
    data.write("2024/03/z.csv", io.BytesIO(b"6"))
    data.delete("b.txt")
    after = data.survey().marks
    assert sorted(after) == sorted({*FILES, "2024/03/z.csv"} - {"b.txt"})
    assert {path for path in after if after[path] != before.get(path)} == {"2024/02/y.csv", "2024/03/z.csv"}


def test_bytes_altered_to_the_same_length_give_another_digest(data: DatastoreHandle) -> None:
    before = data.digest("2024")
    assert data.digest("2024") == before
    data.write("2024/02/y.csv", io.BytesIO(b"4443"))
    assert data.digest("2024") != before
    data.write("2024/02/y.csv", io.BytesIO(b"4444"))
    assert data.digest("2024") == before


def test_a_file_that_was_replaced_since_it_was_listed_is_not_fetched(
    remote_datastore: DatastoreHandle, tmp_path: Path
) -> None:
    remote_datastore.write("f", io.BytesIO(b"old"))
    downloads = [Download(info, tmp_path / "f") for info in remote_datastore.list()]
    remote_datastore.write("f", io.BytesIO(b"new"))
    with pytest.raises(IntegrityError, match=r"'f' of .* was (replaced|changed) or removed while"):
        remote_datastore.fetch(downloads, lambda info: None)
    remote_datastore.delete("f")
    with pytest.raises(IntegrityError, match=r"was (replaced|changed) or removed"):
        remote_datastore.fetch(downloads, lambda info: None)
    assert os.listdir(tmp_path) in ([], ["cache"])
