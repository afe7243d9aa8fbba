"""Databases of Azure SQL under the name of v1's module."""

from airloom.data.sql_datastores import AzureSqlDatabaseDatastore

__all__ = ["AzureSqlDatabaseDatastore"]
