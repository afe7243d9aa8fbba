"""What a disk may hold after a loss of power, enumerated from the calls that a program made.

The idea is that of ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014): take the calls apart
into the smallest changes of a disk, and assume no more of the file system than it promises. Assumed here:

- the bytes of a file are on the disk after an fsync of the file. Before, there are those of the last fsync, or the new
  ones, or the beginning of the new ones, or zeros over their whole length;
- a name in a folder is on the disk after an fsync of the folder. Before, each name of the folder holds what it held at
  the last fsync or anything that it was given since, whatever the other names do. So a rename may be half done: under
  both names, or under neither. But one name is never torn: it leads to one whole file or folder, or to nothing;
- nothing else holds: no order between calls, and no sync of a folder by that of a file in it.

The power may fail after any call. Journalling file systems promise more; what holds here holds on all of them.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.syscalls import CHANGING, Call

TRACED = (*CHANGING, "openat", "open", "creat")
DONE = "/nowhere/done"
"""A scenario acknowledges an operation by removing this file, which is not there: so the calls show it."""

_TEXT = r'"((?:\\x[0-9a-f]{2})*)"'
_PLACE = r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>"
_IGNORED = {"utimensat", "chmod", "fchmod", "fchmodat", "flock"}

State = bytes | str | tuple[tuple[str, "State"], ...]
"""What a disk holds: the bytes of a file, the aim of a link, or the sorted names of a folder with what they hold."""


@dataclass(eq=False)
class File:
    synced: bytes = b""
    written: bytes = b""

    def candidates(self) -> list[bytes]:
        """What may be found, from nothing new to all of it."""
        new = self.written
        return list(dict.fromkeys([self.synced, b"\0" * len(new), new[: len(new) // 2], new]))


@dataclass(eq=False)
class Link:
    aim: str


@dataclass(eq=False)
class Folder:
    synced: dict[str, Node] = field(default_factory=dict)
    changes: list[tuple[str, Node | None]] = field(default_factory=list)

    def now(self) -> dict[str, Node]:
        """The names as processes see them."""
        entries: dict[str, Node | None] = {**self.synced, **dict(self.changes)}
        return {name: node for name, node in entries.items() if node is not None}

    def candidates(self, name: str) -> list[Node | None]:
        """What a changed name may lead to, from nothing new to the last."""
        found = [self.synced.get(name), *(node for changed, node in self.changes if changed == name)]
        return [node for index, node in enumerate(found) if node not in found[index + 1 :]]


Node = File | Folder | Link
Item = tuple[File | Folder, str]
"""Something whose content on the disk is not certain: a file (with ""), or a name in a folder."""


class Disk:
    """A folder of a disk, from its content now (all of it durable) through the calls of a program."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._top = _load(root)
        self._offsets: dict[int, int] = {}
        self.acknowledged = 0

    def apply(self, call: Call) -> None:
        """Let a call happen."""
        texts = [_decode(text) for text in re.findall(_TEXT, call.arguments)]
        if call.name == "unlink" and texts == [DONE]:
            self.acknowledged += 1
        if call.result.startswith(("-1", "?")) or call.name in _IGNORED:
            return
        places = [_decode(text) for text in re.findall(_PLACE, call.arguments)]
        if any(self._parts(path) is not None for path in (*texts, *places)):
            getattr(self, f"_{call.name}", self._unknown)(call, texts, places)

    def settle_folders(self) -> None:
        """Take the names of folders for durable, from here on."""
        for folder in [self._top, *(node for node in self._nodes() if isinstance(node, Folder))]:
            folders = {name: node for name, node in folder.now().items() if isinstance(node, Folder)}
            folder.synced |= folders
            folder.changes = [change for change in folder.changes if change[0] not in folders]

    def losses(self, chance: random.Random) -> Iterator[State]:
        """What may be left if the power fails now: all kept, all lost, all but one, one alone, and some at random."""
        items = list(self._items())
        everything = dict.fromkeys(items, -1)
        nothing = dict.fromkeys(items, 0)
        yield self._state(self._top, everything)
        yield self._state(self._top, nothing)
        for item in items:
            for choice in range(len(_candidates(item)) - 1):
                yield self._state(self._top, {**everything, item: choice})
            for choice in range(1, len(_candidates(item))):
                yield self._state(self._top, {**nothing, item: choice})
        for _ in range(min(10, 2 ** len(items))):
            some = {item: chance.randrange(len(_candidates(item))) for item in items}
            yield self._state(self._top, some)

    def _items(self) -> Iterator[Item]:
        for node in self._nodes():
            if isinstance(node, File) and node.synced != node.written:
                yield node, ""
            elif isinstance(node, Folder):
                yield from ((node, name) for name in sorted({name for name, _ in node.changes}))

    def _nodes(self) -> Iterator[Node]:
        """All files and folders that a name leads to, or may lead to."""
        seen: set[Node] = set()
        queue: list[Node] = [self._top]
        while queue:
            node = queue.pop()
            if node not in seen:
                seen.add(node)
                yield node
                if isinstance(node, Folder):
                    queue += node.synced.values()
                    queue += [new for _, new in node.changes if new is not None]

    def _state(self, node: Node, choices: dict[Item, int]) -> State:
        if isinstance(node, Link):
            return node.aim
        if isinstance(node, File):
            return node.candidates()[choices[node, ""]] if (node, "") in choices else node.written
        names = sorted({*node.synced, *(name for name, _ in node.changes)})
        chosen = {
            name: node.candidates(name)[choices[node, name]] if (node, name) in choices else node.synced[name]
            for name in names
        }
        return tuple((name, self._state(entry, choices)) for name, entry in chosen.items() if entry is not None)

    # --- calls ------------------------------------------------------------------------------------------------

    def _unknown(self, call: Call, texts: list[str], places: list[str]) -> None:
        raise NotImplementedError(f"the model of a disk does not know {call.name}({call.arguments})")

    def _openat(self, call: Call, texts: list[str], places: list[str]) -> None:
        path = os.path.join(places[0], texts[0])
        folder, name = self._entry(path)
        if "O_CREAT" in call.arguments and name not in folder.now():
            folder.changes.append((name, File()))
        node = self._node(path)
        if isinstance(node, File):
            if "O_TRUNC" in call.arguments:
                node.written = b""
            number = int(call.result.partition("<")[0])
            self._offsets[number] = len(node.written) if "O_APPEND" in call.arguments else 0

    def _write(self, call: Call, texts: list[str], places: list[str]) -> None:
        number, count = int(call.arguments.partition("<")[0]), int(call.result)
        self._put(places[0], self._offsets[number], _bytes(call)[:count])
        self._offsets[number] += count

    def _pwrite64(self, call: Call, texts: list[str], places: list[str]) -> None:
        self._put(places[0], int(call.arguments.rpartition(", ")[2]), _bytes(call)[: int(call.result)])

    def _put(self, path: str, offset: int, data: bytes) -> None:
        file = self._node(path)
        assert isinstance(file, File)
        old = file.written.ljust(offset, b"\0")
        file.written = old[:offset] + data + old[offset + len(data) :]

    def _fsync(self, call: Call, texts: list[str], places: list[str]) -> None:
        node = self._node(places[0])
        if isinstance(node, File):
            node.synced = node.written
        elif isinstance(node, Folder):
            node.synced, node.changes = node.now(), []

    _fdatasync = _fsync

    def _mkdir(self, call: Call, texts: list[str], places: list[str]) -> None:
        folder, name = self._entry(texts[0])
        folder.changes.append((name, Folder()))

    def _unlink(self, call: Call, texts: list[str], places: list[str]) -> None:
        folder, name = self._entry(os.path.join(*places, texts[0]))
        folder.changes.append((name, None))

    _unlinkat = _rmdir = _unlink

    def _link(self, call: Call, texts: list[str], places: list[str]) -> None:
        node = self._node(texts[0])
        folder, name = self._entry(texts[1])
        folder.changes.append((name, node))

    def _symlink(self, call: Call, texts: list[str], places: list[str]) -> None:
        folder, name = self._entry(texts[1])
        folder.changes.append((name, Link(texts[0])))

    def _rename(self, call: Call, texts: list[str], places: list[str]) -> None:
        node, replaced = self._node(texts[0]), None
        old_folder, old_name = self._entry(texts[0])
        folder, name = self._entry(texts[1])
        if "RENAME_EXCHANGE" in call.arguments:
            replaced = self._node(texts[1])
        folder.changes.append((name, node))
        old_folder.changes.append((old_name, replaced))

    _renameat2 = _rename

    # --- paths ------------------------------------------------------------------------------------------------

    def _parts(self, path: str) -> list[str] | None:
        """The names from the disk's folder to a path, or None if it is elsewhere."""
        inside = path == self._root or path.startswith(self._root + "/")
        return [part for part in path[len(self._root) :].split("/") if part] if inside else None

    def _entry(self, path: str) -> tuple[Folder, str]:
        """The folder of a path and its name there."""
        folder = self._node(os.path.dirname(path)) if path != self._root else Folder({"": self._top})
        assert isinstance(folder, Folder)
        return folder, os.path.basename(path) if path != self._root else ""

    def _node(self, path: str) -> Node:
        node: Node = self._top
        parts = self._parts(path)
        assert parts is not None, path
        for part in parts:
            assert isinstance(node, Folder)
            node = node.now()[part]
        return node


