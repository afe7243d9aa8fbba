"""What must be known of a datastore to reach it: no secrets, only the id of the connection that holds them."""

from __future__ import annotations

import os
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, TypeAdapter, field_validator

from airloom.graph.model import Model, Scalar
from airloom.storage.paths import check_name, validate_relative


class _Named(Model):
    name: str

    @field_validator("name")
    @classmethod
    def _is_name(cls, name: str) -> str:
        return check_name("datastore", name)


class LocalConfig(_Named):
    """A folder of this machine, or of a file system that all workers share. `root` is absolute."""

    type: Literal["local"] = "local"
    root: str

    @field_validator("root")
    @classmethod
    def _is_absolute(cls, root: str) -> str:
        if not os.path.isabs(root):
            raise ValueError(f"the root {root!r} of a local datastore must be an absolute folder")
        return root

    @property
    def place(self) -> str:
        """The folder, for people to read."""
        return self.root


Account = Annotated[str, Field(pattern=r"^[a-z0-9]{3,24}$")]
"""A storage account, which is a part of the name of a host."""

Container = Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")]
"""A container, file system or share."""


def _address(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the endpoint {endpoint[:100]!r} is not an address such as https://HOST or http://HOST:PORT")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("an endpoint may hold no credentials, as it is stored and shown")
    return endpoint.rstrip("/")


Endpoint = Annotated[str, AfterValidator(_address)]
"""The address of a service, without secrets."""


class _Remote(_Named):
    """`connection` is the id of the Airflow connection with the secrets; None: those of the deployment's store."""

    connection: str | None = None


class AzureBlobConfig(_Remote):
    """The blobs below `prefix` of a container.

    `endpoint` is the address of the account's blob service, such as an emulator's; None: that of Azure's public cloud.
    A Data Lake Gen2 account is reached through its blob service too.
    """

    type: Literal["azure_blob", "azure_data_lake_gen2"] = "azure_blob"
    account: Account
    container: Container
    prefix: str = ""
    endpoint: Endpoint | None = None

    @field_validator("prefix")
    @classmethod
    def _is_relative(cls, prefix: str) -> str:
        return validate_relative(prefix)

    @property
    def place(self) -> str:
        """Account, container and prefix, for people to read."""
        return "/".join(filter(None, (f"azure://{self.account}", self.container, self.prefix)))


class AzureFileShareConfig(_Remote):
    """A share of Azure Files. `endpoint` as for blobs, of the account's file service."""

    type: Literal["azure_file_share"] = "azure_file_share"
    account: Account
    share: Container
    endpoint: Endpoint | None = None

    @property
    def place(self) -> str:
        """Account and share, for people to read."""
        return f"azurefile://{self.account}/{self.share}"


class ObjectStoreConfig(_Remote):
    """Any place that fsspec reaches, such as `s3://bucket/prefix`; `options` are its own, none of them secret."""

    type: Literal["object_store"] = "object_store"
    url: str
    options: dict[str, Scalar] = Field(default_factory=dict)

    @property
    def place(self) -> str:
        """The address."""
        return self.url


class SqlConfig(_Remote):
    """A database: tables and queries rather than files."""

    type: Literal["azure_sql_database", "azure_postgre_sql", "azure_my_sql"]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)]
    database: Annotated[str, Field(min_length=1)]
    ssl: bool = True

    @property
    def place(self) -> str:
        """Host, port and database, for people to read."""
        return f"{self.host}:{self.port}/{self.database}"


DatastoreConfig = Annotated[
    LocalConfig | AzureBlobConfig | AzureFileShareConfig | ObjectStoreConfig | SqlConfig, Field(discriminator="type")
]

_CONFIG: TypeAdapter[DatastoreConfig] = TypeAdapter(DatastoreConfig)


def parse_config(document: object) -> DatastoreConfig:
    """A configuration from what was stored of it; without a type it is a local folder. Raises ValidationError."""
    if isinstance(document, dict) and "type" not in document:
        document = {**document, "type": "local"}
    return _CONFIG.validate_python(document)
