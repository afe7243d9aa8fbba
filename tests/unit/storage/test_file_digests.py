"""Reading files for their digests: every size, any number at once, and files that change meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from airloom.errors import IntegrityError, NotFound
from airloom.graph.canonical import digest_bytes
from airloom.storage import file_digests
from airloom.storage.file_digests import RACY_NS, Digested, FileStat, digest_file, hash_all, is_settled, signed

LARGE = 4 << 20
NOW = 1_700_000_000_000_000_000


def stat_of(path: Path) -> FileStat:
    return FileStat.of(str(path), os.stat(path))


def files(folder: Path, count: int) -> list[FileStat]:
    for number in range(count):
        (folder / f"{number:03}").write_bytes(b"x" * number)
    return [stat_of(folder / f"{number:03}") for number in range(count)]


# --- what identifies a state of a file ------------------------------------------------------------------------------


def test_a_state_is_what_the_file_system_says(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"123")
    os.utime(tmp_path / "f", ns=(1, 5_000_000_007))
    status = os.stat(tmp_path / "f")
    assert stat_of(tmp_path / "f") == (
        str(tmp_path / "f"), 3, 5_000_000_007, status.st_ctime_ns, status.st_ino,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("inode", "expected"),
    [(0, 0), (7, 7), ((1 << 63) - 1, (1 << 63) - 1), (1 << 63, -(1 << 63)), ((1 << 64) - 1, -1)],
)
def test_inodes_fit_into_signed_numbers(inode: int, expected: int) -> None:
    assert signed(inode) == expected


@pytest.mark.parametrize(
    ("oldest", "newest", "settled"),
    [
        (NOW - RACY_NS - 1, NOW - RACY_NS - 1, True),
        (NOW - RACY_NS - 1, NOW - RACY_NS, False),
        (-(1 << 63), 0, True),
        (-(1 << 63) - 1, 0, False),
        (0, NOW + 1, False),
    ],
)
def test_times_tell_the_next_change_once_they_are_two_seconds_old(oldest: int, newest: int, settled: bool) -> None:
    assert is_settled(oldest, newest, NOW) is settled
    assert FileStat("/f", 1, oldest, newest, 1).settled(NOW) is settled
    assert FileStat("/f", 1, newest, oldest, 1).settled(NOW) is settled


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, (1 << 19) - 1, 1 << 19, (1 << 19) + 1, LARGE - 1, LARGE, LARGE + 1])
@pytest.mark.parametrize("together", [True, False])
def test_one_core_and_all_read_the_same(tmp_path: Path, size: int, together: bool) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    (tmp_path / "f").write_bytes(data[:size])
    assert digest_file(tmp_path / "f", together=together) == digest_bytes(data[:size])


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    before = os.listdir("/proc/self/fd")
    digest_file(tmp_path / "f")
    with pytest.raises(IsADirectoryError):
        digest_file(tmp_path)
    assert os.listdir("/proc/self/fd") == before


def test_a_forked_child_reads_alone() -> None:
    """The threads that would help it exist in its parent only."""
    cores = file_digests._Cores()
    assert cores.number == blake3.AUTO
    cores.fork()
    assert cores.number == 1


def test_each_thread_keeps_one_buffer() -> None:
    others: list[memoryview] = []
    thread = threading.Thread(target=lambda: others.append(file_digests._buffer()))
    thread.start()
    thread.join()
    mine = file_digests._buffer()
    assert mine is file_digests._buffer()
    assert others[0] is not mine
    assert mine.nbytes == others[0].nbytes == 1 << 19


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_digests_come_in_the_order_of_the_files(tmp_path: Path, count: int) -> None:
    wanted = files(tmp_path, count)
    expected = [Digested(file, digest_bytes(b"x" * number)) for number, file in enumerate(wanted)]
    assert hash_all(wanted) == expected
    assert hash_all(wanted[::-1]) == expected[::-1]


@pytest.mark.parametrize("count", [3, 40])
def test_a_file_that_is_gone_is_named_whatever_their_number(tmp_path: Path, count: int) -> None:
    wanted = files(tmp_path, count)
    (tmp_path / "001").unlink()
    with pytest.raises(NotFound) as caught:
        hash_all(wanted)
    assert caught.value.message == f"The file {tmp_path}/001 does not exist."
    assert (caught.value.hint, caught.value.target) == ("Check the path.", f"{tmp_path}/001")


@pytest.mark.parametrize("count", [3, 40])
def test_a_file_that_has_changed_since_it_was_met_is_what_it_is_now(tmp_path: Path, count: int) -> None:
    wanted = files(tmp_path, count)
    (tmp_path / "001").write_bytes(b"longer")
    found = hash_all(wanted)
    assert found[1] == Digested(stat_of(tmp_path / "001"), digest_bytes(b"longer"))
    assert [done.stat for done in found[2:]] == wanted[2:]


def changing(monkeypatch: pytest.MonkeyPatch, times: int) -> Callable[[], int]:
    """Let somebody write to each file just after it was read, a number of times. Returns how often files were read."""
    reads: list[str] = []

    def read(path: Path | str, *, together: bool = True) -> str:
        digest = digest_file(path, together=together)
        reads.append(digest)
        if len(reads) <= times:
            with open(path, "ab") as file:
                file.write(b"+")
        return digest

    monkeypatch.setattr(file_digests, "digest_file", read)
    return lambda: len(reads)


def test_a_file_that_changes_while_it_is_read_is_read_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = files(tmp_path, 1)
    reads = changing(monkeypatch, 1)
    assert hash_all([file]) == [Digested(stat_of(tmp_path / "000"), digest_bytes(b"+"))]
    assert reads() == 2


def test_a_file_that_keeps_changing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = files(tmp_path, 1)
    reads = changing(monkeypatch, 2)
    with pytest.raises(IntegrityError) as caught:
        hash_all([file])
    assert caught.value.message == f"The file {tmp_path}/000 changes while it is read."
    assert caught.value.hint == "Stop what writes to it, or exclude it."
    assert caught.value.target == f"{tmp_path}/000"
    assert reads() == 2
