"""Canonical JSON and the digests of values. Equal values give equal bytes, in any process and on any machine."""

from __future__ import annotations

import json
from typing import Any

from blake3 import blake3
from pydantic import BaseModel


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only. Raises ValueError for NaN and infinity, which JSON lacks."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest_bytes(data: bytes) -> str:
    """BLAKE3 of bytes: 64 lower-case hexadecimal digits."""
    return blake3(data).hexdigest()


def digest_value(value: Any) -> str:
    """BLAKE3 of a value's canonical JSON."""
    return digest_bytes(canonical_json(value))
