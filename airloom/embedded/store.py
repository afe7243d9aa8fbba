"""Which store a home's server uses: the home's own folder, or a container whose address was given and is kept.

The credentials of a container come from the environment of `airloom up`, and are kept nowhere.
"""

from __future__ import annotations

from pathlib import Path

from airloom.embedded.home import Home, read_json, write_json
from airloom.storage.object_store import open_store

FOLDER = "folder"
"""The word for the home's own folder."""

_PROBE = "airloom-check"


def choose(home: Home, asked: str | None) -> None:
    """Take the store that was asked for, or that the home has had so far, and remember it.

    Raises AirloomError if it cannot be used; then the home keeps the one that it had.
    """
    given = address(home) if asked is None else home.store.as_uri() if asked.strip().lower() == FOLDER else asked
    if given != home.store.as_uri():
        open_store(given).exists(_PROBE)
    if asked is not None:
        write_json(_file(home), {"address": given})


def address(home: Home) -> str:
    """The address of the home's store."""
    return str(read_json(_file(home)).get("address") or home.store.as_uri())


def _file(home: Home) -> Path:
    return home.path / "store.json"
