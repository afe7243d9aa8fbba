"""Relative paths in normal form, with errors that SDK users see."""

from __future__ import annotations

from airloom.errors import AirloomError
from airloom.exceptions import UserErrorException
from airloom.storage.paths import validate_relative


def clean_path(path: str, what: str) -> str:
    """A relative path in normal form. Raises UserErrorException for a path that leaves the datastore."""
    try:
        return validate_relative(str(path).replace("\\", "/").strip("/"))
    except AirloomError as error:
        raise UserErrorException(f"{what}: {error}") from error
