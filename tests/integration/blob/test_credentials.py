"""With which connections a datastore on Blob opens, and what its user is told when it does not."""

from __future__ import annotations

import io
import json
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from airloom.errors import AirloomError, NotFound, StoreUnavailable
from airloom.storage.azure_datastore import AzureBlobDatastore
from tests.integration.blob.conftest import OpenDatastore
from tests.support.azurite import ACCOUNT, Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


def connect(monkeypatch: pytest.MonkeyPatch, **parts: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(parts))


def signature(azurite: Azurite, container: str, *, hours: int = 1, permission: str = "rcwdl") -> str:
    return generate_container_sas(
        ACCOUNT,
        container,
        account_key=azurite.key,
        permission=ContainerSasPermissions.from_string(permission),
        start=datetime.now(UTC) - timedelta(hours=9),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )


def use(datastore: AzureBlobDatastore) -> list[str]:
    datastore.write("x", io.BytesIO(b"1"))
    with datastore.open_read("x") as stream:
        assert stream.read() == b"1"
    return [info.path for info in datastore.list()]


@pytest.mark.parametrize(
    "kind", ["key", "extra key", "sas", "old sas", "connection string", "sas in a string", "store"]
)
def test_every_kind_of_secret_opens_it(
    open_blob: OpenDatastore, azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sas = signature(azurite, container)
    parts: dict[str, dict[str, object]] = {
        "key": {"login": ACCOUNT, "password": azurite.key},
        "extra key": {"extra": {"shared_access_key": azurite.key}},
        "sas": {"extra": {"sas_token": sas}},
        "old sas": {"extra": {"extra__wasb__sas_token": f"https://a.blob.core.windows.net/c?{sas}"}},
        "connection string": {"extra": {"connection_string": azurite.connection_string}},
        "sas in a string": {
            "extra": {"connection_string": f"BlobEndpoint={azurite.endpoint};SharedAccessSignature={sas}"}
        },
        "store": {},
    }
    connect(monkeypatch, **parts[kind])
    if kind == "store":
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
        assert use(open_blob(connection=None, endpoint=None)) == ["x"]
    else:
        assert use(open_blob(connection="other")) == ["x"]


def test_secrets_of_the_environment_are_not_taken_for_those_of_the_connection(
    open_blob: OpenDatastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCOUNT_KEY", "ACCESS_KEY", "SAS_TOKEN", "TOKEN", "ENDPOINT", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"AZURE_STORAGE_{name}", "c2VjcmV0")
    for name in ("STORAGE_USE_EMULATOR", "SKIP_SIGNATURE", "STORAGE_USE_FABRIC_ENDPOINT"):
        monkeypatch.setenv(f"AZURE_{name}", "true")
    assert use(open_blob(prefix="hostile environment")) == ["x"]


def refusal(datastore: AzureBlobDatastore, secret: str, *, write: bool = False) -> str:
    """The error of each use is the same, and shows no secret."""
    datastore.container.pauses = ()
    uses = [lambda: datastore.write("x", io.BytesIO(b"2"))]
    if not write:
        uses += [lambda: datastore.list(), lambda: datastore.open_read("x"), lambda: datastore.exists("x")]
    texts = set()
    for each in uses:
        with pytest.raises(StoreUnavailable) as caught:
            each()
        assert secret not in "".join(traceback.format_exception(caught.value))
        assert caught.value.target == "blobs"
        texts.add(str(caught.value))
    (text,) = texts
    return text


def test_a_wrong_key(open_blob: OpenDatastore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = azurite.key[::-1].replace("=", "") + "=="
    connect(monkeypatch, login=ACCOUNT, password=wrong)
    told = refusal(open_blob(connection="other"), wrong)
    assert told.startswith("The datastore 'blobs' (azure://airloomtests/test-")
    assert "cannot be used: it refuses the credentials (Auth" in told
    assert "Check the connection 'other', and the rights they give: to read, write, delete and list." in told


def test_a_key_that_is_none(open_blob: OpenDatastore, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, login=ACCOUNT, password="not a key!")
    with pytest.raises(StoreUnavailable, match="The account key in the connection 'other' is not a key") as caught:
        open_blob(connection="other")
    assert "not a key!" not in str(caught.value)


def test_a_signature_that_has_ended(
    open_blob: OpenDatastore, azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sas = signature(azurite, container, hours=-1)
    connect(monkeypatch, extra={"sas_token": sas})
    told = refusal(open_blob(connection="other"), sas[-20:])
    assert "the SAS expired at " in told
    assert told.endswith("Renew the connection 'other'.")


def test_a_signature_that_may_only_read(
    open_blob: OpenDatastore, azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_blob().write("x", io.BytesIO(b"1"))
    sas = signature(azurite, container, permission="rl")
    connect(monkeypatch, extra={"sas_token": sas})
    datastore = open_blob(connection="other")
    assert datastore.open_read("x").read() == b"1"
    assert "it refuses the credentials (AuthorizationPermissionMismatch)" in refusal(datastore, sas[-20:], write=True)
    assert datastore.open_read("x").read() == b"1"


def test_a_container_that_is_not_there(open_blob: OpenDatastore, azurite: Azurite) -> None:
    told = refusal(open_blob(container="no-such-container"), azurite.key)
    assert "the account 'airloomtests' has no container 'no-such-container'" in told


def test_a_service_that_does_not_answer(open_blob: OpenDatastore, azurite: Azurite) -> None:
    nobody = open_blob(endpoint=azurite.endpoint.replace(f":{azurite.port}/", ":1/"))
    nobody.container.pauses = ()
    with pytest.raises(StoreUnavailable, match=r"it cannot be reached \(Connection refused\)"):
        nobody.list()


def test_no_connection_and_no_account_of_that_name(open_blob: OpenDatastore, azurite: Azurite) -> None:
    with pytest.raises(NotFound, match="There is no connection 'missing'"):
        open_blob(connection="missing")


def test_a_connection_string_of_another_account(
    open_blob: OpenDatastore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, expected in (
        (azurite.connection_string.replace(ACCOUNT, "another", 1), "is for the account 'another'"),
        ("nonsense", "is not a connection string of a storage account"),
        (f"AccountName={ACCOUNT}", "is not a connection string of a storage account"),
    ):
        connect(monkeypatch, extra={"connection_string": text})
        with pytest.raises(AirloomError, match=expected) as caught:
            open_blob(connection="other")
        assert azurite.key not in str(caught.value)
