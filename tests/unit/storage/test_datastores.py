"""Local datastores: whole files and folders, confined to their root."""

from __future__ import annotations

import errno
import io
import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import ValidationError

from airloom.errors import AlreadyExists, InvalidName, NotFound, UnsafePath
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.datastores import DatastoreHandle
from airloom.storage.open_datastore import open_datastore
from airloom.storage.secrets import EnvironmentSecrets
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import TreeManifest, scan_tree

MakeTree = Callable[[str, dict[str, str]], Path]
FILES = {"a.csv": "1", "b.txt": "22", "2024/01/x.csv": "333", "2024/02/y.csv": "4444", "2024/02/y.txt": "5"}


@pytest.fixture
def data(make_tree: MakeTree, cache: StatCache) -> DatastoreHandle:
    return open_datastore(LocalConfig(name="raw", root=str(make_tree("raw", FILES))), cache, EnvironmentSecrets())


def paths(data: DatastoreHandle, path: str = "") -> list[str]:
    return [info.path for info in data.list(path)]


def entry_paths(manifest: TreeManifest) -> list[str]:
    return [entry.path for entry in manifest.entries]


def hidden_names(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".")]


def test_a_configuration_has_a_plain_name_and_an_absolute_root() -> None:
    with pytest.raises(ValidationError, match="root 'data' of a local datastore must be an absolute folder"):
        LocalConfig(name="raw", root="data")
    with pytest.raises(InvalidName, match="'a/b' cannot be the name of a datastore"):
        LocalConfig(name="a/b", root="/srv")


# --- reading --------------------------------------------------------------------------------------------------------


def test_listing_shows_files_folders_and_globs(data: DatastoreHandle) -> None:
    assert paths(data) == sorted(FILES)
    assert paths(data, "2024/02") == ["2024/02/y.csv", "2024/02/y.txt"]
    assert paths(data, "b.txt") == ["b.txt"]
    assert paths(data, "*.csv") == ["a.csv"]
    assert paths(data, "2024/**/*.csv") == ["2024/01/x.csv", "2024/02/y.csv"]
    assert paths(data, "none") == paths(data, "none/*") == []


def test_a_listing_tells_size_and_time(data: DatastoreHandle) -> None:
    (info,) = data.list("b.txt")
    assert info.size == 2
    assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)
    os.utime(data.local_path("b.txt"), (1_600_000_000, 1_600_000_000))
    assert data.list("b.txt")[0].modified == datetime.fromtimestamp(1_600_000_000, UTC)


def test_scanning_a_folder_is_relative_to_it(data: DatastoreHandle) -> None:
    assert entry_paths(data.scan("2024")) == ["01/x.csv", "02/y.csv", "02/y.txt"]
    assert entry_paths(data.scan("a.csv")) == [""]
    assert data.digest("2024") == scan_tree(data.local_path("2024"), null_cache()).digest


@pytest.mark.parametrize("path", ["", "2024", "a.csv", "2024/*/y.*", "2024/01"])
def test_the_digest_is_that_of_what_a_scan_finds(data: DatastoreHandle, path: str) -> None:
    data.local_path("2024/01/link").symlink_to("../../a.csv")
    assert data.digest(path) == data.scan(path).digest


def test_without_a_path_all_is_meant(data: DatastoreHandle) -> None:
    assert data.list() == data.list("")
    assert data.scan() == data.scan("")
    assert data.digest() == data.digest("")
    assert data.local_path() == data.local_path("")


def test_there_is_no_digest_of_nothing(data: DatastoreHandle) -> None:
    for path in ("none", "*.parquet"):
        with pytest.raises(NotFound, match=rf"'raw' has nothing at '{re.escape(path)}'"):
            data.digest(path)


def test_scanning_a_glob_is_relative_to_the_folder_above_its_first_wildcard(data: DatastoreHandle) -> None:
    assert entry_paths(data.scan("2024/*/y.*")) == ["02/y.csv", "02/y.txt"]
    assert entry_paths(data.scan("**/*.csv")) == ["2024/01/x.csv", "2024/02/y.csv", "a.csv"]


def test_a_name_with_wildcards_may_be_meant_literally(data: DatastoreHandle) -> None:
    data.write("odd [1].csv", io.BytesIO(b"!"))
    assert paths(data, "odd [1].csv") == ["odd [1].csv"]
    assert entry_paths(data.scan("odd [1].csv")) == [""]


