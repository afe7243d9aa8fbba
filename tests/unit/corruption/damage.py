"""What can happen to the bytes of a file: every class of damage, at every position that is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SWAPS = bytes.maketrans(b'{}[],:"0123456789tf', b"[]{}:,'1234567890ft")
FLIPS: dict[str, Callable[[int], int]] = {
    "low bit": lambda byte: byte ^ 1,
    "case bit": lambda byte: byte ^ 0x20,
    "high bit": lambda byte: byte ^ 0x80,
    "zero": lambda byte: 0,
    "ones": lambda byte: 0xFF,
    "other digit, quote or bracket": lambda byte: _SWAPS[byte],
}


@dataclass(frozen=True)
class Damage:
    """One damage: the bytes that the file has then. None: the file is gone, or `folder` has its place."""

    kind: str
    data: bytes | None
    folder: bool = False

    @property
    def leaves_nothing(self) -> bool:
        """True if there is no file any more."""
        return self.data is None

    def do_to(self, path: Path) -> None:
        """Damage a file."""
        if self.data is not None:
            path.write_bytes(self.data)
            return
        path.unlink()
        if self.folder:
            path.mkdir()
            (path / "file").write_bytes(b"in a folder")


def damages(data: bytes, positions: Sequence[int], others: Sequence[bytes] = ()) -> Iterator[Damage]:
    """All damages of these bytes. `others` are whole, valid objects of the same kind."""
    for position in positions:
        for kind, flip in FLIPS.items():
            byte = flip(data[position])
            if byte != data[position]:
                yield Damage(f"{kind} at {position}", data[:position] + bytes([byte]) + data[position + 1 :])
        yield Damage(f"cut at {position}", data[:position])
        yield Damage(f"byte {position} left out", data[:position] + data[position + 1 :])
    for kind, tail in {"zero": b"\0", "line feed": b"\n", "itself": data, "a block": bytes(4096)}.items():
        if tail:
            yield Damage(f"{kind} appended", data + tail)
    if data:
        yield Damage("empty", b"")
        yield Damage("zeros", bytes(len(data)))
    yield from (Damage(f"exchanged for {number}", other) for number, other in enumerate(others) if other != data)
    yield Damage("deleted", None)
    yield Damage("a folder in its place", None, folder=True)


def mend(path: Path, data: bytes) -> None:
    """Put the file back as it was."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def spread(size: int, count: int) -> list[int]:
    """At most `count` positions below `size`, the first and the last among them; all of them if there are no more."""
    if size <= count:
        return list(range(size))
    return sorted({round(number * (size - 1) / (count - 1)) for number in range(count)})
