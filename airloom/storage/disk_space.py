"""The room that is left on a disk, and what is said when there is none."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airloom.errors import DiskFull

_FULL = {errno.ENOSPC, errno.EDQUOT}


def free_space(folder: Path) -> int:
    """How many bytes this user may still write to the disk of a folder."""
    return shutil.disk_usage(folder).free


@contextmanager
def out_of_space(folder: Path, size: int) -> Iterator[None]:
    """Turn the error of a full disk into DiskFull. So many bytes are to be written below the folder."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise disk_full(folder, size) from error


def require_space(folder: Path, size: int) -> None:
    """Raise DiskFull unless so many bytes fit below a folder now: sooner than after most of them were written."""
    if size > free_space(folder):
        raise disk_full(folder, size)


def disk_full(folder: Path, size: int) -> DiskFull:
    """The error of a disk that has no room for so many bytes below a folder."""
    return DiskFull(
        f"The disk of {folder} is full: {size} bytes are to be written there, {free_space(folder)} are free.",
        hint="Free some space, or put the folder on a larger disk (AIRLOOM_CACHE_DIR, TMPDIR).",
        target=str(folder),
    )


def parse_size(text: str) -> int:
    """Bytes in a size such as `50GB`; K, M, G and T are powers of a thousand, Ki to Ti of 1024. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if match is None or (match[3] and not match[2]):
        raise ValueError(f"{text!r} is not a size. Write a number and KB, MB, GB or TB, such as 50GB.")
    power = "KMGT".index(match[2].upper()) + 1 if match[2] else 0
    return int(float(match[1]) * (1024**power if match[3] else 1000**power))
