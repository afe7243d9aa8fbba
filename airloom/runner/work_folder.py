"""The folder in which an attempt works, on the machine's own disk. A later attempt removes those of killed ones."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from airloom.storage.paths import slug

PREFIX = "airloom-"
LOCK = ".lock"


class WorkFolder:
    """An empty folder, marked as in use until `release` or the end of this process, however it ends."""

    def __init__(self, step: str, root: Path | None) -> None:
        parent = root or Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{slug(step, longest=24)}-", dir=parent)).resolve()
        # Under its name there is only ever a lock that is held, so nobody takes a new folder for an abandoned one.
        made = self.path / f"{LOCK}.new"
        self._lock = os.open(made, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        made.rename(self.path / LOCK)

    def release(self, *, keep: bool = False) -> None:
        """Remove the folder, or keep it for ever."""
        if keep:
            (self.path / LOCK).unlink()
        else:
            _remove(self.path)
        os.close(self._lock)


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of attempts whose process is gone, but for those that were kept on purpose."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        try:
            if lock.parent.lstat().st_uid != os.geteuid():
                continue
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue  # just removed
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock.parent)
        except OSError:
            continue  # in use
        finally:
            os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove a folder, even one in which the script has made folders read-only."""
    for each, _, _ in os.walk(folder):
        os.chmod(each, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
