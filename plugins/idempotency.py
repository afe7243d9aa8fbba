"""Requests that may be repeated: a caller who heard no answer sends the same key again and meets the first run.

The key is kept with the run that it made, and beside it a digest of what was asked for: the same key with another
request is a mistake of the caller's, and is refused rather than answered with a run of something else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from airloom.graph.canonical import digest_bytes
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.db.models import NAME_LENGTH, RunRow
from airloom.plugins.errors import BadRequest, Conflict


@dataclass(frozen=True)
class Once:
    """A caller's key, if one was given, and the digest of the request that came with it."""

    key: str | None = None
    digest: str | None = None


def once(key: str | None, **asked: Any) -> Once:
    """The key of a request for `asked`. Raises BadRequest for a text that cannot be a key."""
    if key is None:
        return Once()
    if not key.strip() or len(key) > NAME_LENGTH or not key.isprintable():
        raise BadRequest(
            f"{key[:80]!r} cannot be an idempotency key.",
            hint=f"Use 1 to {NAME_LENGTH} printable characters, for example a UUID.",
            target="Idempotency-Key",
        )
    return Once(key, digest_bytes(json.dumps(asked, sort_keys=True, default=str).encode()))


def first_run(session: Session, workspace_id: int, given: Once) -> RunRow | None:
    """The run that this key has made. Raises Conflict if it was made by another request."""
    if given.key is None:
        return None
    query = select(RunRow).where(RunRow.workspace_id == workspace_id, RunRow.idempotency_key == given.key)
    row = session.scalar(query)
    if row is not None and row.idempotency_digest != given.digest:
        raise Conflict(
            f"The idempotency key {given.key!r} was used for another request, which made the run {row.id}.",
            hint="Repeat that request unchanged, or use a new key.",
            target="Idempotency-Key",
        )
    return row
