"""Datastores in requests and answers. Of the fields that say where one lies, each type has its own."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from airloom.graph.model import Scalar
from airloom.plugins.api.schemas import Body, Tags
from airloom.storage.credentials import Credentials

DatastoreType = Literal[
    "local",
    "azure_blob",
    "azure_data_lake_gen2",
    "azure_file_share",
    "object_store",
    "azure_sql_database",
    "azure_postgre_sql",
    "azure_my_sql",
]
PLACE_FIELDS = (
    *("root", "account", "container", "prefix", "share", "endpoint", "url", "options", "host", "port", "database"),
    "ssl",
)


class _Place(BaseModel):
    root: str | None = None
    account: str | None = None
    container: str | None = None
    prefix: str | None = None
    share: str | None = None
    endpoint: str | None = None
    url: str | None = None
    options: dict[str, Scalar] | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    ssl: bool | None = None


class DatastoreBody(_Place, Body):
    """A datastore to be registered. A local one without `root` lies in the deployment's store."""

    name: str
    type: DatastoreType = "local"
    credentials: Credentials = Field(default_factory=Credentials)
    description: str = ""
    tags: Tags = Field(default_factory=dict)
    properties: Tags = Field(default_factory=dict)
    overwrite: bool = False
    create_if_not_exists: bool = False
    skip_validation: bool = False


class Datastore(_Place):
    """A datastore; nothing secret is ever in here. `place` is for people to read."""

    name: str
    type: str
    place: str
    connection: str | None
    credential_type: str
    description: str
    tags: Tags
    properties: Tags
    is_default: bool
    created_at: datetime


class DatastoreList(BaseModel):
    """The datastores of a workspace, by name."""

    datastores: list[Datastore]
