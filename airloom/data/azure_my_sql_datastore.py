"""Databases of MySQL under the name of v1's module."""

from airloom.data.sql_datastores import AzureMySqlDatastore

__all__ = ["AzureMySqlDatastore"]
