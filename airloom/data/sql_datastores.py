"""Datastores that are databases: they hold tables, so what moves files does not work on them.

`password`, `user_password` and `client_secret` are always None: the server gives no secret out again.
"""

from __future__ import annotations

from airloom.data._service_principal import ServicePrincipalDatastore
from airloom.data.abstract_datastore import AbstractDatastore


class AbstractSqlDatastore(AbstractDatastore):
    """What all databases have in common."""

    @property
    def server_name(self) -> str:
        """The server, as it was given when the datastore was registered."""
        return self._property("server_name") or str(self._document["host"])

    @property
    def database_name(self) -> str:
        """The database."""
        return str(self._document["database"])

    @property
    def host(self) -> str:
        """The server's whole name. New."""
        return str(self._document["host"])

    @property
    def port_number(self) -> int:
        """The server's port."""
        return int(self._document["port"])

    @property
    def enforce_ssl(self) -> bool:
        """True if connections are encrypted."""
        return bool(self._document["ssl"])


class AzureSqlDatabaseDatastore(ServicePrincipalDatastore, AbstractSqlDatastore):
    """A database of Azure SQL, or of another Microsoft SQL Server."""

    v1_type = "AzureSqlDatabase"
    password: str | None = None

    @property
    def username(self) -> str | None:
        """The user, if one was given."""
        return self._property("username")


class AzurePostgreSqlDatastore(AbstractSqlDatastore):
    """A PostgreSQL database, on Azure or elsewhere."""

    v1_type = "AzurePostgreSql"
    user_password: str | None = None

    @property
    def user_id(self) -> str | None:
        """The user."""
        return self._property("user_id")


class AzureMySqlDatastore(AbstractSqlDatastore):
    """A MySQL database, on Azure or elsewhere."""

    v1_type = "AzureMySql"
    user_password: str | None = None

    @property
    def user_id(self) -> str | None:
        """The user."""
        return self._property("user_id")