def test_scanning_nothing_is_an_error_that_names_the_datastore(data: DatastoreHandle) -> None:
    for path in ("none", "none/x", "*.parquet", "a.csv/x", "a.csv/*"):
        with pytest.raises(NotFound, match=r"datastore 'raw' has nothing at '.*' \(looked in .*/raw\)"):
            data.scan(path)


def test_an_empty_folder_is_something(data: DatastoreHandle) -> None:
    data.local_path("empty").mkdir()
    assert data.scan("empty").entries == ()


def test_a_datastore_that_holds_nothing_yet_is_empty(tmp_path: Path) -> None:
    data = open_datastore(LocalConfig(name="new", root=str(tmp_path / "new")), null_cache(), EnvironmentSecrets())
    assert data.list() == []
    assert data.scan().entries == ()
    data.write("a", io.BytesIO(b"1"))
    assert paths(data) == ["a"]


def test_files_are_read_as_streams(data: DatastoreHandle) -> None:
    with data.open_read("2024/01/x.csv") as stream:
        assert stream.read() == b"333"
    for path in ("none", "2024", "a.csv/x"):
        with pytest.raises(NotFound, match=f"'raw' has no file '{path}'"):
            data.open_read(path)
    assert data.exists("a.csv")
    assert data.exists("2024")
    assert not data.exists("none")


def test_links_within_the_datastore_are_followed_and_others_refused(data: DatastoreHandle) -> None:
    data.local_path("2024/03").symlink_to("02")
    data.local_path("2024/01/a.csv").symlink_to("../../a.csv")
    assert entry_paths(data.scan("2024/*/*.csv")) == ["01/a.csv", "01/x.csv", "02/y.csv", "03/y.csv"]
    data.local_path("2024/04").symlink_to("/etc")
    with pytest.raises(UnsafePath, match="leads to /etc"):
        data.scan("2024")
    with pytest.raises(UnsafePath, match="leaves its folder through a symbolic link"):
        data.open_read("2024/04/passwd")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "2024/../../x", ".airloom-tmp-1"])
def test_no_operation_leaves_the_root(data: DatastoreHandle, tmp_path: Path, path: str) -> None:
    (tmp_path / "staged").write_text("")
    operations: list[Callable[[], object]] = [
        lambda: data.list(path),
        lambda: data.list(path + "/*"),
        lambda: data.scan(path),
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


# --- writing --------------------------------------------------------------------------------------------------------


def test_writing_makes_folders_and_replaces(data: DatastoreHandle) -> None:
    data.write("new/deep/f", io.BytesIO(b"one"))
    info = data.write("./new/deep/f", io.BytesIO(b"two!"))
    assert (info.path, info.size) == ("new/deep/f", 4)
    assert data.local_path("new/deep/f").read_bytes() == b"two!"


def test_writing_does_not_replace_unless_allowed(data: DatastoreHandle) -> None:
    with pytest.raises(AlreadyExists, match=r"'raw' already has 'a\.csv'. Choose another path, or ask for overwriting"):
        data.write("a.csv", io.BytesIO(b"x"), overwrite=False)
    with pytest.raises(AlreadyExists, match="'raw' already has '2024'"):
        data.write("2024", io.BytesIO(b"x"))
    with pytest.raises(AlreadyExists, match="a file has its name"):
        data.write("a.csv/x", io.BytesIO(b"x"))
    with pytest.raises(UnsafePath, match="root of the datastore 'raw' cannot be replaced"):
        data.write("", io.BytesIO(b"x"))


def test_a_name_that_is_taken_while_the_bytes_arrive_is_not_replaced(data: DatastoreHandle) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data.local_path("new").write_text("another's")
            return super().read(size)

    with pytest.raises(AlreadyExists, match="'raw' already has 'new'"):
        data.write("new", Slow(b"mine"), overwrite=False)
    assert data.local_path("new").read_text() == "another's"
    assert hidden_names(data.local_path()) == []


def test_a_broken_stream_leaves_what_was_there(data: DatastoreHandle) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.ECONNRESET, "connection lost")

    with pytest.raises(OSError, match="connection lost"):
        data.write("a.csv", Broken())
    assert data.local_path("a.csv").read_text() == "1"
    assert hidden_names(data.local_path()) == []


