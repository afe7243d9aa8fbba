"""Datastores in stores of objects other than Azure's. v1 has no counterpart."""

from __future__ import annotations

from airloom.data.abstract_datastore import AbstractDatastore


class ObjectStoreDatastore(AbstractDatastore):
    """Whatever lies below an address such as `s3://bucket/prefix`."""

    @property
    def url(self) -> str:
        """The address."""
        return str(self._document["url"])

    @property
    def options(self) -> dict[str, str | int | float | bool]:
        """How the store is spoken to; none of it is secret."""
        return dict(self._document.get("options") or {})
