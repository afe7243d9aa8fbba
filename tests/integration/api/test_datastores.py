"""Registering datastores of all kinds: where the secrets go, what is refused, and what is left when one goes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from airloom.client import Client
from airloom.exceptions import AlreadyExistsException, NotFoundException, ServiceException, UserErrorException
from tests.integration.api.server import ApiServer
from tests.support import azure_files as azure_files_support
from tests.support.azure_files import AzureFiles
from tests.support.azurite import ACCOUNT, Azurite
from tests.support.moto_s3 import MotoS3

SECRET = "correct-horse-battery-staple"
POSTGRES = {"type": "azure_postgre_sql", "host": "db.example.com", "port": 5432, "database": "sales"}
WITH_PASSWORD = {"username": "me", "password": SECRET}


def airflow_connection(server: ApiServer, conn_id: str) -> dict[str, Any] | None:
    """The connection as Airflow itself tells it, with its secrets masked."""
    answer = server.http("admin").get(f"{server.url}/api/v2/connections/{conn_id}")
    return answer.json() if answer.status_code == 200 else None


def test_secrets_become_a_connection_and_are_nowhere_else(server: ApiServer, admin: Client, workspace: str) -> None:
    body = {**POSTGRES, "name": "sales", "credentials": WITH_PASSWORD, "properties": {"user_id": "me"}}
    made = admin.create_datastore(workspace, body)
    assert (made["host"], made["port"], made["database"], made["ssl"]) == ("db.example.com", 5432, "sales", True)
    assert (made["connection"], made["credential_type"]) == (f"{workspace}.sales", "SqlAuthentication")
    assert (made["place"], made["properties"]) == ("db.example.com:5432/sales", {"user_id": "me"})
    connection = airflow_connection(server, f"{workspace}.sales")
    assert connection is not None
    assert (connection["conn_type"], connection["login"], connection["host"]) == ("postgres", "me", "db.example.com")
    assert SECRET not in str([made, admin.get_datastore(workspace, "sales"), admin.list_datastores(workspace)])
    mirror = server.store / f"workspaces/{workspace}/datastores/sales.json"
    assert f"{workspace}.sales" in mirror.read_text()
    assert SECRET not in mirror.read_text() and SECRET not in server.log()


def test_secrets_are_encrypted_at_rest(sqlite_server: ApiServer) -> None:
    client, name = sqlite_server.client(), f"d{uuid4().hex[:8]}"
    client.create_datastore("default", {**POSTGRES, "name": name, "credentials": WITH_PASSWORD})
    with sqlite3.connect(sqlite_server.database.removeprefix("sqlite:///")) as database:
        found = "\n".join(database.iterdump())
    assert f"default.{name}" in found and SECRET not in found


def test_a_new_registration_leaves_nothing_of_the_old_secrets(server: ApiServer, admin: Client, workspace: str) -> None:
    conn_id = f"{workspace}.moved"
    admin.create_datastore(workspace, {**POSTGRES, "name": "moved", "credentials": WITH_PASSWORD})
    store = {"name": "moved", "type": "object_store", "url": "s3://bucket/in", "overwrite": True}
    options = {"credentials": {"options": {"key": "k", "secret": SECRET}}, "skip_validation": True}
    assert admin.create_datastore(workspace, {**store, **options})["type"] == "object_store"
    connection = airflow_connection(server, conn_id)
    assert connection is not None
    assert (connection["conn_type"], connection["login"], connection["password"]) == ("aws", None, None)
    assert connection["extra"] is not None and SECRET not in connection["extra"]
    admin.create_datastore(workspace, {"name": "moved", "overwrite": True})
    assert airflow_connection(server, conn_id) is None
    assert admin.get_datastore(workspace, "moved")["connection"] is None


def test_secrets_go_with_the_datastore_and_with_the_workspace(server: ApiServer, admin: Client, workspace: str) -> None:
    for name in ("first", "second"):
        admin.create_datastore(workspace, {**POSTGRES, "name": name, "credentials": WITH_PASSWORD})
    admin.delete_datastore(workspace, "first")
    assert airflow_connection(server, f"{workspace}.first") is None
    assert airflow_connection(server, f"{workspace}.second") is not None
    admin.delete_workspace(workspace)
    assert airflow_connection(server, f"{workspace}.second") is None


def test_a_connection_of_somebody_else_is_used_and_left_alone(server: ApiServer, admin: Client, workspace: str) -> None:
    theirs = f"theirs-{workspace}"
    http = server.http("admin")
    new = {"connection_id": theirs, "conn_type": "postgres", "login": "x", "password": SECRET}
    assert http.post(f"{server.url}/api/v2/connections", json=new).status_code == 201
    body = {**POSTGRES, "name": "sales", "credentials": {"connection": theirs}}
    made = admin.create_datastore(workspace, body)
    assert (made["connection"], made["credential_type"]) == (theirs, "Connection")
    admin.delete_datastore(workspace, "sales")
    assert airflow_connection(server, theirs) is not None


def test_a_connection_that_happens_to_have_the_name_is_not_overwritten(
    server: ApiServer, admin: Client, workspace: str
) -> None:
    taken = {"connection_id": f"{workspace}.sales", "conn_type": "postgres", "login": "x", "password": SECRET}
    assert server.http("admin").post(f"{server.url}/api/v2/connections", json=taken).status_code == 201
    with pytest.raises(AlreadyExistsException, match="which Airloom has not made"):
        admin.create_datastore(workspace, {**POSTGRES, "name": "sales", "credentials": WITH_PASSWORD})
    found = airflow_connection(server, f"{workspace}.sales")
    assert found is not None and found["login"] == "x"
    assert "sales" not in {store["name"] for store in admin.list_datastores(workspace)}
    mirror = server.store / f"workspaces/{workspace}/datastores/sales.json"
    assert not mirror.exists()


def test_its_own_connection_named_again_stays_its_own(server: ApiServer, admin: Client, workspace: str) -> None:
    admin.create_datastore(workspace, {**POSTGRES, "name": "sales", "credentials": WITH_PASSWORD})
    again = {**POSTGRES, "name": "sales", "port": 5433, "overwrite": True}
    changed = admin.create_datastore(workspace, {**again, "credentials": {"connection": f"{workspace}.sales"}})
    assert (changed["port"], changed["credential_type"]) == (5433, "SqlAuthentication")
    admin.delete_datastore(workspace, "sales")
    assert airflow_connection(server, f"{workspace}.sales") is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "azure_blob", "account": "acme"}, "container: Field required"),
        ({"type": "azure_blob", "account": "evil.com/", "container": "data"}, "account: String should match"),
        ({"type": "azure_blob", "account": "acme", "container": "data", "prefix": "../x"}, r"contains .\.\.."),
        ({"type": "azure_blob", "account": "acme", "container": "data", "root": "/x"}, "root: Extra inputs"),
        ({"type": "object_store", "url": "file:///etc"}, "may not lie at an address that begins with 'file:'"),
        ({"type": "object_store", "url": "simplecache::s3://b"}, "may not lie at an address"),
        ({"type": "object_store", "url": "s3://key:secret@bucket"}, "may hold no credentials"),
        ({"type": "object_store", "url": "s3://b", "options": {"secret": "s"}}, "may be a secret"),
        ({"type": "local", "credentials": {"account_key": "a2V5"}}, "is not opened by account_key"),
        ({**POSTGRES, "credentials": {"username": "me"}}, "password and username"),
        ({**POSTGRES, "host": "a/b"}, "host: String should match"),
        ({"type": "azure_blob", "account": "acme", "container": "data", "endpoint": "http://10.0.0.1/acme"}, "be sent"),
    ],
)
def test_what_cannot_be_registered(admin: Client, workspace: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(UserErrorException, match=message):
        admin.create_datastore(workspace, {"name": "bad", "skip_validation": True, **body})
    assert "bad" not in {store["name"] for store in admin.list_datastores(workspace)}


def test_a_secret_in_a_wrong_place_is_not_repeated(server: ApiServer, admin: Client, workspace: str) -> None:
    body = {"name": "bad", "type": "object_store", "url": f"s3://key:{SECRET}@bucket"}
    with pytest.raises(UserErrorException) as caught:
        admin.create_datastore(workspace, body)
    with pytest.raises(UserErrorException) as misspelt:
        admin.create_datastore(workspace, {"name": "bad", "credentials": {"pasword": SECRET}})
    with pytest.raises(UserErrorException) as endpoint:
        place = {"type": "azure_blob", "account": "acme", "container": "data", "endpoint": f"https://x/?sig={SECRET}"}
        admin.create_datastore(workspace, {"name": "bad", **place})
    assert SECRET not in f"{caught.value} {misspelt.value} {endpoint.value} {server.log()}"


def test_a_database_holds_no_files(admin: Client, workspace: str) -> None:
    admin.create_datastore(workspace, {**POSTGRES, "name": "sales", "credentials": WITH_PASSWORD})
    with pytest.raises(UserErrorException, match="of type azure_postgre_sql holds no files"):
        admin.list_files(workspace, "sales")


class TestOnShares:
    """On the stand-in for Azure Files, which works out each signature anew."""

    @pytest.fixture
    def body(self, azure_files: AzureFiles) -> dict[str, Any]:
        place = {"type": "azure_file_share", "account": azure_files_support.ACCOUNT, "endpoint": azure_files.endpoint}
        return {**place, "name": "shared", "credentials": {"account_key": azure_files.key}}

    def test_files_travel(self, admin: Client, workspace: str, body: dict[str, Any], azure_files: AzureFiles) -> None:
        admin.create_datastore(workspace, {**body, "share": azure_files.new_share()})
        admin.upload_file(workspace, "shared", "a/b.txt", b"data")
        assert [file["path"] for file in admin.list_files(workspace, "shared")] == ["a/b.txt"]
        assert b"".join(admin.download_file(workspace, "shared", "a/b.txt")) == b"data"

    def test_a_missing_share_is_told_or_made(self, admin: Client, workspace: str, body: dict[str, Any]) -> None:
        missing = {**body, "share": f"new-{uuid4().hex[:12]}"}
        with pytest.raises(UserErrorException, match="has no share 'new-"):
            admin.create_datastore(workspace, missing)
        admin.create_datastore(workspace, {**missing, "create_if_not_exists": True})
        admin.create_datastore(workspace, {**missing, "create_if_not_exists": True, "overwrite": True})
        assert admin.list_files(workspace, "shared") == []

    def test_a_wrong_key_is_told(
        self, admin: Client, workspace: str, body: dict[str, Any], azure_files: AzureFiles
    ) -> None:
        wrong = {**body, "share": azure_files.new_share(), "credentials": {"account_key": "bm90IHRoZSBrZXk="}}
        with pytest.raises(UserErrorException, match=r"was not registered.*refuses the credentials"):
            admin.create_datastore(workspace, wrong)


class TestOnS3:
    """On moto's server, which speaks as Amazon's does."""

    def test_files_travel(self, server: ApiServer, admin: Client, workspace: str, moto_s3: MotoS3) -> None:
        place = {"type": "object_store", "url": f"s3://{moto_s3.new_bucket()}/in", "options": moto_s3.options}
        credentials = {"options": {"key": "an-id", "secret": SECRET}}
        made = admin.create_datastore(workspace, {**place, "name": "bucket", "credentials": credentials})
        assert (made["url"], made["credential_type"]) == (place["url"], "Options")
        admin.upload_file(workspace, "bucket", "a/b.txt", b"data")
        assert [file["path"] for file in admin.list_files(workspace, "bucket")] == ["a/b.txt"]
        assert SECRET not in server.log()

    def test_a_missing_bucket_is_told(self, admin: Client, workspace: str, moto_s3: MotoS3) -> None:
        place = {"type": "object_store", "url": f"s3://none-{uuid4().hex}", "options": moto_s3.options}
        credentials = {"options": {"key": "an-id", "secret": SECRET}}
        with pytest.raises(UserErrorException, match="was not registered"):
            admin.create_datastore(workspace, {**place, "name": "bucket", "credentials": credentials})


@pytest.mark.azurite
class TestOnBlob:
    """On an emulator, which refuses what Azure refuses."""

    @pytest.fixture
    def place(self, azurite: Azurite) -> dict[str, Any]:
        container = azurite.new_store().rpartition("/")[2]
        return {"type": "azure_blob", "account": ACCOUNT, "container": container, "endpoint": azurite.endpoint}

    @pytest.fixture
    def key(self, azurite: Azurite) -> dict[str, str]:
        return {"account_key": azurite.key}

    def sas(self, azurite: Azurite, container: str, days: int) -> dict[str, str]:
        until = datetime.now(UTC) + timedelta(days=days)
        rights = ContainerSasPermissions(read=True, write=True, delete=True, list=True)
        token = generate_container_sas(ACCOUNT, container, azurite.key, permission=rights, expiry=until)
        return {"sas_token": f"?{token}"}

    def test_files_travel_by_key(
        self, admin: Client, workspace: str, place: dict[str, Any], key: dict[str, str], azurite: Azurite
    ) -> None:
        made = admin.create_datastore(workspace, {**place, "name": "blobs", "credentials": key, "prefix": "in"})
        assert (made["credential_type"], made["prefix"]) == ("AccountKey", "in")
        admin.upload_file(workspace, "blobs", "a/b.txt", b"data")
        assert azurite.client().get_blob_client(place["container"], "in/a/b.txt").download_blob().readall() == b"data"
        assert [file["path"] for file in admin.list_files(workspace, "blobs")] == ["a/b.txt"]
        assert b"".join(admin.download_file(workspace, "blobs", "a/b.txt")) == b"data"
        admin.delete_file(workspace, "blobs", "a/b.txt")
        assert admin.list_files(workspace, "blobs") == []

    def test_files_travel_by_sas_and_by_connection_string(
        self, admin: Client, workspace: str, place: dict[str, Any], azurite: Azurite
    ) -> None:
        ways = (self.sas(azurite, place["container"], 1), {"connection_string": azurite.connection_string})
        for number, credentials in enumerate(ways):
            admin.create_datastore(workspace, {**place, "name": f"d{number}", "credentials": credentials})
            admin.upload_file(workspace, f"d{number}", f"{number}.txt", b"data")
        assert [file["path"] for file in admin.list_files(workspace, "d0")] == ["0.txt", "1.txt"]

    def test_wrong_credentials_are_told_at_once(
        self, admin: Client, workspace: str, place: dict[str, Any], azurite: Azurite
    ) -> None:
        wrong = [
            ({"account_key": "bm90IHRoZSBrZXk="}, "refuses the credentials"),
            ({"account_key": SECRET}, "not written in base64"),
            (self.sas(azurite, place["container"], -1), "the SAS expired at"),
            ({"connection_string": "nonsense"}, "is not a connection string"),
            ({"connection": f"none-{workspace}"}, f"Airflow has no connection 'none-{workspace}'"),
        ]
        for credentials, message in wrong:
            with pytest.raises(UserErrorException, match=message) as caught:
                admin.create_datastore(workspace, {**place, "name": "bad", "credentials": credentials})
            assert "was not registered" in str(caught.value)
            assert not any(secret in str(caught.value) for name, secret in credentials.items() if name != "connection")
        with pytest.raises(NotFoundException):
            admin.get_datastore(workspace, "bad")

    def test_a_missing_container_is_told_or_made(
        self, server: ApiServer, admin: Client, workspace: str, place: dict[str, Any], key: dict[str, str]
    ) -> None:
        body = {**place, "name": "new", "container": f"new-{uuid4().hex}", "credentials": key}
        with pytest.raises(UserErrorException, match="has no container 'new-"):
            admin.create_datastore(workspace, body)
        assert airflow_connection(server, f"{workspace}.new") is None
        admin.create_datastore(workspace, {**body, "create_if_not_exists": True})
        admin.create_datastore(workspace, {**body, "create_if_not_exists": True, "overwrite": True})
        assert admin.list_files(workspace, "new") == []

    def test_unchecked_it_fails_when_it_is_used(
        self, admin: Client, workspace: str, place: dict[str, Any], key: dict[str, str]
    ) -> None:
        body = {**place, "name": "later", "container": "none-of-that", "credentials": key, "skip_validation": True}
        admin.create_datastore(workspace, body)
        with pytest.raises(ServiceException, match="has no container 'none-of-that'"):
            admin.list_files(workspace, "later")

    def test_a_connection_of_airflows_own_convention_serves(
        self, server: ApiServer, admin: Client, workspace: str, place: dict[str, Any], azurite: Azurite
    ) -> None:
        new = {"connection_id": f"wasb-{workspace}", "conn_type": "wasb", "login": ACCOUNT, "password": azurite.key}
        assert server.http("admin").post(f"{server.url}/api/v2/connections", json=new).status_code == 201
        body = {**place, "name": "theirs", "credentials": {"connection": f"wasb-{workspace}"}}
        admin.create_datastore(workspace, body)
        admin.upload_file(workspace, "theirs", "a.txt", b"data")
        assert [file["path"] for file in admin.list_files(workspace, "theirs")] == ["a.txt"]
