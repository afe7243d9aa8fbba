"""Files that arrive in Azure Blob Storage: as blocks that nobody sees, which Azure itself keeps for a week.

The name of a block tells its plan and its place, so Azure's list of them is the journal. When all are there, each file
is made of its blocks in one request; a folder is hidden by its marker meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from azure.storage.blob import BlobBlock, BlobProperties

from airloom.errors import IntegrityError
from airloom.storage.azure_bytes import side_by_side
from airloom.storage.azure_datastore import AzureBlobDatastore
from airloom.storage.azure_errors import BlocksLost
from airloom.storage.azure_listing import DIGEST, find_literally
from airloom.storage.azure_publication import Publication, Sent, taken
from airloom.storage.tree import TreeManifest
from airloom.transfer.plan import Plan, PlannedFile

PLAN = "airloom_transfer"
"""Metadata of a blob: the plan that it was made for, so that it is not made again."""


class AzureTarget:
    """A place on a datastore in Azure Blob Storage."""

    def __init__(self, destination: AzureBlobDatastore, path: str, plan: Plan) -> None:
        self._destination, self._plan = destination, plan
        self._container = destination.container
        self._path = destination.vacant(path, overwrite=True)
        self._arrived: dict[str, set[int]] = {}
        self._complete: set[str] = set()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Find the blocks and files that an earlier attempt has left. What others left, Azure forgets by itself."""
        for file in self._plan.files:
            self._container.check(self._key(file))
        found = {self._container.key(blob.name): blob for blob in self._left()}
        side_by_side(
            lambda file: self._look(file, found[self._key(file)]),
            [file for file in self._plan.files if self._key(file) in found],
        )

    def lacking(self, file: PlannedFile) -> Sequence[int]:
        """The pieces of a file that are not there yet."""
        key = self._key(file)
        arrived = self._arrived.get(key, set())
        return [] if key in self._complete else [index for index in range(file.pieces) if index not in arrived]

    def put(self, file: PlannedFile, index: int, data: bytes) -> None:
        """Send a piece, with a checksum that the service compares."""
        key = self._key(file)
        blob = self._container.blob(key)
        self._container.ask(
            key, lambda: blob.stage_block(self._block(index), data, length=len(data), validate_content=True)
        )

    def publish(self) -> TreeManifest:
        """Make the files of their blocks, and let them be seen together."""
        todo = [file for file in self._plan.files if self._key(file) not in self._complete]
        if self._plan.is_file:
            if any(self._container.blobs(f"{self._path}/")):
                raise taken(self._container, self._path)
            side_by_side(self._commit, todo)
        elif todo or not find_literally(self._container, self._path).there:
            publication = Publication(self._container, self._path)
            with publication.hidden(overwrite=True, keep=lambda blob: self._is_ours(blob.metadata)):
                side_by_side(self._commit, todo)
                publication.show(
                    {self._key(file): Sent(file.info.size, file.content or "") for file in self._plan.files}
                )
        return self._destination.scan(self._path)

    def discard(self) -> None:
        """Nothing to do: blocks of a plan that is not completed are seen by nobody, and forgotten."""

    def _left(self) -> list[BlobProperties]:
        """The blobs at the path and below, also those that are only blocks so far."""
        client, stem = self._container.client, self._container.stem
        return self._container.ask(
            self._path,
            lambda: list(
                client.list_blobs(name_starts_with=f"{stem}{self._path}", include=["metadata", "uncommittedblobs"])
            ),
        )

    def _look(self, file: PlannedFile, found: BlobProperties) -> None:
        key = self._key(file)
        if self._is_ours(found.metadata) and found.size == file.info.size:
            with self._lock:
                self._complete.add(key)
            return
        _, blocks = self._container.ask(key, lambda: self._container.blob(key).get_block_list("uncommitted"))
        sizes = {block.id: block.size for block in blocks}
        arrived = {
            index
            for index in range(file.pieces)
            if sizes.get(self._block(index)) == file.bounds(index)[1] - file.bounds(index)[0]
        }
        with self._lock:
            self._arrived[key] = arrived

    def _commit(self, file: PlannedFile) -> None:
        key = self._key(file)
        blocks = [BlobBlock(self._block(index)) for index in range(file.pieces)]
        metadata: dict[str, Any] = {PLAN: self._plan.id}
        if file.content is not None:
            metadata[DIGEST] = file.content
        try:
            self._container.ask(key, lambda: self._container.blob(key).commit_block_list(blocks, metadata=metadata))
        except BlocksLost:
            found = self._container.find(key)
            if found is None or not self._is_ours(found.metadata):
                raise IntegrityError(
                    f"Others wrote {key!r} of the datastore {self._container.config.name!r} at the same time.",
                    hint="Run the step again once nothing else writes there.",
                    target=key,
                ) from None

    def _is_ours(self, metadata: Mapping[str, str] | None) -> bool:
        return (metadata or {}).get(PLAN) == self._plan.id

    def _block(self, index: int) -> str:
        """The name of a block. All blocks of a blob have names of one length, also those of other uploads of ours."""
        return f"{self._plan.id[:16]}-{index:05d}"

    def _key(self, file: PlannedFile) -> str:
        return f"{self._path}/{file.path}" if file.path else self._path
