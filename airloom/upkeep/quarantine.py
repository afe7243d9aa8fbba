"""Where damaged objects are put, so that nothing meets them again and somebody can still look at them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airloom.errors import NotFound
from airloom.storage.freshness import ObjectInfo
from airloom.storage.workspace import WorkspaceStore

FOLDER = "quarantine"
_TICK = timedelta(seconds=1)  # some stores know times to the second only


class Quarantine:
    """A folder of the workspace's store for all that one check has found."""

    def __init__(self, workspace: WorkspaceStore) -> None:
        self._store = workspace.store
        self.folder = workspace.key(FOLDER, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")

    def move(self, key: str, seen: ObjectInfo) -> bool:
        """Move an object, copy first. False, and all is as before, if it was written anew since it was seen."""
        target = f"{self.folder}/{key}"
        if not self.copy(key):
            return False
        if self._store.delete_if_unused(key, seen.modified + _TICK):
            return True
        self._store.delete(target)
        return False

    def copy(self, key: str) -> bool:
        """Keep a copy of an object. False if there is none."""
        path = self._store.local_path(key)
        try:
            if path is not None:
                self._store.put_file(f"{self.folder}/{key}", path)
            else:
                self._store.put(f"{self.folder}/{key}", self._store.get(key))
        except (FileNotFoundError, NotFound):
            return False
        return True
