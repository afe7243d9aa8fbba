"""Moves the pieces of a plan, several at a time and in bounded memory, and publishes them when all are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

from airloom.errors import IntegrityError
from airloom.storage.tree import TreeManifest
from airloom.transfer.plan import Plan, PlannedFile
from airloom.transfer.reading import read_piece
from airloom.transfer.target import Target

AT_ONCE = 8
"""How many pieces are under way: so many times the size of a piece is what a transfer needs of memory."""

_TELL_SECONDS = 10.0

Say = Callable[[str], None]
Check = Callable[[], None]
"""Called often; raises StepFailed if the step is to end."""


def move(plan: Plan, target: Target, check: Check, say: Say) -> TreeManifest:
    """Move all files of a plan. What is at the destination then is returned.

    Pieces that an earlier attempt has left are not moved again, whatever ended it. IntegrityError if a source was
    changed meanwhile; then nothing is published, and nothing kept.
    """
    target.begin()
    todo = [(file, index) for file in plan.files for index in target.lacking(file)]
    total = sum(file.pieces for file in plan.files)
    say(f"{len(plan.files)} files, {plan.size} bytes in {total} pieces")
    if len(todo) < total:
        say(f"{total - len(todo)} pieces are there already, from an attempt before this one")
    try:
        _move_all(todo, target, check, say)
        check_unchanged(plan)
        check()
        return target.publish()
    except IntegrityError:
        with suppress(OSError):
            target.discard()
        raise


def _move_all(todo: list[tuple[PlannedFile, int]], target: Target, check: Check, say: Say) -> None:
    def move_piece(file: PlannedFile, index: int) -> int:
        data = read_piece(file.source, file.info, *file.bounds(index))
        target.put(file, index, data)
        return len(data)

    progress = _Progress(len(todo), say)
    rest: Iterator[tuple[PlannedFile, int]] = iter(todo)
    under_way: set[Future[int]] = set()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="transfer") as pool:
        try:
            while True:
                while len(under_way) < AT_ONCE and (piece := next(rest, None)) is not None:
                    under_way.add(pool.submit(move_piece, *piece))
                if not under_way:
                    return
                done, under_way = wait(under_way, timeout=1.0, return_when=FIRST_COMPLETED)
                for each in done:
                    progress.add(each.result())
                check()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Progress:
    """Tells now and then how far a transfer is."""

    def __init__(self, pieces: int, say: Say) -> None:
        self._pieces, self._say = pieces, say
        self._done, self._bytes = 0, 0
        self._told = time.monotonic()

    def add(self, size: int) -> None:
        self._done += 1
        self._bytes += size
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            self._say(f"{self._done} of {self._pieces} pieces, {self._bytes} bytes")


def check_unchanged(plan: Plan) -> None:
    """IntegrityError if a file is not what it was when the plan was made."""
    listed: dict[tuple[str, str], object] = {}
    folders = {(file.source.config.name, _folder(file)): file.source for file in plan.files}
    for (name, folder), source in folders.items():
        for info in source.list(folder):
            listed[name, info.path] = info
    for file in plan.files:
        if listed.get((file.source.config.name, file.info.path)) != file.info:
            raise IntegrityError(
                f"The file {file.info.path!r} of the datastore {file.source.config.name!r} was changed or removed "
                "while it was copied.",
                hint="Run the step again once nothing writes there.",
                target=file.info.path,
            )


def _folder(file: PlannedFile) -> str:
    """What to list so that the file is seen again: the part of its path that all files of its folder share."""
    path, inside = file.info.path, file.path
    if path == inside:
        return ""
    return path[: -len(inside) - 1] if inside and path.endswith(f"/{inside}") else path
