"""JSON objects that prove their own integrity: the body travels with its digest.

The envelope is the one form that never changes. By it any version of Airloom tells an object that was damaged from
one that a newer version wrote.
"""

from __future__ import annotations

import json
from typing import Any

from airloom.errors import IntegrityError
from airloom.graph.canonical import canonical_json, digest_bytes, digest_value
from airloom.graph.model import Model


def seal(body: Model | dict[str, Any]) -> bytes:
    """The bytes to store for `body`, which are canonical JSON themselves."""
    data = canonical_json(body)
    return b'{"body":%b,"digest":"%b"}' % (data, digest_bytes(data).encode())


def unseal(data: bytes, what: str) -> dict[str, Any]:
    """The body of sealed bytes. Raises IntegrityError, naming `what`, if they were truncated or altered."""
    try:
        envelope = json.loads(data)
        body, digest = envelope["body"], envelope["digest"]
        intact = isinstance(body, dict) and digest_value(body) == digest
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{what} is truncated or is not JSON.", target=what) from error
    if not intact:
        raise IntegrityError(f"{what} was altered: its content does not have the digest it carries.", target=what)
    return dict(body)