def test_deleting_files_and_folders(data: DatastoreHandle) -> None:
    data.local_path("2024/link").symlink_to("/etc")
    for path in ("a.csv", "2024/link", "2024", "2024", "none/x"):
        data.delete(path)
    assert paths(data) == ["b.txt"]
    assert Path("/etc").is_dir()
    assert hidden_names(data.local_path()) == []
    with pytest.raises(UnsafePath, match="root of the datastore 'raw' cannot be deleted"):
        data.delete(".")


def test_what_a_link_leads_to_outside_is_not_deleted(data: DatastoreHandle, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    data.local_path("2024/out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePath, match="leaves its folder through a symbolic link"):
        data.delete("2024/out/kept")
    assert (tmp_path / "elsewhere" / "kept").exists()


# --- publishing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    """A folder on another file system than the datastores of these tests."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == Path.cwd().stat().st_dev:
        pytest.skip("this machine has no second file system that a test may write to")
    with TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


@pytest.fixture(params=["same file system", "another file system"])
def staging(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "same file system":
        return tmp_path
    folder: Path = request.getfixturevalue("other_file_system")
    return folder


def stage(folder: Path, files: dict[str, str]) -> Path:
    staged = folder / "staged"
    for path, text in files.items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).write_text(text)
    return staged


def test_a_folder_is_published_by_moving_it(data: DatastoreHandle, staging: Path) -> None:
    staged = stage(staging, {"m/1": "one", "2": "two"})
    expected = scan_tree(staged, null_cache())
    data.publish(staged, "out/run/port")
    assert data.scan("out/run/port") == expected
    assert not staged.exists()
    assert hidden_names(data.local_path("out/run")) == []


def test_a_file_is_published_by_moving_it(data: DatastoreHandle, staging: Path) -> None:
    (staging / "model").write_text("m")
    data.publish(staging / "model", "out/model.pkl")
    assert data.local_path("out/model.pkl").read_text() == "m"
    assert not (staging / "model").exists()


@pytest.mark.parametrize("target", ["a.csv", "2024"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_publishing_replaces_only_when_asked_to(data: DatastoreHandle, staging: Path, kind: str, target: str) -> None:
    staged = stage(staging, {"f": "new"})
    source = staged / "f" if kind == "file" else staged
    before = data.digest(target)
    with pytest.raises(AlreadyExists, match=f"'raw' already has '{target}'"):
        data.publish(source, target)
    assert data.digest(target) == before
    assert source.exists(), "what was not published stays"
    data.publish(source, target, overwrite=True)
    assert entry_paths(data.scan(target)) == ([""] if kind == "file" else ["f"])
    assert hidden_names(data.local_path()) == []


def test_of_racing_publishers_one_wins_and_the_folder_is_never_mixed(
    data: DatastoreHandle, make_tree: MakeTree
) -> None:
    barrier = threading.Barrier(6)
    won: list[int] = []

    def publish(number: int) -> None:
        staged = make_tree(f"staged-{number}", {f"{index}.txt": str(number) for index in range(20)})
        barrier.wait()
        try:
            data.publish(staged, "out")
            won.append(number)
        except AlreadyExists:
            assert staged.is_dir()

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert {path.read_text() for path in data.local_path("out").iterdir()} == {str(won[0])}


def test_links_in_what_is_published_hold_afterwards(data: DatastoreHandle, staging: Path) -> None:
    staged = stage(staging, {"step-10/w": "weights"})
    (staged / "absolute").symlink_to(staged / "step-10")
    (staged / "relative").symlink_to("step-10/w")
    expected = scan_tree(staged, null_cache())
    data.publish(staged, "deep/er/out")
    assert data.scan("deep/er/out") == expected
    assert entry_paths(expected) == ["absolute/w", "relative", "step-10/w"]
    assert os.readlink(data.local_path("deep/er/out/relative")) == "step-10/w"
    assert os.readlink(data.local_path("deep/er/out/absolute")) == "step-10"


def test_links_that_leave_what_is_published_are_refused(data: DatastoreHandle, tmp_path: Path) -> None:
    staged = stage(tmp_path, {"f": ""})
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


def test_an_altered_output_of_the_same_length_has_another_digest(
    cache: StatCache, old_files: Callable[[int], list[Path]]
) -> None:
    """The case in which other tools hand out what was tampered with."""
    (file,) = old_files(1)
    data = open_datastore(LocalConfig(name="old", root=str(file.parent)), cache, EnvironmentSecrets())
    before, times = data.digest(file.name), file.stat()
    assert data.digest(file.name) == before
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert data.digest(file.name) != before
