"""Files and folders from one datastore to another: what arrives, under which name, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airloom.errors import AirloomError, IntegrityError, NotFound, StepFailed, UnsafePath
from airloom.storage.tree import scan_tree
from airloom.transfer import plan as plan_module
from airloom.transfer.run import TransferRun
from tests.support.transfers import TransferBench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TransferBench:
    """A bench whose pieces have 1000 bytes."""
    monkeypatch.setattr(plan_module, "PIECE", 1000)
    return TransferBench(tmp_path)


def test_a_file_is_copied_under_the_name_of_the_destination(bench: TransferBench) -> None:
    content = os.urandom(2500)
    bench.write("a.bin", content)
    ref = bench.run("here/a.bin", "there/copies/b.bin")
    assert bench.there() == {"copies/b.bin": content}
    assert ref is not None
    assert (ref.datastore, ref.path, ref.size, ref.is_file) == ("there", "copies/b.bin", 2500, True)
    assert ref.digest == bench.workspace.datastore("here").digest("a.bin")
    assert "1 files, 2500 bytes in 3 pieces" in bench.lines


def test_a_folder_is_copied_with_all_below_it_and_replaces_what_was_there(bench: TransferBench) -> None:
    files = {"a.txt": b"a", "sub/b.bin": os.urandom(1001), "sub/deeper/empty": b""}
    for name, content in files.items():
        bench.write(f"data/{name}", content)
    (bench.folder / "there" / "copy").mkdir()
    (bench.folder / "there" / "copy" / "old").write_text("old")
    ref = bench.run("here/data", "there/copy")
    assert bench.there() == {f"copy/{name}": content for name, content in files.items()}
    assert ref is not None
    assert ref.digest == scan_tree(bench.folder / "here" / "data", bench.workspace.cache).digest


def test_files_that_match_keep_their_folders(bench: TransferBench) -> None:
    for name in ("d/1/x.csv", "d/2/x.csv", "d/2/y.txt"):
        bench.write(name, name.encode())
    bench.run("here/d/**/*.csv", "there/out")
    assert set(bench.there()) == {"out/1/x.csv", "out/2/x.csv"}


def test_several_places_become_one_folder(bench: TransferBench) -> None:
    bench.write("a/x.csv", b"x")
    bench.write("b/y.csv", b"y")
    bench.run("here/a here/b/y.csv", "there/out")
    assert bench.there() == {"out/x.csv": b"x", "out/y.csv": b"y"}


def test_two_files_of_one_name_are_refused(bench: TransferBench) -> None:
    bench.write("a/x.csv", b"x")
    bench.write("b/x.csv", b"y")
    with pytest.raises(AirloomError, match=r"both be 'x\.csv'"):
        bench.run("here/a here/b", "there/out")
    assert bench.there() == {}


@pytest.mark.parametrize(("there_is_a_folder", "given"), [(True, None), (False, "directory"), (True, "directory")])
def test_a_file_for_a_directory_keeps_its_name_and_leaves_the_others(
    bench: TransferBench, there_is_a_folder: bool, given: str | None
) -> None:
    bench.write("a.bin", b"new")
    if there_is_a_folder:
        (bench.folder / "there" / "copies").mkdir()
        (bench.folder / "there" / "copies" / "other").write_bytes(b"other")
    ref = bench.run("here/a.bin", "there/copies", destination_type=given)
    assert bench.there() == {"copies/a.bin": b"new", **({"copies/other": b"other"} if there_is_a_folder else {})}
    assert ref is not None
    assert (ref.path, ref.is_file) == ("copies/a.bin", True)


def test_a_folder_is_no_file(bench: TransferBench) -> None:
    bench.write("d/a", b"a")
    bench.write("d/b", b"b")
    with pytest.raises(StepFailed, match="2 files, but its destination is one file"):
        bench.run("here/d", "there/out", destination_type="file")
    with pytest.raises(StepFailed, match="has 2 files, but its type is 'file'"):
        bench.run("here/d", "there/out", source_type="file")


def test_what_is_there_already_is_not_copied_again(bench: TransferBench) -> None:
    bench.write("d/a", b"a" * 3000)
    first = bench.run("here/d", "there/out")
    stamp = (bench.folder / "there" / "out" / "a").stat().st_mtime_ns
    assert bench.run("here/d", "there/out") == first
    assert (bench.folder / "there" / "out" / "a").stat().st_mtime_ns == stamp
    assert "the destination has this content already; nothing is copied" in bench.lines


@pytest.mark.parametrize("path", ["missing", "missing/*.csv"])
def test_nothing_to_copy_is_an_error(bench: TransferBench, path: str) -> None:
    with pytest.raises(NotFound, match="missing"):
        bench.run(f"here/{path}", "there/out")


@pytest.mark.parametrize(("source", "destination"), [("d", "d"), ("d", "d/e"), ("d/e", "d"), ("", "x")])
def test_data_is_not_copied_onto_itself(bench: TransferBench, source: str, destination: str) -> None:
    bench.write("d/e/f", b"x")
    with pytest.raises(UnsafePath, match="onto itself"):
        bench.run(f"here/{source}", f"here/{destination}")
    assert (bench.folder / "here" / "d" / "e" / "f").read_bytes() == b"x"


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_a_name_that_climbs_out_is_refused(bench: TransferBench, path: str) -> None:
    bench.write("a", b"a")
    with pytest.raises(AirloomError):
        bench.run("here/a", f"there/{path}")
    with pytest.raises(AirloomError):
        bench.run(f"here/{path}", "there/out")
    assert bench.there() == {}


def test_a_source_that_changes_meanwhile_leaves_nothing(bench: TransferBench) -> None:
    bench.write("a.bin", b"a" * 5000)
    bench.lines = Meddler(bench, "a.bin")
    with pytest.raises(IntegrityError, match="changed"):
        bench.run("here/a.bin", "there/b.bin")
    assert bench.there() == {}


class Meddler(list[str]):
    """Writes to the source once the copying has begun."""

    def __init__(self, bench: TransferBench, path: str) -> None:
        super().__init__()
        self._bench, self._path = bench, path

    def append(self, line: str) -> None:
        super().append(line)
        if "pieces" in line:
            self._bench.write(self._path, b"b" * 5000)


def test_one_that_is_canceled_or_too_slow_ends_and_the_next_goes_on(bench: TransferBench) -> None:
    bench.write("a.bin", b"a" * 5000)
    canceled = bench.transfer("here/a.bin", "there/b.bin")
    canceled.cancel()
    with pytest.raises(StepFailed, match="was canceled"):
        canceled.run()
    with pytest.raises(StepFailed, match="took longer than its 0 seconds"):
        bench.run("here/a.bin", "there/b.bin", timeout_seconds=0)
    bench.run("here/a.bin", "there/b.bin")
    assert bench.there() == {"b.bin": b"a" * 5000}


KILLED = """
import os, signal, sys
from pathlib import Path
from airloom.transfer import plan, local_target
from tests.support.transfers import TransferBench

