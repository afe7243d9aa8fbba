"""The marker of a folder that is being published, and the lease by which one publisher at a time holds it.

A lease ends by itself a minute after its holder was killed, so what he left can be told from what somebody works at.
Whoever lost his lease, having slept for too long, finds that out before he writes on.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from azure.core import MatchConditions

from airloom.errors import NotFound, StoreUnavailable
from airloom.storage.azure_container import AzureContainer
from airloom.storage.azure_errors import ConditionFailed
from airloom.storage.azure_listing import UNFINISHED
from airloom.storage.azure_transfer import holds_write, write_tokens

LEASE_SECONDS = 60
_RENEWAL_SECONDS = 15
_LOOK_SECONDS = 1.0


class Marker:
    """The marker in a folder; held from `take` to `remove` or `leave`."""

    def __init__(self, container: AzureContainer, folder: str) -> None:
        self.key = f"{folder}/{UNFINISHED}"
        self._container, self._folder = container, folder
        self._lease = str(uuid.uuid4())
        self._held_until = 0.0
        self._ended = threading.Event()

    def take(self, may_go_on: Callable[[], object] = lambda: None) -> bool:
        """Put the marker, or take over one that nobody holds. True if there was none.

        While somebody holds it this waits, and calls `may_go_on` before each look, which raises to give up.
        """
        while True:
            may_go_on()
            fresh = self._put()
            try:
                held = self._acquire()
            except BaseException:
                self.leave()  # the answer alone may have been lost
                raise
            if held:
                threading.Thread(target=self._renew, name=f"lease of {self.key}", daemon=True).start()
                return fresh
            time.sleep(_LOOK_SECONDS)

    def check(self) -> None:
        """Raise StoreUnavailable if the marker may be somebody else's by now."""
        if time.monotonic() > self._held_until:
            raise StoreUnavailable(
                f"The folder {self._folder!r} of the datastore {self._container.config.name!r} could not be held while "
                "it was published: the service was out of reach, or this process was stopped, for a minute.",
                hint="Publish it again.",
                target=self._folder,
            )

    def remove(self) -> None:
        """Take the marker away, which shows the folder."""
        self.check()
        self._ended.set()
        try:
            self._container.delete(self.key, lease=self._lease)
        except ConditionFailed:
            self._held_until = 0.0
            self.check()

    def leave(self) -> None:
        """Let the next publisher have the marker at once; the folder stays hidden."""
        self._ended.set()
        try:
            self._container.ask(self.key, lambda: self._lease_request("release"))
        except (ConditionFailed, StoreUnavailable, NotFound):
            return  # it ends by itself

    def _put(self) -> bool:
        """Make the marker unless there is one."""
        tokens = write_tokens()
        blob = self._container.blob(self.key)
        try:
            self._container.ask(
                self.key,
                lambda: blob.upload_blob(
                    b"", overwrite=True, metadata=tokens, match_condition=MatchConditions.IfMissing
                ),
            )
        except ConditionFailed:
            found = self._container.find(self.key)
            return found is not None and holds_write(found.metadata, tokens)
        return True

    def _acquire(self) -> bool:
        """Hold the marker; False if another does, or it is gone."""
        asked = time.monotonic()
        try:
            self._container.ask(self.key, lambda: self._lease_request("acquire"))
        except (ConditionFailed, NotFound):
            return False
        self._held_until = asked + LEASE_SECONDS
        return True

    def _lease_request(self, action: str) -> Any:
        from azure.storage.blob import BlobLeaseClient

        lease = BlobLeaseClient(self._container.blob(self.key), lease_id=self._lease)
        return lease.acquire(LEASE_SECONDS) if action == "acquire" else getattr(lease, action)()

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWAL_SECONDS):
            asked = time.monotonic()
            try:
                self._container.ask(self.key, lambda: self._lease_request("renew"))
            except (ConditionFailed, NotFound):
                self._held_until = 0.0
                return
            except StoreUnavailable:
                continue
            self._held_until = asked + LEASE_SECONDS
