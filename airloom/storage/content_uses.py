"""Who uses which files of the content cache, and which were used least recently.

A use is a set of files, such as those of one input. It has a file that lists them, whose time is that of its last
use, and which whoever uses them holds locked; the kernel releases the lock when he dies. Uses begin under a lock that
many may hold, and files are removed under the same lock held alone: so nothing goes that somebody has begun to use.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from airloom.graph.canonical import digest_bytes
from airloom.storage.durable import new_file

Sizes = Mapping[str, int]
"""Files by their name in the cache, with their sizes."""


class IdleUse(NamedTuple):
    """A set of files that nobody uses now."""

    last_used: int
    path: Path
    sizes: dict[str, int]


class Uses:
    """All uses, below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root / "uses"
        self._lock = root / "lock"
        self._root.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def begun(self, sizes: Sizes) -> Iterator[None]:
        """Use some files until the block ends, whether or not they are there yet."""
        text = "".join(f"{name} {size}\n" for name, size in sorted(sizes.items())).encode()
        path = self._root / digest_bytes(text)
        with ExitStack() as held:
            with self.lock(fcntl.LOCK_SH):
                self._make(path, text)
                file = held.enter_context(path.open("rb"))
                fcntl.flock(file, fcntl.LOCK_SH)
                os.utime(path)
            yield

    @contextmanager
    def lock(self, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
        """Hold the lock of all uses: alone, unless `kind` says otherwise."""
        with self._lock.open("ab") as file:
            fcntl.flock(file, kind)
            yield

    def stored(self) -> tuple[dict[str, int], list[IdleUse]]:
        """The files in use, and the uses that are over, the one that ended first first. To be asked under the lock."""
        used: dict[str, int] = {}
        idle: list[IdleUse] = []
        for path in self._root.iterdir():
            if path.name.startswith("."):
                path.unlink()  # of a process that was killed while it began
            elif is_held(path):
                used |= _sizes(path)
            else:
                idle.append(IdleUse(path.stat().st_mtime_ns, path, _sizes(path)))
        return used, sorted(idle)

    def _make(self, path: Path, text: bytes) -> None:
        """Never in place of another: somebody may hold that one."""
        if path.exists():
            return
        with new_file(self._root) as (file, temporary):
            file.write(text)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        finally:
            temporary.unlink()


def is_held(path: Path) -> bool:
    """True if some process holds a lock on a file. False if there is none."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _sizes(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines}
