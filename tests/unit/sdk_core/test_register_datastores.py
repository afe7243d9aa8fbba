"""Registering datastores with v1's arguments: what the server is asked for, and what the object shows of it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from airloom.core import Datastore, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.data.azure_data_lake_datastore import AzureDataLakeGen2Datastore
from airloom.data.azure_my_sql_datastore import AzureMySqlDatastore
from airloom.data.azure_postgre_sql_datastore import AzurePostgreSqlDatastore
from airloom.data.azure_sql_database_datastore import AzureSqlDatabaseDatastore
from airloom.data.azure_storage_datastore import AzureBlobDatastore, AzureFileDatastore
from airloom.data.object_store_datastore import ObjectStoreDatastore
from airloom.exceptions import UserErrorException
from tests.unit.sdk_core.server import State

V1 = {
    "register_azure_blob_container": "workspace datastore_name container_name account_name sas_token account_key "
    "protocol endpoint overwrite create_if_not_exists skip_validation blob_cache_timeout grant_workspace_access "
    "subscription_id resource_group",
    "register_azure_file_share": "workspace datastore_name file_share_name account_name sas_token account_key protocol "
    "endpoint overwrite create_if_not_exists skip_validation",
    "register_azure_data_lake": "workspace datastore_name store_name tenant_id client_id client_secret resource_url "
    "authority_url subscription_id resource_group overwrite grant_workspace_access",
    "register_azure_data_lake_gen2": "workspace datastore_name filesystem account_name tenant_id client_id "
    "client_secret resource_url authority_url protocol endpoint overwrite subscription_id resource_group "
    "grant_workspace_access",
    "register_azure_sql_database": "workspace datastore_name server_name database_name tenant_id client_id "
    "client_secret resource_url authority_url endpoint overwrite username password subscription_id resource_group "
    "grant_workspace_access",
    "register_azure_postgre_sql": "workspace datastore_name server_name database_name user_id user_password "
    "port_number endpoint overwrite enforce_ssl",
    "register_azure_my_sql": "workspace datastore_name server_name database_name user_id user_password port_number "
    "endpoint overwrite",
}


@pytest.mark.parametrize("method", V1)
def test_arguments_are_those_of_v1_in_their_order(method: str) -> None:
    parameters = inspect.signature(getattr(Datastore, method)).parameters.values()
    assert [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD] == V1[method].split()


def credentials(state: State, name: str = "d") -> dict[str, Any]:
    found: dict[str, Any] = state.given[name]["credentials"]
    return found


class TestBlob:
    def test_with_a_key(self, ws: Workspace, state: State) -> None:
        found = Datastore.register_azure_blob_container(
            workspace=ws,
            datastore_name="d",
            container_name="raw",
            account_name="acme",
            account_key="a2V5",
            blob_cache_timeout=60,
            subscription_id="sub",
            resource_group="group",
            create_if_not_exists=True,
        )
        assert isinstance(found, AzureBlobDatastore)
        assert (found.datastore_type, found.account_name, found.container_name) == ("AzureBlob", "acme", "raw")
        assert (found.protocol, found.endpoint, found.is_sas) == ("https", "core.windows.net", False)
        assert (found.subscription_id, found.resource_group, found.blob_cache_timeout) == ("sub", "group", 60)
        assert (found.credential_type, found.connection) == ("AccountKey", "default.d")
        assert credentials(state) == {"account_key": "a2V5"}
        assert state.given["d"]["create_if_not_exists"] and not state.given["d"]["skip_validation"]
        assert "a2V5" not in str(vars(found)) and found.account_key is None

    def test_with_a_sas_in_another_cloud(self, ws: Workspace, state: State) -> None:
        found = Datastore.register_azure_blob_container(
            ws, "d", "raw", "acme", sas_token="?sig=x", endpoint="core.chinacloudapi.cn", skip_validation=True
        )
        assert (found.is_sas, found.endpoint, found.blob_cache_timeout) == (True, "core.chinacloudapi.cn", None)
        assert state.given["d"]["endpoint"] == "https://acme.blob.core.chinacloudapi.cn"
        assert state.given["d"]["skip_validation"] and found.sas_token is None

    def test_on_an_emulator(self, ws: Workspace) -> None:
        address = "http://127.0.0.1:10000/acme"
        found = Datastore.register_azure_blob_container(
            ws, "d", "raw", "acme", account_key="a2V5", endpoint=address, prefix="in/new"
        )
        assert (found.protocol, found.endpoint, found.prefix) == ("http", address, "in/new")

    def test_over_http(self, ws: Workspace, state: State) -> None:
        Datastore.register_azure_blob_container(ws, "d", "raw", "acme", account_key="a2V5", protocol="http")
        assert state.given["d"]["endpoint"] == "http://acme.blob.core.windows.net"

    @pytest.mark.parametrize(
        ("given", "kind"),
        [
            ({}, "None"),
            ({"connection_string": "AccountName=acme;AccountKey=a2V5"}, "ConnectionString"),
            ({"tenant_id": "t", "client_id": "c", "client_secret": "s"}, "ServicePrincipal"),
            ({"client_id": "c"}, "ManagedIdentity"),
            ({"connection": "my_wasb"}, "Connection"),
        ],
    )
    def test_other_credentials(self, ws: Workspace, state: State, given: dict[str, str], kind: str) -> None:
        found = Datastore.register_azure_blob_container(ws, "d", "raw", "acme", **given)
        assert (found.credential_type, credentials(state)) == (kind, given)

    def test_two_ways_in_are_refused(self, ws: Workspace, state: State) -> None:
        with pytest.raises(UserErrorException, match="one of account_key, sas_token"):
            Datastore.register_azure_blob_container(ws, "d", "raw", "acme", account_key="a2V5", sas_token="sig=x")
        assert "d" not in state.given

    def test_a_right_that_means_nothing_is_warned_of(self, ws: Workspace) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="grant_workspace_access"):
            Datastore.register_azure_blob_container(ws, "d", "raw", "acme", grant_workspace_access=True)


def test_a_file_share(ws: Workspace, state: State) -> None:
    found = Datastore.register_azure_file_share(
        ws, "d", "share1", "acme", account_key="a2V5", endpoint="core.usgovcloudapi.net"
    )
    assert isinstance(found, AzureFileDatastore)
    assert (found.datastore_type, found.container_name, found.endpoint) == (
        "AzureFile",
        "share1",
        "core.usgovcloudapi.net",
    )
    assert state.given["d"]["endpoint"] == "https://acme.file.core.usgovcloudapi.net"


def test_data_lake_gen2(ws: Workspace, state: State) -> None:
    with pytest.warns(IgnoredArgumentWarning, match="authority_url"):
        found = Datastore.register_azure_data_lake_gen2(
            workspace=ws,
            datastore_name="d",
            filesystem="test",
            account_name="acme",
            tenant_id="t",
            client_id="c",
            client_secret="s",
            authority_url="https://login.microsoftonline.com",
        )
    assert isinstance(found, AzureDataLakeGen2Datastore)
    assert (found.datastore_type, found.container_name) == ("AzureDataLakeGen2", "test")
    assert (found.tenant_id, found.client_id, found.client_secret) == ("t", "c", None)
    assert (found.authority_url, found.resource_url) == ("https://login.microsoftonline.com", None)
    assert credentials(state) == {"tenant_id": "t", "client_id": "c", "client_secret": "s"}


def test_azure_sql(ws: Workspace, state: State) -> None:
    found = Datastore.register_azure_sql_database(
        ws, "d", server_name="srv", database_name="db", username="me", password="p"
    )
    assert isinstance(found, AzureSqlDatabaseDatastore)
    assert (found.server_name, found.host, found.port_number) == ("srv", "srv.database.windows.net", 1433)
    assert (found.database_name, found.username, found.password) == ("db", "me", None)
    assert (found.datastore_type, found.credential_type) == ("AzureSqlDatabase", "SqlAuthentication")
    by_principal = Datastore.register_azure_sql_database(
        ws, "d", "srv", "db", tenant_id="t", client_id="c", client_secret="s", overwrite=True
    )
    assert (by_principal.tenant_id, by_principal.client_id, by_principal.client_secret) == ("t", "c", None)
    assert credentials(state) == {"tenant_id": "t", "client_id": "c", "client_secret": "s"}


def test_postgres(ws: Workspace) -> None:
    found = Datastore.register_azure_postgre_sql(ws, "d", "localhost", "db", "me", "p", 5433, enforce_ssl=False)
    assert isinstance(found, AzurePostgreSqlDatastore)
    assert (found.host, found.port_number, found.enforce_ssl, found.user_id) == ("localhost", 5433, False, "me")
    azure = Datastore.register_azure_postgre_sql(ws, "e", "srv", "db", "me", "p")
    assert (azure.host, azure.port_number, azure.enforce_ssl) == ("srv.postgres.database.azure.com", 5432, True)
    assert (azure.datastore_type, azure.user_password) == ("AzurePostgreSql", None)


def test_mysql(ws: Workspace) -> None:
    found = Datastore.register_azure_my_sql(ws, "d", "srv", "db", "me", "p", endpoint="")
    assert isinstance(found, AzureMySqlDatastore)
    assert (found.host, found.port_number, found.datastore_type) == ("srv", 3306, "AzureMySql")


def test_an_object_store(ws: Workspace, state: State) -> None:
    found = Datastore.register_object_store(
        ws, "d", "s3://bucket/in", {"region": "eu-west-1"}, {"key": "k", "secret": "s"}, tags={"team": "a"}
    )
    assert isinstance(found, ObjectStoreDatastore)
    assert (found.url, found.options, found.tags) == ("s3://bucket/in", {"region": "eu-west-1"}, {"team": "a"})
    assert credentials(state) == {"options": {"key": "k", "secret": "s"}}
    assert (found.datastore_type, found.credential_type) == ("object_store", "Options")
