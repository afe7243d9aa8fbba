"""Outputs of several shapes, and all that can happen to them on a datastore."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.unit.corruption.damage import damages

Change = Callable[[Path], object]
"""What happens to the output at a path."""

NUMBERS = b"".join(b"%d,%d.5\n" % (number, number * number) for number in range(4))
SHAPES: dict[str, dict[str, bytes]] = {
    "file": {"": NUMBERS},
    "folder": {"a.csv": NUMBERS, "b.csv": NUMBERS[::-1], "c.csv": b"7"},
    "nested": {"part/0/x.bin": bytes(range(24)), "part/1/x.bin": bytes(range(24, 0, -1)), "_SUCCESS": b""},
    "empty file": {"": b""},
    "empty folder": {},
}
"""Outputs: the bytes of their files by path; a single file has the path ""."""


def write(files: dict[str, bytes], target: Path) -> None:
    """Make an output."""
    if "" not in files:
        target.mkdir(parents=True)
    for path, data in files.items():
        file = target / path if path else target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def changes(files: dict[str, bytes], positions: Callable[[int], list[int]]) -> Iterator[tuple[str, Change]]:
    """Every change after which an output is not what was recorded."""
    for path, data in files.items():
        others = [other for name, other in files.items() if name != path]
        for damage in damages(data, positions(len(data)), others):
            yield f"{path}: {damage.kind}", partial(_behind_old_times, file=path, change=damage.do_to)
    yield "removed", lambda output: shutil.rmtree(output) if output.is_dir() else output.unlink()
    yield "moved away", lambda output: output.rename(output.with_name("moved"))
    yield "a pipe in its place", partial(_replace, make=os.mkfifo)
    yield "another file in its place", partial(_replace, make=lambda output: output.write_bytes(b"another output"))
    yield "a link to itself", partial(_replace, make=lambda output: output.symlink_to(output.name))
    yield "a link out of the datastore", partial(_replace, make=lambda output: output.symlink_to("/etc/hostname"))
    if "" not in files:
        yield from _changes_of_folder(list(files))


def _changes_of_folder(paths: list[str]) -> Iterator[tuple[str, Change]]:
    yield "a file added", lambda output: (output / "more.csv").write_bytes(b"")
    yield "a folder of files added", partial(_write_below, files={"part/2/x.bin": b"", "_DONE": b""})
    for path in paths:
        yield f"{path} renamed", partial(_rename, old=path, new=f"{path}.old")
        yield f"{path} in other case", partial(_rename, old=path, new=path.swapcase())
        yield f"{path} moved down", partial(_rename, old=path, new=f"down/{path}")
    for one, other in pairwise(paths):
        yield f"{one} and {other} exchanged", partial(_exchange, one=one, other=other)


def _behind_old_times(output: Path, *, file: str, change: Change) -> None:
    """The change of one file, after which all times of change that a program can set are as before."""
    path = output / file if file else output
    old = {place: place.stat() for place in (path, path.parent)}
    change(path)
    for place, status in old.items():
        if place.exists():
            os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(output: Path, *, make: Change) -> None:
    output.rename(output.with_name("old"))
    make(output)


def _write_below(output: Path, *, files: dict[str, bytes]) -> None:
    write(files, output / "more")


def _rename(output: Path, *, old: str, new: str) -> None:
    (output / new).parent.mkdir(parents=True, exist_ok=True)
    (output / old).rename(output / new)


def _exchange(output: Path, *, one: str, other: str) -> None:
    (output / one).rename(output / "spare")
    (output / other).rename(output / one)
    (output / "spare").rename(output / other)


def _write_again(output: Path) -> None:
    for file in [output, *output.rglob("*")]:
        if file.is_file():
            file.write_bytes(file.read_bytes())


HARMLESS: dict[str, Change] = {
    "nothing": lambda output: None,
    "touched": os.utime,
    "other rights": lambda output: output.chmod(0o500),
    "written again": _write_again,
}
"""Changes after which an output still is what was recorded."""
