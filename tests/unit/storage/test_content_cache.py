"""The content cache: each file is downloaded once, kept while it fits, and never taken from who uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from airloom.errors import DiskFull, IntegrityError, InvalidName
from airloom.storage.content_cache import ContentCache, limit_of_environment
from airloom.storage.content_shelf import Content
from airloom.storage.content_uses import Uses
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import scan_tree
from tests.support.remote_datastore import RemoteFolder


def never() -> None:
    """Nobody cancels."""


class Machine:
    """A cache folder, and a remote datastore to fill it from."""

    def __init__(self, root: Path) -> None:
        self.root = root / "cache"
        self.far = RemoteFolder(root / "far")
        self.stats = StatCache(root / "digests.sqlite")

    def cache(self, limit: int | None = None) -> ContentCache:
        return ContentCache(self.root, self.stats, limit)

    def contents(self, path: str = "") -> list[Content]:
        return [Content.of(self.far, info) for info in self.far.list(path)]

    def texts(self, path: str = "", limit: int | None = None) -> dict[str, str] | None:
        """Use the files at a path for a moment; what they hold, or None if they do not fit."""
        contents = self.contents(path)
        with self.cache(limit).in_use(contents, never) as fetched:
            if fetched is None:
                return None
            return {content.info.path: fetched.path(content).read_text() for content in contents}

    def kept(self) -> list[Path]:
        """All files in the cache."""
        return sorted(path for path in (self.root / "files").rglob("*") if path.is_file() and not path.is_symlink())

    def size(self) -> int:
        with Uses(self.root).lock():
            return sum(path.stat().st_size for path in self.kept())

    def leftovers(self) -> list[Path]:
        """What is neither a whole file nor the list of a use."""
        return [path for folder in ("incoming", "claims") for path in (self.root / folder).glob("*")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_file_is_downloaded_once_and_then_read_here(machine: Machine) -> None:
    machine.far.put("a/x", "1")
    machine.far.put("a/y", "22")
    for _ in range(3):
        assert machine.texts("a") == {"a/x": "1", "a/y": "22"}
    assert sorted(machine.far.fetched) == ["a/x", "a/y"]
    assert machine.leftovers() == []


def test_another_choice_of_the_same_files_downloads_only_what_is_new(machine: Machine) -> None:
    for name in "xyz":
        machine.far.put(f"a/{name}", name)
    machine.texts("a/x")
    machine.texts("a/[xy]")
    machine.texts("a")
    assert machine.far.fetched == ["a/x", "a/y", "a/z"]


def test_what_was_published_is_known_by_its_content_wherever_it_lies(machine: Machine, tmp_path: Path) -> None:
    for path in ("one", "two/deep"):
        (tmp_path / "staged").write_text("same")
        machine.far.publish(tmp_path / "staged", path)
        assert machine.texts(path) == {path: "same"}
    assert machine.far.fetched == ["one"]


def test_a_changed_file_is_another_file(machine: Machine) -> None:
    machine.far.put("x", "old")
    machine.texts("x")
    machine.far.put("x", "new")
    assert machine.texts("x") == {"x": "new"}
    assert machine.far.fetched == ["x", "x"]


def test_equal_versions_of_different_datastores_are_different_files(machine: Machine, tmp_path: Path) -> None:
    other = RemoteFolder(tmp_path / "other", "other")
    machine.far.put("x", "1")
    other.put("x", "2")
    info = machine.far.list("x")[0]
    assert Content.of(machine.far, info).identity != Content.of(other, info).identity


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_a_file_that_was_damaged_is_never_used(machine: Machine, tmp_path: Path, harm: str, known: bool) -> None:
    machine.far.put("x", "right")
    if known:
        (tmp_path / "staged").write_text("right")
        machine.far.publish(tmp_path / "staged", "x", overwrite=True)
    machine.texts("x")
    [path] = machine.kept()
    path.chmod(0o600)
    if harm == "gone":
        path.unlink()
    else:
        status = path.stat()
        path.write_text("wrong" if harm == "altered" else "rig")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert machine.texts("x") == {"x": "right"}
    assert machine.texts("x") == {"x": "right"}
    assert machine.far.fetched == ["x", "x"]


def test_a_file_of_which_nothing_was_noted_is_fetched_again(machine: Machine) -> None:
    machine.far.put("x", "1")
    machine.texts("x")
    [note] = [path for path in (machine.root / "files").rglob("*") if path.is_symlink()]
    note.unlink()
    assert machine.texts("x") == {"x": "1"}
    assert machine.far.fetched == ["x", "x"]


def test_files_in_the_cache_are_read_only(machine: Machine) -> None:
    machine.far.put("x", "1")
    machine.texts()
    assert [path.stat().st_mode & 0o777 for path in machine.kept()] == [0o444]


# --- the limit --------------------------------------------------------------------------------------------------


def test_what_was_used_least_recently_goes_first(machine: Machine) -> None:
    for name in "abc":
        machine.far.put(name, name * 10)
    for name in "aba":
        machine.texts(name, limit=25)
    machine.texts("c", limit=25)
    assert machine.size() == 20
    machine.far.fetched.clear()
    assert machine.texts("a", limit=25) is not None
    assert machine.far.fetched == ["a", "b", "c"], "a was used after b, so b had to go"


def test_a_file_stays_as_long_as_any_use_of_it_is_recent(machine: Machine) -> None:
    for name in "xyz":
        machine.far.put(f"a/{name}", name * 10)
    machine.texts("a", limit=35)
    machine.texts("a/x", limit=35)
    machine.far.put("b", "b" * 10)
    machine.texts("b", limit=35)
    assert sorted(path.read_text() for path in machine.kept()) == ["b" * 10, "x" * 10]


def test_nothing_goes_that_is_in_use(machine: Machine) -> None:
    for name in "abc":
        machine.far.put(name, name * 10)
    with machine.cache(25).in_use(machine.contents("a"), never) as fetched:
        assert fetched is not None
        path = fetched.path(machine.contents("a")[0])
        for name in "bcbc":
            assert machine.texts(name, limit=25) == {name: name * 10}
            assert path.read_text() == "a" * 10
            assert machine.size() <= 25
    assert machine.far.fetched == ["a", "b", "c", "b", "c"]


def test_what_does_not_fit_beside_what_is_in_use_is_not_cached(machine: Machine) -> None:
    machine.far.put("a", "a" * 10)
    machine.far.put("b", "b" * 20)
    with machine.cache(25).in_use(machine.contents("a"), never):
        assert machine.texts("b", limit=25) is None
    assert machine.texts("b", limit=25) is not None
    assert machine.texts("", limit=25) is None
    assert machine.size() == 20


def test_room_is_kept_for_what_another_is_still_downloading(machine: Machine) -> None:
    machine.far.put("a", "a" * 20)
    machine.far.put("b", "b" * 10)
    met: list[object] = []
    machine.far.during = lambda path: met.append(machine.texts("b", limit=25)) if path == "a" else None
    assert machine.texts("a", limit=25) is not None
    assert met == [None]


def test_a_limit_of_nothing_turns_the_cache_off(machine: Machine) -> None:
    machine.far.put("a", "a")
    assert machine.texts("a", limit=0) is None
    assert machine.kept() == []


def test_files_that_no_use_names_go_before_all_others(machine: Machine) -> None:
    machine.far.put("a", "a" * 10)
    machine.far.put("b", "b" * 10)
    machine.far.put("c", "c" * 10)
    machine.texts("a")
    machine.texts("b")
    newest = max((machine.root / "uses").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    machine.texts("c", limit=25)
    assert sorted(path.read_text()[0] for path in machine.kept()) == ["a", "c"]


def test_the_limit_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRLOOM_CACHE_SIZE", raising=False)
    assert limit_of_environment() is None
    monkeypatch.setenv("AIRLOOM_CACHE_SIZE", "1.5 GiB")
    assert limit_of_environment() == 3 << 29
    monkeypatch.setenv("AIRLOOM_CACHE_SIZE", "much")
    with pytest.raises(InvalidName, match="AIRLOOM_CACHE_SIZE is wrong: 'much' is not a size"):
        limit_of_environment()


# --- many at once -----------------------------------------------------------------------------------------------


def together(*actions: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_of_many_who_want_a_file_one_downloads_it(machine: Machine) -> None:
    for number in range(40):
        machine.far.put(f"a/{number}", str(number) * 100)
    machine.far.during = lambda path: time.sleep(0.002)
    expected = {f"a/{number}": str(number) * 100 for number in range(40)}
    results: list[object] = []
    together(*[lambda: results.append(machine.texts("a"))] * 4, *[lambda: machine.texts("a/1*")] * 2)
    assert results == [expected] * 4
    assert sorted(machine.far.fetched) == sorted(expected)
    assert machine.leftovers() == []


def test_many_with_a_small_cache_all_get_right_files(machine: Machine, rounds: Callable[[int, int], int]) -> None:
    for number in range(12):
        machine.far.put(str(number), f"{number:04d}" * 25)

    def use(start: int) -> None:
        for turn in range(rounds(6, 100)):
            name = str((start * 5 + turn * 7) % 12)
            contents = machine.contents(name)
            with machine.cache(350).in_use(contents, never) as fetched:
                if fetched is not None:
                    assert machine.size() <= 350
                    time.sleep(0.003)
                    assert fetched.path(contents[0]).read_text() == f"{int(name):04d}" * 25

    together(*(lambda start=start: use(start) for start in range(5)))
    assert machine.size() <= 350


# --- what goes wrong --------------------------------------------------------------------------------------------


def test_a_file_that_changes_while_it_is_read_is_an_error_and_is_not_kept(machine: Machine) -> None:
    machine.far.put("x", "old")
    machine.far.during = lambda path: machine.far.put("x", "new")
    with pytest.raises(IntegrityError, match="'x' was changed while it was read"):
        machine.texts("x")
    machine.far.during = lambda path: None
    assert machine.kept() == machine.leftovers() == []
    assert machine.texts("x") == {"x": "new"}


def test_who_is_cancelled_keeps_what_has_come_and_no_more(machine: Machine) -> None:
    machine.far.threads = 1
    for number in range(9):
        machine.far.put(str(number), str(number))
    calls = iter(range(9))

    def check() -> None:
        if next(calls) == 3:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"), machine.cache().in_use(machine.contents(), check):
        pass
    assert len(machine.kept()) == len(machine.far.fetched) == 4
    assert machine.leftovers() == []
    machine.texts()
    assert len(machine.far.fetched) == 9


def test_who_waits_for_a_download_can_be_cancelled(machine: Machine) -> None:
    machine.far.put("x", "1")
    begun, go_on = threading.Event(), threading.Event()

    def during(path: str) -> None:
        begun.set()
        go_on.wait(20)

    machine.far.during = during
    first = threading.Thread(target=machine.texts)
    first.start()
    begun.wait(20)

    def check() -> None:
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"), machine.cache().in_use(machine.contents(), check):
        pass
    go_on.set()
    first.join()
    assert machine.far.fetched == ["x"]


CHILD = """
import sys, time
from pathlib import Path
from tests.unit.storage.test_content_cache import Machine, never
machine = Machine(Path(sys.argv[1]))
seen = []
def during(path):
    seen.append(path)
    if len(seen) == int(sys.argv[2]):
        print("half", flush=True)
        time.sleep(60)
