"""Outputs that are to become datasets: what a worker, which has no database, asks of the server.

A wish is one object in the store, whose name follows from the run, the step, the output and the dataset. So however
often a step is tried, killed and reused within a run, there is one wish, and whoever grants wishes can tell that he
has granted this one before. A wish is deleted only after what it asks for is in the database.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from airloom.errors import IntegrityError, NotFound
from airloom.graph.model import DatasetSource, Model
from airloom.storage.contents import Content
from airloom.storage.envelope import seal, unseal
from airloom.storage.workspace import WorkspaceStore

log = logging.getLogger(__name__)

_NAMES = uuid.UUID("0f4c9a7e-5d0b-4a53-9b0c-2f8f0f6f8a41")


class Wish(Model):
    """A dataset that an output of a step is to be a version of. `id` is the same for the same output of one run."""

    format: int = 1
    name: str
    description: str = ""
    tags: dict[str, str]
    create_new_version: bool = True
    source: DatasetSource
    content: Content
    workspace: str
    run_id: str
    step_id: str
    port: str

    @property
    def id(self) -> str:
        """A UUID."""
        return str(uuid.uuid5(_NAMES, "\0".join((self.workspace, self.run_id, self.step_id, self.port, self.name))))


class FoundWish(NamedTuple):
    """A wish, and its object, which is to be deleted if it still is this one."""

    wish: Wish
    key: str
    data: bytes


class Wishes:
    """The wishes of a workspace that have not been granted yet."""

    def __init__(self, storage: WorkspaceStore) -> None:
        self._storage = storage

    def add(self, wish: Wish) -> None:
        """Leave a wish; a later one for the same output of the same run takes its place."""
        self._storage.store.put(self._key(f"{wish.id}.json"), seal(wish))

    def all(self) -> Iterator[FoundWish]:
        """Those that are there; one that is damaged is told of in the log, and left where it is."""
        for key in self._storage.store.list(self._key("")):
            try:
                data = self._storage.store.get(key)
                yield FoundWish(Wish.model_validate(unseal(data, f"The registration {key!r}")), key, data)
            except NotFound:
                continue  # granted by somebody else meanwhile
            except (IntegrityError, ValidationError) as error:
                log.warning("The registration of a dataset cannot be read: %s", error)

    def granted(self, found: FoundWish) -> None:
        """Take a wish away, unless another has taken its place meanwhile."""
        self._storage.store.delete_exactly(found.key, found.data)

    def _key(self, name: str) -> str:
        return self._storage.key("registrations", name)
