"""docs/datastores.md: its kinds, ways in and connections are those that there are."""

from __future__ import annotations

import inspect

from airloom.core import Datastore
from airloom.core.datastore import _TYPES
from airloom.storage.credentials import _OF_DATABASE, _OF_SCHEME, _WAYS, Credentials
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    LocalConfig,
    ObjectStoreConfig,
    SqlConfig,
)
from tests.docs.support import codes, rows, section

PAGE = "docs/datastores.md"
CONFIGS = {
    "local": LocalConfig,
    "azure_blob": AzureBlobConfig,
    "azure_data_lake_gen2": AzureBlobConfig,
    "azure_file_share": AzureFileShareConfig,
    "object_store": ObjectStoreConfig,
    "azure_sql_database": SqlConfig,
    "azure_postgre_sql": SqlConfig,
    "azure_my_sql": SqlConfig,
}
NOT_REGISTERED = {"register_azure_data_lake", "register_dbfs", "register_hdfs"}


def test_every_kind_is_there_with_its_method_class_and_fields() -> None:
    table = {codes(row[0])[0]: row for row in rows(section(PAGE, "Kinds"))}
    assert set(table) == set(CONFIGS) == set(_TYPES)
    for kind, (_, method, of_class, fields) in table.items():
        assert codes(of_class) == [_TYPES[kind].__name__]
        assert codes(fields) == [
            name for name in CONFIGS[kind].model_fields if name not in ("name", "connection", "type")
        ]
        assert hasattr(Datastore, codes(method)[0])
    methods = {name for name, _ in inspect.getmembers(Datastore) if name.startswith("register_")}
    assert {codes(row[1])[0] for row in table.values()} == methods - NOT_REGISTERED


def test_every_way_in_is_there() -> None:
    table = rows(section(PAGE, "Credentials"))
    named = {
        codes(row[1])[0] for row in table if len(row) == 3 and row[1].startswith("`") and codes(row[1])[0] != "wasb"
    }
    ways = {way.name for way in _WAYS}
    assert ways <= named
    given = {code for row in table for code in codes(row[0])}
    assert set(Credentials.model_fields) - {"options"} <= given


def test_every_type_of_connection_is_there() -> None:
    named = {code for row in rows(section(PAGE, "Credentials")) for code in codes(row[1])}
    assert {*_OF_DATABASE.values(), *_OF_SCHEME.values(), "wasb", "azure_fileshare", "generic"} <= named
