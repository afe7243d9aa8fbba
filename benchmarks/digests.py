"""The digest of 10 GB of data against BLAKE3 alone; and of a tree of small files that has not changed.

All files are in the page cache: what is measured is the work, not the disk. `BENCH_GB` makes the data smaller.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from blake3 import blake3

from airloom.storage.file_digests import RACY_NS
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import digest_tree
from benchmarks.figures import Figure, at_least, medians, ratio_at_least, seconds

GIGABYTES = float(os.environ.get("BENCH_GB", "10"))
SMALL_FILES = 100_000
REPEATS = 3
_BUFFER_BYTES = 1 << 20


def measure() -> Iterator[Figure]:
    """The large tree, then the one of many files."""
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as folder:
        yield from _throughput(Path(folder))
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as folder:
        yield from _unchanged(Path(folder))


def _throughput(folder: Path) -> Iterator[Figure]:
    """Half of the bytes in ten large files, half in files of 1 MB."""
    tree = folder / "tree"
    size = round(GIGABYTES * 1e9)
    parts = [size // 20] * 10 + [10**6] * (size // 2 // 10**6)
    files = [_write(tree / f"folder_{number % 50}" / f"{number}.bin", part) for number, part in enumerate(parts)]

    def speed(digest: Callable[[], object]) -> Callable[[], float]:
        return lambda: sum(parts) / 1e9 / seconds(digest)

    digest_tree(tree, null_cache())  # brings all of it into the page cache
    ours, read, mapped, alone = medians(
        REPEATS,
        speed(lambda: digest_tree(tree, null_cache())),
        speed(lambda: [_read(file, blake3.AUTO) for file in files]),
        speed(lambda: [blake3(max_threads=blake3.AUTO).update_mmap(file).digest() for file in files]),
        speed(lambda: [_read(file, 1) for file in files]),
    )
    what = f"digest of a tree of {GIGABYTES:g} GB"
    yield Figure(
        what, ours, "GB/s", "BLAKE3 of each file, mapped, on all cores, as b3sum does", mapped, ratio_at_least(0.8)
    )
    yield Figure(what, ours, "GB/s", "BLAKE3 of each file, read, on all cores", read, ratio_at_least(0.8))
    yield Figure(what, ours, "GB/s", "BLAKE3 of each file, read, on one core", alone, ratio_at_least(0.8))
    yield from _again(folder, tree, len(parts), f"a tree of {GIGABYTES:g} GB in {len(parts):,} files")


def _unchanged(folder: Path) -> Iterator[Figure]:
    tree = folder / "tree"
    for number in range(SMALL_FILES):
        _write(tree / f"folder_{number % 100}" / f"{number}.txt", 20)
    yield from _again(folder, tree, SMALL_FILES, f"a tree of {SMALL_FILES:,} small files")


def _again(folder: Path, tree: Path, files: int, what: str) -> Iterator[Figure]:
    """The digest of a tree that is known already, against looking at each of its files."""
    time.sleep(RACY_NS / 1e9 + 0.1)
    caches = (StatCache(folder / f"cache_{number}.sqlite") for number in count())
    first = seconds(lambda: digest_tree(tree, next(caches)))
    yield Figure(f"first digest of {what}", files / first, "files/s")
    cache = StatCache(folder / "cache.sqlite")
    known = digest_tree(tree, cache)
    again, bare = medians(
        7,
        lambda: files / seconds(lambda: _same(digest_tree(tree, cache), known)),
        lambda: files / seconds(lambda: _look(tree)),
    )
    yield Figure(
        f"digest of {what}, unchanged", again, "files/s", "os.scandir and stat of each", bare, at_least(200_000)
    )


def _write(file: Path, size: int) -> Path:
    """A file of bytes that are not all alike."""
    file.parent.mkdir(parents=True, exist_ok=True)
    block = os.urandom(min(size, _BUFFER_BYTES))
    with file.open("wb") as stream:
        while size > 0:
            size -= stream.write(block[:size])
    return file


def _read(file: Path, threads: int) -> bytes:
    hasher = blake3(max_threads=threads)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    with file.open("rb", buffering=0) as stream:
        while size := stream.readinto(buffer):
            hasher.update(buffer[:size])
    return hasher.digest()


def _look(folder: Path | str) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                _look(entry.path)
            else:
                entry.stat()


def _same(found: str, known: str) -> None:
    if found != known:
        raise RuntimeError("the digest of an unchanged tree has changed")
