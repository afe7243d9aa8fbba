"""System calls of a process as strace shows them: to end the process at one of them, or to read what it did."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CHANGING = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "truncate", "fallocate", "copy_file_range"),
    *("sendfile", "fsync", "fdatasync", "sync_file_range", "rename", "renameat", "renameat2", "link", "linkat"),
    *("symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"),
    *("utimensat", "chmod", "fchmod", "fchmodat", "flock"),
)
"""All that changes files, and what syncs or locks them. Files are made by openat, but empty: the state before it is
the state after the call before, so nobody needs to die there."""

_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (.*)")


class TracingRefused(Exception):
    """This machine lets no process trace another, or has no strace. The message says which."""


@dataclass(frozen=True)
class Call:
    """One call that has returned: by which thread, with which arguments (as written by strace), with what result."""

    thread: int
    name: str
    arguments: str
    result: str


class Tracer:
    """strace on one process and its threads, from construction to `wait`. `inject` holds expressions of -e inject."""

    def __init__(self, pid: int, log: Path, *, calls: Sequence[str], inject: Sequence[str] = ()) -> None:
        if shutil.which("strace") is None:
            raise TracingRefused("strace is not installed")
        trace = "trace=" + ",".join(f"?{name}" for name in calls)
        faults = [word for fault in inject for word in ("-e", f"inject={fault}")]
        command = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-o", str(log), "-e", trace, *faults, "-p", str(pid)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = self._process.stderr.readline().strip()
        if not said.endswith("attached"):
            self._process.communicate(timeout=30)
            raise TracingRefused(f"strace may not trace: {said}")

    def wait(self) -> None:
        """Wait for the end of the traced process."""
        self._process.communicate(timeout=60)


@dataclass(frozen=True)
class Point:
    """A moment in the life of a traced process: when a thread makes its `number`th call of a name."""

    name: str
    number: int

    @property
    def kill(self) -> str:
        """The fault that ends the process there, before the call has any effect."""
        return f"{self.name}:signal=KILL:when={self.number}"

    def fail(self, error: str) -> str:
        """The fault that lets the call fail, without any effect."""
        return f"{self.name}:error={error}:when={self.number}"


def read_log(log: Path) -> Iterator[Call]:
    """The calls of a log, in the order in which they returned."""
    begun: dict[int, str] = {}
    for line in log.read_text().splitlines():
        match = _LINE.match(line)
        assert match is not None, line
        thread, text = int(match[1]), match[2]
        if text.endswith("<unfinished ...>"):
            begun[thread] = text.removesuffix("<unfinished ...>")
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(thread) + resumed[1].lstrip()
        if call := _CALL.match(text):
            yield Call(thread, call[1], call[2].rstrip(), call[3])


def points(log: Path, *, ballast: int = 0) -> list[Point]:
    """The moments at which calls of CHANGING were made, in the order of the log.

    strace counts by thread and name, so what is the third rename of one thread is that of any other too. The thread
    that comes first in the log is taken to have made `ballast` vain calls of each name before.
    """
    counts: Counter[tuple[int, str]] = Counter()
    found: dict[Point, None] = {}
    first = None
    for call in read_log(log):
        if call.name in CHANGING:
            first = first or call.thread
            counts[call.thread, call.name] += 1
            number = counts[call.thread, call.name]
            if call.thread != first or number > ballast:
                found[Point(call.name, number)] = None
    return list(found)
