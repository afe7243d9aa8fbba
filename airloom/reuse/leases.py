"""Leases: of all live runs that need a key, one computes it and the others wait for its record.

A lease is an object that says who computes a key and until when. Its owner renews it from a thread while the step
runs. If the owner dies, the lease runs out, or is seen at once to be void when its process was on this host. Leases
only save work: correctness rests on records alone, which are written put-if-absent.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from airloom.errors import IntegrityError, NotFound, StoreUnavailable
from airloom.graph.model import Model
from airloom.storage.envelope import seal, unseal
from airloom.storage.object_store import ObjectStore

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0

log = logging.getLogger(__name__)


class Owner(Model):
    """Who holds a lease: an attempt of a step, and the process that works on it.

    `started` is the kernel's start time of the process, so that a recycled process id is not taken for the owner.
    """

    run_id: str
    step_id: str
    attempt: str
    host: str
    pid: int
    started: str

    @classmethod
    def of_this_process(cls, run_id: str, step_id: str, attempt: str) -> Owner:
        """The owner that works in the calling process."""
        pid = os.getpid()
        return cls(
            run_id=run_id,
            step_id=step_id,
            attempt=attempt,
            host=socket.gethostname(),
            pid=pid,
            started=_start_time(pid),
        )

    def is_dead(self) -> bool:
        """True if the owner is known to be gone; an owner on another host is never known to be."""
        return self.host == socket.gethostname() and _start_time(self.pid) != self.started


class _LeaseObject(Model):
    key: str
    owner: Owner
    expires_at: float

    def is_live(self, now: float) -> bool:
        return self.expires_at > now and not self.owner.is_dead()


class LeaseStore:
    """The leases of one workspace, below `prefix` in an object store."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix.rstrip("/")

    def holder(self, key: str) -> Owner | None:
        """The live owner of a key's lease, or None."""
        try:
            lease = _parse(key, self._store.get(self._path(key)))
        except NotFound:
            return None
        return lease.owner if lease is not None and lease.is_live(time.time()) else None

    def acquire(self, key: str, owner: Owner) -> Lease | None:
        """Take the lease of a key, or None if another live owner holds it."""
        taken = False

        def take(current: bytes | None) -> bytes:
            nonlocal taken
            now = time.time()
            lease = _parse(key, current)
            taken = lease is None or not lease.is_live(now) or lease.owner == owner
            if not taken and current is not None:
                return current
            return seal(_LeaseObject(key=key, owner=owner, expires_at=now + LEASE_SECONDS))

        self._store.update(self._path(key), take)
        return Lease(self, key, owner) if taken else None

    def renew(self, key: str, owner: Owner) -> bool:
        """Extend the owner's lease. False if it was lost to another owner."""
        return self.acquire(key, owner) is not None

    def release(self, key: str, owner: Owner) -> None:
        """Give the lease up, if it still is the owner's."""
        try:
            data = self._store.get(self._path(key))
        except NotFound:
            return
        lease = _parse(key, data)
        if lease is not None and lease.owner == owner:
            self._store.delete_exactly(self._path(key), data)  # it may have run out, and be another's by now

    def _path(self, key: str) -> str:
        return f"{self._prefix}/leases/{key}"


class Lease:
    """A held lease: renewed from a thread until the `with` block ends, then released."""

    def __init__(self, leases: LeaseStore, key: str, owner: Owner) -> None:
        self._leases = leases
        self._key = key
        self._owner = owner
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{key[:8]}", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._leases.release(self._key, self._owner)

    def _keep(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            try:
                if not self._leases.renew(self._key, self._owner):
                    log.warning("The lease of key %s was lost; another run may compute it as well.", self._key)
                    return
            except (OSError, StoreUnavailable) as error:
                log.warning("Renewing the lease of key %s failed, will try again: %s", self._key, error)


def _parse(key: str, data: bytes | None) -> _LeaseObject | None:
    """The lease in `data`, or None: a damaged lease, or that of another key, holds nobody off."""
    if data is None:
        return None
    try:
        lease = _LeaseObject.model_validate(unseal(data, "The lease"))
    except (IntegrityError, ValidationError):
        return None
    return lease if lease.key == key else None


def _start_time(pid: int) -> str:
    """The kernel's start time of a process, or "" if there is no such process or no /proc to ask."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