machine.far.during = during
machine.far.threads = 1
with machine.cache().in_use(machine.contents(), never):
    print("using", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Callable[[int, Callable[[], object]], None]]:
    """Let another process use all files and kill it: when it has begun to download the n-th, or when it has all."""
    with ExitStack() as processes:

        def kill(at: int, before: Callable[[], object] = never) -> None:
            process = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(tmp_path), str(at)], stdout=subprocess.PIPE, text=True
            )
            processes.callback(process.wait)
            processes.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline().strip() == ("half" if at else "using")
            before()
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()

        yield kill


def test_a_killed_download_leaves_whole_files_which_are_not_fetched_again(
    machine: Machine, killed: Callable[[int], None]
) -> None:
    for number in range(6):
        machine.far.put(str(number), f"{number}" * 100)
    killed(4)
    assert len(machine.kept()) == 3
    assert machine.texts() == {str(number): f"{number}" * 100 for number in range(6)}
    assert sorted(machine.far.fetched) == ["0", "1", "2", "3", "3", "4", "5"], "only the one under way came twice"
    machine.far.put("7", "7")
    machine.texts("7")
    assert machine.leftovers() == []


def test_a_process_that_is_killed_uses_nothing_any_more(
    machine: Machine, killed: Callable[[int, Callable[[], object]], None]
) -> None:
    machine.far.put("a", "a" * 20)
    killed(0, lambda: machine.far.put("b", "b" * 20) or machine_refuses(machine))
    assert machine.texts("b", limit=25) is not None
    assert [path.read_text()[0] for path in machine.kept()] == ["b"]