plan.PIECE = 1000
put, done = local_target.LocalTarget.put, []

def dying(self, *args):
    put(self, *args)
    done.append(args)
    if len(done) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

local_target.LocalTarget.put = dying
TransferBench(Path(sys.argv[1])).run("here/d", "there/out")
"""


@pytest.mark.parametrize("pieces", [1, 20, 38])
def test_whoever_tries_again_after_a_kill_copies_only_what_lacks(bench: TransferBench, pieces: int) -> None:
    for number in range(4):
        bench.write(f"d/{number}", os.urandom(10_000))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(bench.folder), str(pieces)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert "out" not in {name.partition("/")[0] for name in bench.there()}  # nothing under the final name
    ref = bench.run("here/d", "there/out")
    (told,) = [line for line in bench.lines if "are there already" in line]
    assert pieces <= int(told.split()[0]) < pieces + 8  # those that other threads were writing count, too
    assert ref is not None
    assert ref.digest == bench.workspace.datastore("here").digest("d")
    assert set(bench.there()) == {f"out/{number}" for number in range(4)}


def test_a_piece_that_was_noted_but_is_damaged_is_copied_again(bench: TransferBench) -> None:
    bench.write("d/0", os.urandom(10_000))
    subprocess.run([sys.executable, "-c", KILLED, str(bench.folder), "5"], check=False)
    (staged,) = (bench.folder / "there" / "azureml").glob(".airloom-*/data/0")
    with staged.open("r+b") as file:
        file.write(b"x" * 10_000)
    bench.run("here/d", "there/out")
    assert not any("are there already" in line for line in bench.lines)
    assert bench.there()["out/0"] == (bench.folder / "here" / "d" / "0").read_bytes()


def test_what_an_attempt_with_other_data_has_left_is_removed(bench: TransferBench) -> None:
    bench.write("d/0", os.urandom(10_000))
    subprocess.run([sys.executable, "-c", KILLED, str(bench.folder), "5"], check=False)
    time.sleep(0.01)
    bench.write("d/0", os.urandom(10_000))
    bench.run("here/d", "there/out")
    assert set(bench.there()) == {"out/0"}
    assert not any("are there already" in line for line in bench.lines)


def test_its_log_is_kept_with_the_attempt(bench: TransferBench) -> None:
    bench.write("a", b"a")
    transfer: TransferRun = bench.transfer("here/a", "there/b")
    transfer.run()
    with bench.workspace.open_artifact("run", "copy", "1", "logs/job.txt") as log:
        lines = log.read().decode().splitlines()
    assert lines[0].endswith("step 'copy' (copy), attempt 1")
    assert lines[-1].endswith(" done")
