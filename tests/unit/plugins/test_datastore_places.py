"""Where a datastore may lie: what would give away the store, its credentials or the server's disk is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airloom.errors import AirloomError, UnsafePath
from airloom.plugins.datastore_places import (
    OBJECT_SCHEMES,
    check_without_credentials,
    config_of_request,
    default_config,
)
from airloom.plugins.settings import Settings, load_settings
from airloom.storage.datastore_config import AzureBlobConfig, LocalConfig, parse_config
from airloom.storage.object_store import open_store
from airloom.storage.workspace import WorkspaceStore

CONTAINER = "azure://acme/airloom/prod"


@pytest.fixture
def on_disk(store: str) -> Settings:
    return load_settings()


@pytest.fixture
def on_blob(store: str) -> Settings:
    return replace(load_settings(), store=CONTAINER)


def storage(settings: Settings) -> WorkspaceStore:
    return WorkspaceStore(open_store(settings.store), "lab")


def test_the_default_is_a_folder_of_a_store_on_disk(on_disk: Settings) -> None:
    config = default_config(on_disk, storage(on_disk), "workspaceblobstore")
    assert isinstance(config, LocalConfig)
    assert config.root.endswith("/workspaces/lab/data/workspaceblobstore")


def test_the_default_is_a_part_of_the_container(on_blob: Settings) -> None:
    config = default_config(on_blob, storage(on_blob), "workspaceblobstore")
    assert config == AzureBlobConfig(
        name="workspaceblobstore",
        account="acme",
        container="airloom",
        prefix="prod/workspaces/lab/data/workspaceblobstore",
    )
    check_without_credentials(on_blob, storage(on_blob), config)
    assert config_of_request(on_blob, storage(on_blob), name="d", kind="local", fields={}).type == "azure_blob"


def test_data_root_keeps_data_on_disk_beside_a_container(on_blob: Settings, tmp_path: Path) -> None:
    beside = replace(on_blob, data_root=tmp_path)
    config = default_config(beside, storage(beside), "d")
    assert config == LocalConfig(name="d", root=str(tmp_path / "lab" / "d"))
    inside = {"root": str(tmp_path / "lab" / "other")}
    assert config_of_request(beside, storage(beside), name="d", kind="local", fields=inside).type == "local"
    with pytest.raises(AirloomError, match="not absolute"):
        default_config(replace(on_blob, data_root=Path("data")), storage(on_blob), "d")


def test_no_folder_is_allowed_beside_a_container_without_data_root(on_blob: Settings, tmp_path: Path) -> None:
    with pytest.raises(UnsafePath, match="may not have the root"):
        config_of_request(on_blob, storage(on_blob), name="d", kind="local", fields={"root": str(tmp_path)})


@pytest.mark.parametrize(
    ("container", "prefix"),
    [
        ("airloom", ""),
        ("airloom", "prod"),
        ("airloom", "prod/workspaces/other/data/d"),
        ("airloom", "prod/workspaces/lab/reuse"),
        ("airloom", "prod/workspaces/lab/data"),
        ("airloom", "prod/workspaces/lab/database"),
    ],
)
def test_the_store_is_not_given_away(on_blob: Settings, container: str, prefix: str) -> None:
    config = AzureBlobConfig(name="d", account="acme", container=container, prefix=prefix)
    with pytest.raises(UnsafePath, match="in the container of Airloom's own store"):
        check_without_credentials(on_blob, storage(on_blob), config)


def test_other_containers_are_opened_as_the_store_is(on_blob: Settings, on_disk: Settings) -> None:
    for config in (
        AzureBlobConfig(name="d", account="acme", container="other"),
        AzureBlobConfig(name="d", account="acme", container="airloom", prefix="prod/workspaces/lab/data/mine"),
        AzureBlobConfig(name="d", account="acme", container="other", endpoint="https://acme.blob.core.windows.net"),
    ):
        check_without_credentials(on_blob, storage(on_blob), config)
        check_without_credentials(on_disk, storage(on_disk), config)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example.com",
        "http://acme.blob.core.windows.net",
        "https://acme.blob.core.windows.net.evil.com",
        "https://acme.blob.core.windows.net:8443",
        "https://other.blob.core.windows.net",
    ],
)
def test_the_credentials_of_the_store_are_sent_to_azure_only(on_disk: Settings, endpoint: str) -> None:
    for document in ({"type": "azure_blob", "container": "raw"}, {"type": "azure_file_share", "share": "raw"}):
        config = parse_config({**document, "name": "d", "account": "acme", "endpoint": endpoint})
        with pytest.raises(UnsafePath, match="would be sent the credentials"):
            check_without_credentials(on_disk, storage(on_disk), config)


@pytest.mark.parametrize("url", ["file:///etc", "/etc", "local:///etc", "zip://x::s3://b", "git:///srv", "memory://x"])
def test_an_object_store_is_not_the_disk_of_the_server(on_disk: Settings, url: str) -> None:
    with pytest.raises(UnsafePath, match="may not lie at an address"):
        config_of_request(on_disk, storage(on_disk), name="d", kind="object_store", fields={"url": url})
    assert not {"file", "local", "dir", "memory", "zip", "tar", "git", "reference", "simplecache"} & OBJECT_SCHEMES


@pytest.mark.parametrize("option", ["key", "secret", "aws_secret_access_key", "session_token", "password", "sas"])
def test_options_that_are_shown_hold_no_secrets(on_disk: Settings, option: str) -> None:
    fields = {"url": "s3://bucket", "options": {option: "hidden"}}
    with pytest.raises(AirloomError, match="may be a secret") as caught:
        config_of_request(on_disk, storage(on_disk), name="d", kind="object_store", fields=fields)
    assert "hidden" not in str(caught.value)
