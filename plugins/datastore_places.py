"""Where a datastore may lie: what its owner asks for becomes a configuration, or a clear refusal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from airloom.errors import InvalidName, UnsafePath
from airloom.plugins.errors import BadRequest
from airloom.plugins.settings import Settings
from airloom.storage.datastore_config import (
    AzureBlobConfig,
    AzureFileShareConfig,
    DatastoreConfig,
    LocalConfig,
    ObjectStoreConfig,
    parse_config,
)
from airloom.storage.paths import check_name, is_inside
from airloom.storage.workspace import WorkspaceStore

OBJECT_SCHEMES = frozenset(
    [
        "s3",
        "s3a",
        "gs",
        "gcs",
        "abfs",
        "abfss",
        "az",
        "adl",
        "http",
        "https",
        "ftp",
        "sftp",
        "ssh",
        "smb",
        "hdfs",
        "webhdfs",
        "oci",
        "oss",
        "dbfs",
        "hf",
        "webdav",
        "b2",
    ]
)
"""Where an object store may be. Other schemes of fsspec may read the server's own disk."""

_SECRET_WORDS = ("secret", "password", "passwd", "token", "credential", "account_key", "private", "sas")
_AZURE_CLOUDS = ("core.windows.net", "core.usgovcloudapi.net", "core.chinacloudapi.cn")


def config_of_request(
    settings: Settings, storage: WorkspaceStore, *, name: str, kind: str, fields: Mapping[str, Any]
) -> DatastoreConfig:
    """The configuration of a datastore that somebody asks for. Raises an AirloomError that says what is wrong."""
    check_name("datastore", name)
    if kind == "local" and not fields:
        return default_config(settings, storage, name)
    config = _parsed({"name": name, "type": kind, **fields})
    if isinstance(config, LocalConfig):
        return LocalConfig(name=name, root=str(_allowed_root(settings, storage, config.root)))
    if isinstance(config, ObjectStoreConfig):
        _check_object_store(config)
    return config


def default_config(settings: Settings, storage: WorkspaceStore, name: str) -> DatastoreConfig:
    """Where a datastore lies for which no place is given: in the store, or below data_root if that is set and remote.

    In a container it is a part of that container, opened with the credentials of the store.
    """
    on_disk = storage.store.local_path("any") is not None
    if settings.data_root is not None and not on_disk:
        return LocalConfig(name=name, root=str(_below_data_root(settings.data_root, storage, name)))
    if on_disk:
        return LocalConfig(name=name, root=str(storage.default_datastore_root(name)))
    account, container, prefix = _container(settings.store)
    inside = "/".join(filter(None, (prefix, storage.key("data", check_name("datastore", name)))))
    return AzureBlobConfig(name=name, type="azure_blob", account=account, container=container, prefix=inside)


def check_without_credentials(settings: Settings, storage: WorkspaceStore, config: DatastoreConfig) -> None:
    """UnsafePath if a datastore without credentials of its own would give away those of the store, or what is in it."""
    if isinstance(config, AzureBlobConfig | AzureFileShareConfig) and not _is_azure(config.account, config.endpoint):
        raise UnsafePath(
            f"The endpoint of the datastore {config.name!r} would be sent the credentials of Airloom's own store.",
            hint="Give the datastore credentials of its own, or leave out the endpoint.",
            target="endpoint",
        )
    if isinstance(config, AzureBlobConfig):
        _check_outside_of_store(settings.store, storage, config)


def _check_outside_of_store(store: str, storage: WorkspaceStore, config: AzureBlobConfig) -> None:
    if urlsplit(store).scheme != "azure":
        return
    account, container, prefix = _container(store)
    own = "/".join(filter(None, (prefix, storage.key("data"))))
    if (config.account, config.container) != (account, container) or config.prefix.startswith(f"{own}/"):
        return
    raise UnsafePath(
        f"The datastore {config.name!r} would lie in the container of Airloom's own store.",
        hint=f"Choose another container, a prefix below {own!r}, or give the datastore credentials of its own.",
        target="container",
    )


def _container(store: str) -> tuple[str, str, str]:
    from airloom.storage.azure_account import AzureAddress

    address = AzureAddress.parse(store)
    return address.account, address.container, address.prefix


def _is_azure(account: str, endpoint: str | None) -> bool:
    """True for an address at which only Azure itself listens, under the name of the account."""
    hosts = {f"{account}.{service}.{cloud}" for service in ("blob", "dfs", "file") for cloud in _AZURE_CLOUDS}
    return endpoint is None or (urlsplit(endpoint).scheme == "https" and urlsplit(endpoint).netloc in hosts)


def _parsed(document: Mapping[str, Any]) -> DatastoreConfig:
    try:
        return parse_config(document)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'][1:])) or 'type'}: {problem['msg']}" for problem in error.errors()
        ]
        raise BadRequest(
            f"A datastore of type {document['type']} cannot be made of this. {'; '.join(problems[:3])}.",
            hint="See docs/datastores.md for the fields of each type.",
            target=str(document["name"]),
        ) from None


def _check_object_store(config: ObjectStoreConfig) -> None:
    parts = urlsplit(config.url)
    if parts.scheme not in OBJECT_SCHEMES or "::" in config.url:
        raise UnsafePath(
            f"A datastore may not lie at an address that begins with {config.url.partition('/')[0]!r}.",
            hint="Name an object store, such as s3://BUCKET/prefix; a folder is a datastore of type local.",
            target="url",
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidName(
            "The url of a datastore may hold no credentials, as it is stored and shown.",
            hint="Give them as credentials: their options, or a connection.",
            target="url",
        )
    for option in config.options:
        if option in ("key", "pat") or any(word in option.lower() for word in _SECRET_WORDS):
            raise InvalidName(
                f"The option {option!r} may be a secret, and options are stored and shown.",
                hint="Give it in the options of the credentials instead.",
                target=option,
            )


def _allowed_root(settings: Settings, storage: WorkspaceStore, root: str) -> Path:
    """The folder, if administrators let it be given away. Whoever may use a datastore reads all that lies in it."""
    path = os.path.realpath(root)
    allowed = (*_own_roots(settings, storage), *settings.local_roots)
    if any(is_inside(path, os.path.realpath(folder)) for folder in allowed):
        return Path(path)
    raise UnsafePath(
        f"A datastore may not have the root {root!r}.",
        hint="Allowed are absolute folders below local_roots in section [airloom] of airflow.cfg.",
        target="root",
    )


def _own_roots(settings: Settings, storage: WorkspaceStore) -> list[Path]:
    """The folder of this workspace in which its datastores lie, if they are on disk."""
    default = default_config(settings, storage, "any")
    return [Path(default.root).parent] if isinstance(default, LocalConfig) else []


def _below_data_root(data_root: Path, storage: WorkspaceStore, name: str) -> Path:
    if not data_root.is_absolute():
        raise InvalidName(
            f"The setting data_root is {str(data_root)!r}, which is not absolute.",
            hint="Set data_root in section [airloom] of airflow.cfg to an absolute folder.",
            target="data_root",
        )
    return data_root / storage.workspace / check_name("datastore", name)
