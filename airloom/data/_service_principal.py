"""Datastores that a service principal may open."""

from __future__ import annotations

from airloom.data.abstract_datastore import AbstractDatastore


class ServicePrincipalDatastore(AbstractDatastore):
    """What is known of the service principal. `client_secret` is always None: the server gives no secret out again."""

    client_secret: str | None = None

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the service principal that opens it, if one does."""
        return self._property("tenant_id")

    @property
    def client_id(self) -> str | None:
        """The service principal that opens it, if one does."""
        return self._property("client_id")
