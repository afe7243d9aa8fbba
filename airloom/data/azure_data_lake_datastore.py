"""Data Lake Gen2 under the name of v1's module. Gen1 is gone: Azure closed it in February 2024."""

from airloom.data.azure_storage_datastore import AzureDataLakeGen2Datastore

__all__ = ["AzureDataLakeGen2Datastore"]