def _candidates(item: Item) -> list[bytes] | list[Node | None]:
    node, name = item
    return node.candidates(name) if isinstance(node, Folder) else node.candidates()


def _load(path: Path) -> Folder:
    entries: dict[str, Node] = {}
    for child in path.iterdir():
        if child.is_symlink():
            entries[child.name] = Link(os.readlink(child))
        elif child.is_dir():
            entries[child.name] = _load(child)
        else:
            entries[child.name] = File(child.read_bytes(), child.read_bytes())
    return Folder(entries)


def _bytes(call: Call) -> bytes:
    match = re.search(_TEXT, call.arguments)
    assert match is not None, call
    return bytes.fromhex(match[1].replace("\\x", ""))


def _decode(text: str) -> str:
    return os.fsdecode(bytes.fromhex(text.replace("\\x", "")))


@dataclass(frozen=True)
class Loss:
    """A state after a loss of power, and how many operations had been acknowledged before it."""

    state: State
    acknowledged: int
    finished: bool


def all_losses(disk: Disk, calls: Iterable[Call], *, only_after: bool = False) -> list[Loss]:
    """The different states that a loss of power may leave during these calls and after them, in the calls' order."""
    chance = random.Random(0)
    found: dict[Loss, None] = {}

    def collect(*, finished: bool) -> None:
        for state in disk.losses(chance):
            found[Loss(state, disk.acknowledged, finished)] = None

    for call in calls:
        if not only_after:
            collect(finished=False)
        disk.apply(call)
    collect(finished=True)
    return list(found)


def rebuild(state: State, root: Path) -> None:
    """Make the folder `root` what the state says."""
    shutil.rmtree(root, ignore_errors=True)
    _build(state, root)


def _build(state: State, path: Path) -> None:
    if isinstance(state, bytes):
        path.write_bytes(state)
    elif isinstance(state, str):
        path.symlink_to(state)
    else:
        path.mkdir()
        for name, entry in state:
            _build(entry, path / name)
