"""The content cache of a machine: what steps read of remote datastores is downloaded once, and kept while it fits.

Below the folder lie `files` (the contents), `uses` (who uses which), `claims` (who is downloading which) and `incoming`
(what is not whole yet). Everything that a process holds there it holds by a lock of the kernel, which ends with the
process: whoever is killed leaves whole files, which others use, and parts, which the next one that needs room removes.
Losing the cache costs time and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airloom.errors import InvalidName
from airloom.storage.content_shelf import Content, Shelf, by_datastore, each_once, total_size
from airloom.storage.content_uses import IdleUse, Uses, is_held
from airloom.storage.datastores import Download, FileInfo
from airloom.storage.disk_space import free_space, out_of_space, parse_size, require_space
from airloom.storage.durable import remove_tree
from airloom.storage.stat_cache import StatCache
from airloom.storage.tree import TreeManifest

LIMIT = "AIRLOOM_CACHE_SIZE"
"""How many bytes the files may have together, such as 50GB; else half of what the disk would have free without them."""

_CLAIMS = "claims"
_LOCK = ".lock"
_AT_ONCE = 256  # claims held together: each is an open file, of which a process may have a thousand
_POLL_SECONDS = 0.05

Check = Callable[[], None]
"""Raises if whoever asked for the files does not want them any more."""


class ContentCache:
    """The cache in one folder, for any number of processes. `limit` is in bytes; None: as the environment says."""

    def __init__(self, root: Path, stats: StatCache, limit: int | None = None) -> None:
        self._root = root
        self._limit = limit if limit is not None else limit_of_environment()
        self._shelf = Shelf(root / "files", stats)

    @contextmanager
    def in_use(self, contents: Sequence[Content], check: Check) -> Iterator[Fetched | None]:
        """Files of datastores, downloaded if need be; until the block ends, nobody removes them.

        None if they are more than the cache may hold beside what others use. Raises DiskFull, and what `fetch` raises.
        """
        contents = each_once(contents)
        uses = Uses(self._root)
        with uses.begun({content.identity: content.info.size for content in contents}):
            missing = self._missing(contents)
            if missing and not _Room(self._root, self._shelf, uses, self._limit).make(total_size(missing)):
                yield None
                return
            self._download(missing, uses, check)
            yield Fetched(self._shelf, len(missing), total_size(missing))

    @contextmanager
    def offered(self, staged: Path, manifest: TreeManifest) -> Iterator[None]:
        """Keep the files of a tree that is being uploaded, once the block has ended well, as whoever reads them next
        may be a step on this machine. That needs no copies; where it would, or there is no room, they are not kept."""
        uses = Uses(self._root)
        entries = {entry.digest: entry for entry in manifest.entries}
        with uses.begun({entry.digest: entry.size for entry in entries.values()}), self._incoming(uses) as folder:
            room = _Room(self._root, self._shelf, uses, self._limit).make(0)
            linked = room and _linked(staged, {folder / entry.digest: entry.path for entry in entries.values()})
            yield
            for digest in entries if linked else ():
                self._shelf.place(digest, folder / digest)

    def _missing(self, contents: Iterable[Content]) -> list[Content]:
        contents = list(contents)
        sound = self._shelf.sound(contents)
        return [content for content in contents if content.identity not in sound]

    def _download(self, missing: list[Content], uses: Uses, check: Check) -> None:
        """Bring what is missing; what others are downloading at the moment is waited for."""
        while missing:
            some, missing = missing[:_AT_ONCE], missing[_AT_ONCE:]
            with self._claimed(some) as mine, self._incoming(uses) as folder:
                self._fetch(self._missing(mine), folder, check)
            claimed = {content.identity for content in mine}
            missing += [content for content in some if content.identity not in claimed]
            if not mine:
                check()
                time.sleep(_POLL_SECONDS)
                missing = self._missing(missing)

    def _fetch(self, contents: list[Content], folder: Path, check: Check) -> None:
        for some in by_datastore(contents).values():
            arriving = {content.info.path: content for content in some}

            def arrived(info: FileInfo, arriving: dict[str, Content] = arriving) -> None:
                content = arriving[info.path]
                self._shelf.put(content, folder / content.identity)
                check()

            with out_of_space(folder, total_size(some)):
                some[0].datastore.fetch([Download(each.info, folder / each.identity) for each in some], arrived)

    @contextmanager
    def _claimed(self, contents: Iterable[Content]) -> Iterator[list[Content]]:
        """Those of the contents that nobody else is downloading; nobody else begins to until the block ends."""
        folder = self._root / _CLAIMS
        folder.mkdir(exist_ok=True)
        claims: dict[Path, int] = {}
        mine = []
        try:
            for content in contents:
                path = folder / content.identity
                descriptor = _claim(path)
                if descriptor is not None:
                    claims[path] = descriptor
                    mine.append(content)
            yield mine
        finally:
            for path, descriptor in claims.items():
                path.unlink(missing_ok=True)
                os.close(descriptor)

    @contextmanager
    def _incoming(self, uses: Uses) -> Iterator[Path]:
        """A folder for what is not whole yet, which nobody takes for abandoned."""
        folder = self._root / "incoming" / uuid.uuid4().hex
        with uses.lock(fcntl.LOCK_SH):
            folder.mkdir(parents=True)
            lock = (folder / _LOCK).open("ab")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with lock:
            try:
                yield folder
            finally:
                with uses.lock(fcntl.LOCK_SH):  # or the next sweep might remove it at the same time
                    remove_tree(folder)


class Fetched:
    """Files of the cache in use, of which some had to be downloaded."""

    def __init__(self, shelf: Shelf, downloaded: int, size: int) -> None:
        self._shelf = shelf
        self.downloaded = downloaded
        self.size = size

    def path(self, content: Content) -> Path:
        """Where a content lies. Its file is for all who read it, and must not be written to."""
        return self._shelf.path(content.identity)


class _Room:
    """Makes room by removing what was used least recently, a use at a time."""

    def __init__(self, root: Path, shelf: Shelf, uses: Uses, limit: int | None) -> None:
        self._root = root
        self._shelf = shelf
        self._uses = uses
        self._limit = limit

    def make(self, size: int) -> bool:
        """Let all that is in use fit, of which so many bytes are still to come. False if it cannot."""
        with self._uses.lock():
            self._sweep()
            used, idle = self._uses.stored()
            here = self._shelf.sizes()
            free = free_space(self._root)
            limit = self._limit if self._limit is not None else (free + sum(here.values())) // 2
            if sum(used.values()) > limit:
                return False
            others = {name: found for name, found in here.items() if name not in used}
            excess = max(sum(used.values()) + sum(others.values()) - limit, size - free)
            self._remove(others, idle, excess)
            require_space(self._root, size)
        return True

    def _remove(self, others: dict[str, int], idle: list[IdleUse], excess: int) -> None:
        """Remove so many bytes of these files: first what no use names any more, then by age."""
        last_use = {name: use.path for use in idle for name in use.sizes}
        orphans = others.keys() - last_use.keys()
        if excess > 0:
            self._shelf.remove(orphans)
            excess -= sum(others[name] for name in orphans)
        for use in idle:
            if excess <= 0:
                return
            doomed = [name for name in use.sizes if name in others and last_use[name] == use.path]
            self._shelf.remove(doomed)
            excess -= sum(others[name] for name in doomed)
            use.path.unlink()

    def _sweep(self) -> None:
        """Remove what killed processes have left."""
        for folder in (self._root / "incoming").glob("*"):
            if not is_held(folder / _LOCK):
                remove_tree(folder)
        for path in (self._root / _CLAIMS).glob("*"):
            descriptor = _claim(path)
            if descriptor is not None:
                path.unlink()
                os.close(descriptor)


def _linked(root: Path, links: Mapping[Path, str]) -> bool:
    """Give files of a tree further names. False if it is on another file system, or on one without such links."""
    try:
        for link, path in links.items():
            os.link(os.path.realpath(root / path), link)
    except OSError:
        return False
    return True


def _claim(path: Path) -> int | None:
    """The descriptor of a file of this name that this process alone holds; None if another does."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass  # whoever held it has removed it meanwhile
        os.close(descriptor)


def limit_of_environment() -> int | None:
    """The limit that AIRLOOM_CACHE_SIZE sets, if it does. Raises InvalidName if it is no size."""
    text = os.environ.get(LIMIT)
    try:
        return parse_size(text) if text else None
    except ValueError as error:
        raise InvalidName(f"{LIMIT} is wrong: {error}", target=LIMIT) from None
