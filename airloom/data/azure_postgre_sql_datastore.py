"""Databases of PostgreSQL under the name of v1's module."""

from airloom.data.sql_datastores import AzurePostgreSqlDatastore

__all__ = ["AzurePostgreSqlDatastore"]
