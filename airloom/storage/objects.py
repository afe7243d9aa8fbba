"""What all object stores have in common: which keys they take, and what they say of a file that changed meanwhile."""

from __future__ import annotations

from airloom.errors import IntegrityError, UnsafePath
from airloom.storage.durable import is_private
from airloom.storage.paths import validate_relative


def check_key(key: str) -> str:
    """`key` if it can be one: a relative path in normal form. Else UnsafePath or InvalidName."""
    if not key or key != validate_relative(key) or any(map(is_private, key.split("/"))):
        raise UnsafePath(
            f"{key!r} cannot be the key of an object.",
            hint="A key is a relative path without empty or '.' parts, and without names of Airloom's own.",
            target=key,
        )
    return key


def check_source(source: str, actual: str, digest: str | None) -> None:
    """Raise IntegrityError if what was read of the file `source` does not have the digest that it should."""
    if digest is not None and actual != digest:
        raise IntegrityError(
            f"The file {source} has the digest {actual}, not {digest}: it was changed meanwhile.",
            hint="Do not write to it while it is uploaded; try again.",
            target=source,
        )
