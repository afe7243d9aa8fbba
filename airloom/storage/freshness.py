"""Marks of use, by which the collector knows what is still needed.

`airloom gc` takes nothing that was written or touched within its minimal age. So whoever is about to rely on an object
that is there already touches it first, unless that was done within the last hour: then the object outlives the work
that begins now, and no lock between pipelines and the collector is needed. An object that is gone when it is touched
was taken a moment ago, and is treated as one that never was there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from airloom.storage.object_store import ObjectStore

FRESH = timedelta(hours=1)
"""How long a mark of use holds. A store that is in use is written to once an hour and object, not at each look."""


class ObjectInfo(NamedTuple):
    """What a store knows of an object without reading it: its bytes, and when it was last written or touched."""

    size: int
    modified: datetime


def freshen(store: ObjectStore, key: str) -> bool:
    """Mark an object as used, unless its last mark still holds. False if it is not there, or no longer."""
    info = store.info(key)
    if info is None:
        return False
    return datetime.now(UTC) - info.modified < FRESH or store.touch(key)
