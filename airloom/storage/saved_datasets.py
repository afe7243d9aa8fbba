"""Datasets that were saved, so that a run can be given them by an id.

What is saved is where the data lies and how it is read, not the data. The id follows from that alone: saving the same
again gives the same id, and what an id stands for never changes.
"""

from __future__ import annotations

import uuid

from pydantic import TypeAdapter, ValidationError

from airloom.errors import IntegrityError, NotFound
from airloom.graph.canonical import canonical_json
from airloom.graph.model import FilesSource, TabularSource
from airloom.storage.envelope import seal, unseal
from airloom.storage.workspace import WorkspaceStore

DatasetSource = FilesSource | TabularSource

_NAMES = uuid.UUID("6ad9b4a8-9f1e-4c35-8f0b-3c0d6c1f2a57")
_SOURCE: TypeAdapter[DatasetSource] = TypeAdapter(DatasetSource)


class SavedDatasets:
    """The saved datasets of a workspace."""

    def __init__(self, storage: WorkspaceStore) -> None:
        self._storage = storage

    def save(self, source: DatasetSource) -> str:
        """Keep a dataset; returns its id, a UUID. What was damaged is whole again."""
        dataset_id = str(uuid.uuid5(_NAMES, canonical_json(source).decode()))
        self._storage.store.put(self._key(dataset_id), seal(source))
        return dataset_id

    def get(self, dataset_id: str) -> DatasetSource:
        """The dataset of this id. NotFound if none was saved under it, IntegrityError if it was altered."""
        try:
            key = self._key(str(uuid.UUID(dataset_id)))
            body = unseal(self._storage.store.get(key), f"The dataset {dataset_id[:80]!r}")
            return _SOURCE.validate_python(body)
        except ValidationError as error:
            raise IntegrityError(
                f"The dataset {dataset_id!r} cannot be read by this version of Airloom: {error.errors()[0]['msg']}.",
                hint="Save it again.",
                target=dataset_id,
            ) from None
        except (NotFound, ValueError):
            raise NotFound(
                f"Workspace {self._storage.workspace!r} has no dataset {dataset_id[:80]!r}.",
                hint="The `id` of a dataset in the SDK saves it and tells its id.",
                target=dataset_id[:80],
            ) from None

    def _key(self, dataset_id: str) -> str:
        return self._storage.key("datasets", f"{dataset_id}.json")
