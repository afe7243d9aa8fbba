"""The credentials of a datastore as its owner gives them, and the connection that they become."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from airloom.errors import InvalidName
from airloom.graph.model import Model
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    DatastoreConfig,
    LocalConfig,
    ObjectStoreConfig,
    SqlConfig,
)
from airloom.storage.secrets import Connection


class Credentials(Model):
    """What opens a datastore, in one of the ways that its kind knows; none: with those of the deployment's own store.

    `connection` names a connection that Airflow has already. `options` are the secret ones of an object store.
    """

    connection: str | None = None
    account_key: SecretStr | None = None
    sas_token: SecretStr | None = None
    connection_string: SecretStr | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    options: dict[str, SecretStr] = Field(default_factory=dict)


class _Way(NamedTuple):
    name: str
    fields: frozenset[str]
    types: frozenset[str]


EXISTING = "Connection"
"""The type of credentials that are in a connection which somebody else has made."""

_BLOB = frozenset({"azure_blob", "azure_data_lake_gen2"})
_STORAGE = _BLOB | {"azure_file_share"}
_SQL = frozenset({"azure_sql_database", "azure_postgre_sql", "azure_my_sql"})
_OBJECTS = frozenset({"object_store"})
_PRINCIPAL = frozenset({"tenant_id", "client_id", "client_secret"})
_WAYS = (
    _Way("None", frozenset(), _STORAGE | _SQL | _OBJECTS | {"local"}),
    _Way(EXISTING, frozenset({"connection"}), _STORAGE | _SQL | _OBJECTS),
    _Way("AccountKey", frozenset({"account_key"}), _STORAGE),
    _Way("Sas", frozenset({"sas_token"}), _STORAGE),
    _Way("ConnectionString", frozenset({"connection_string"}), _STORAGE),
    _Way("ServicePrincipal", _PRINCIPAL, _BLOB | {"azure_sql_database"}),
    _Way("ManagedIdentity", frozenset({"client_id"}), _BLOB),
    _Way("SqlAuthentication", frozenset({"username", "password"}), _SQL),
    _Way("Options", frozenset({"options"}), _OBJECTS),
)


def credential_type(kind: str, credentials: Credentials) -> str:
    """By which way a datastore of a type is opened. InvalidName, without any secret, if it knows no such way."""
    given = {name for name in Credentials.model_fields if getattr(credentials, name)}
    ways = [way for way in _WAYS if kind in way.types]
    for way in ways:
        if way.fields == given:
            return way.name
    known = "; ".join(" and ".join(sorted(way.fields)) for way in ways if way.fields)
    raise InvalidName(
        f"A datastore of type {kind} is not opened by {' and '.join(sorted(given))}.",
        hint=f"Give one of these, or none: {known}." if known else "Give no credentials.",
        target="credentials",
    )


def connection_type(config: DatastoreConfig) -> str:
    """The type under which Airflow lists the connection, whose own hooks can then use it as well."""
    match config:
        case AzureBlobConfig():
            return "wasb"
        case AzureFileShareConfig():
            return "azure_fileshare"
        case ObjectStoreConfig():
            return _OF_SCHEME.get(urlsplit(config.url).scheme, "generic")
        case SqlConfig():
            return _OF_DATABASE[config.type]
        case LocalConfig():
            return "generic"


_OF_SCHEME = {"s3": "aws", "s3a": "aws", "gs": "google_cloud_platform", "gcs": "google_cloud_platform"}
_OF_DATABASE = {"azure_sql_database": "mssql", "azure_postgre_sql": "postgres", "azure_my_sql": "mysql"}


def connection_of(config: DatastoreConfig, credentials: Credentials) -> Connection:
    """The credentials as parts of a connection, which mean what they mean to Airflow's own connections."""
    extra: dict[str, str] = {name: _text(secret) for name, secret in credentials.options.items()}
    for name in ("sas_token", "connection_string"):
        if secret := getattr(credentials, name):
            extra[name] = _text(secret)
    if credentials.tenant_id:
        extra["tenant_id"] = credentials.tenant_id
    elif credentials.client_id:
        extra["managed_identity_client_id"] = credentials.client_id
    password = credentials.account_key or credentials.client_secret or credentials.password
    login = credentials.username or (credentials.client_id if credentials.client_secret else None)
    # Beside the secrets it says where the datastore is, for those who use the connection without it.
    return Connection(
        login=login or str(getattr(config, "account", "")),
        password=_text(password),
        host=str(getattr(config, "host", None) or getattr(config, "endpoint", None) or ""),
        port=getattr(config, "port", None),
        schema=str(getattr(config, "database", "")),
        extra=extra,
    )


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
