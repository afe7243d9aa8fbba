"""Datastores in a folder that all workers see."""

from __future__ import annotations

from airloom.data.abstract_datastore import AbstractDatastore


class LocalDatastore(AbstractDatastore):
    """A datastore that is a folder of the server's machine, or of a file system that all workers share."""

    @property
    def root(self) -> str:
        """The folder on the server's side."""
        return str(self._document["root"])