def machine_refuses(machine: Machine) -> None:
    assert machine.texts("b", limit=25) is None, "while the other lives, its file may not go"


# --- outputs ----------------------------------------------------------------------------------------------------


def test_what_is_uploaded_from_here_need_not_be_downloaded(machine: Machine, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    (staged / "deep").mkdir(parents=True)
    (staged / "deep/x").write_text("1")
    (staged / "y").write_text("2")
    manifest = scan_tree(staged, machine.stats)
    with machine.cache().offered(staged, manifest):
        machine.far.publish(staged, "out", manifest=manifest)
    assert machine.texts("out") == {"out/deep/x": "1", "out/y": "2"}
    assert machine.far.fetched == machine.leftovers() == []


def test_what_was_not_uploaded_is_not_kept(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "staged").write_text("1")
    manifest = scan_tree(tmp_path / "staged", machine.stats)
    with pytest.raises(RuntimeError), machine.cache().offered(tmp_path / "staged", manifest):
        raise RuntimeError
    assert machine.kept() == machine.leftovers() == []


def test_what_does_not_fit_is_uploaded_and_not_kept(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "staged").write_text("12345")
    manifest = scan_tree(tmp_path / "staged", machine.stats)
    with machine.cache(4).offered(tmp_path / "staged", manifest):
        machine.far.publish(tmp_path / "staged", "out", manifest=manifest)
    assert machine.kept() == machine.leftovers() == []


# --- a full disk ------------------------------------------------------------------------------------------------

ON_SMALL_DISK = """
import sys
from pathlib import Path
from airloom.errors import DiskFull
from tests.unit.storage.test_content_cache import Machine
machine = Machine(Path(sys.argv[1]))
machine.root = Path(sys.argv[2]) / "cache"
print(machine.texts("small") is not None)
for name, growing in (("large", False), ("later", True)):
    if growing:
        machine.far.during = lambda path: (machine.root / "filler").write_bytes(b"x" * (1 << 20))
    try:
        machine.texts(name)
    except DiskFull as error:
        print(error)
    print(machine.size(), machine.leftovers())
"""


def test_a_full_disk_is_said_and_nothing_half_is_left(machine: Machine, tmp_path: Path) -> None:
    """On a real small disk, in a name space of its own."""
    for name, size in (("small", 100_000), ("large", 2_000_000), ("later", 700_000)):
        machine.far.put(name, b"z" * size)
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(tmp_path / "disk")]
    python = [sys.executable, "-c", ON_SMALL_DISK, str(tmp_path), str(tmp_path / "disk")]
    environment = {**os.environ, "AIRLOOM_CACHE_SIZE": "10MB"}
    done = subprocess.run([*command, *python], capture_output=True, text=True, check=False, env=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"THIS MACHINE LETS NOBODY MOUNT A SMALL DISK: {done.stderr}")
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert said[0] == "True"
    assert said[1].startswith(f"The disk of {tmp_path}/disk/cache is full: 2000000 bytes are to be written")
    assert said[2] == "0 []", "what was not in use had to make room first"
    assert "is full: 700000 bytes are to be written there" in said[3]
    assert said[4] == "0 []"


def test_the_error_of_a_full_disk_may_pass(machine: Machine) -> None:
    from airloom.errors import StoreUnavailable

    assert issubclass(DiskFull, StoreUnavailable), "so Airflow tries again, maybe on another machine"
