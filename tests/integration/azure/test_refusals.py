"""What a user is told when the store cannot be used: what was wrong and what to do, and never a secret."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from airloom.errors import AirloomError, InvalidName, StoreUnavailable
from airloom.storage.azure_account import AzureAddress
from airloom.storage.azure_blob import AzureBlobStore
from airloom.storage.object_store import open_store
from tests.support.azurite import ACCOUNT, Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

Use = Callable[[AzureBlobStore], object]
USES: dict[str, Use] = {
    "get": lambda store: store.get("k"),
    "open_read": lambda store: store.open_read("k"),
    "put": lambda store: store.put("k", b""),
    "put_if_absent": lambda store: store.put_if_absent("k", b""),
    "update": lambda store: store.update("k", lambda old: b""),
    "exists": lambda store: store.exists("k"),
    "delete": lambda store: store.delete("k"),
    "list": lambda store: list(store.list()),
    "etag": lambda store: store.etag("k"),
    "info": lambda store: store.info("k"),
    "touch": lambda store: store.touch("k"),
    "delete_exactly": lambda store: store.delete_exactly("k", b""),
    "delete_if_unused": lambda store: store.delete_if_unused("k", datetime.now(UTC)),
}
each_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


def sas(azurite: Azurite, address: AzureAddress, *, hours: int, permission: str = "rcwdl") -> str:
    """A signature for the container, which ends in so many hours; it may have ended already."""
    return generate_container_sas(
        ACCOUNT,
        address.container,
        account_key=azurite.key,
        permission=ContainerSasPermissions.from_string(permission),
        start=datetime.now(UTC) - timedelta(hours=9),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )


def with_sas(monkeypatch: pytest.MonkeyPatch, azurite: Azurite, signature: str) -> None:
    text = f"BlobEndpoint={azurite.endpoint};SharedAccessSignature={signature}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)


@each_use
def test_a_container_that_does_not_exist(address: AzureAddress, use: Use) -> None:
    store = AzureBlobStore(AzureAddress(address.account, "no-such-container"))
    with pytest.raises(
        StoreUnavailable, match=r"has no container 'no-such-container'\. Make it \(az storage"
    ) as caught:
        use(store)
    assert caught.value.target == str(store.address)


@each_use
def test_a_wrong_key(store: AzureBlobStore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, use: Use) -> None:
    wrong = azurite.connection_string.replace(azurite.key, azurite.key[::-1].replace("=", "") + "==")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    with pytest.raises(StoreUnavailable, match=r"refuses the credentials .*Check AZURE_STORAGE_KEY"):
        use(store)


@each_use
def test_an_expired_signature(
    store: AzureBlobStore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, use: Use
) -> None:
    with_sas(monkeypatch, azurite, sas(azurite, store.address, hours=-1))
    with pytest.raises(StoreUnavailable, match=r"the SAS expired at .*Renew AZURE_STORAGE_SAS_TOKEN"):
        use(store)


@each_use
def test_a_service_that_does_not_answer(
    store: AzureBlobStore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, use: Use
) -> None:
    nobody = azurite.connection_string.replace(str(azurite.port), "1")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", nobody)
    with pytest.raises(StoreUnavailable, match=r"cannot be reached \(Connection refused\)\. Check the name"):
        use(AzureBlobStore(store.address, retries=0))


def test_a_signature_that_may_only_read(
    store: AzureBlobStore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("k", b"1")
    with_sas(monkeypatch, azurite, sas(azurite, store.address, hours=1, permission="rl"))
    assert store.get("k") == b"1"
    for write in (lambda: store.put("k", b"2"), lambda: store.touch("k"), lambda: store.delete("k")):
        with pytest.raises(
            StoreUnavailable, match=r"refuses the credentials \(Authorization.*the rights they give"
        ) as no:
            write()
        assert no.value.target == str(store.address)
    assert store.get("k") == b"1"


@pytest.mark.parametrize("hours", [-1, 1])
def test_no_error_shows_the_signature(
    store: AzureBlobStore, azurite: Azurite, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Neither when it is refused, nor when the service cannot be reached: the request has it in its address."""
    signature = sas(azurite, store.address, hours=hours)
    endpoint = azurite.endpoint if hours < 0 else azurite.endpoint.replace(str(azurite.port), "1")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"BlobEndpoint={endpoint};SharedAccessSignature={signature}")
    with pytest.raises(StoreUnavailable) as caught:
        AzureBlobStore(store.address, retries=0).get("k")
    told = "".join(traceback.format_exception(caught.value))
    assert "sig=" not in told
    assert signature[-20:] not in told


# --- before anything is asked of the service ---------------------------------------------------------------------


@pytest.fixture
def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECTION_STRING", "ACCOUNT", "KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)


@pytest.mark.usefixtures("without_credentials")
def test_no_credentials_at_all() -> None:
    with pytest.raises(StoreUnavailable, match=r"no credentials for the storage account 'acc'\. Set AZURE_STORAGE_KEY"):
        open_store("azure://acc/con").get("k")


@pytest.mark.usefixtures("without_credentials")
@pytest.mark.parametrize(
    ("variable", "value"),
    [("CONNECTION_STRING", "AccountName=other;AccountKey=c2VjcmV0;EndpointSuffix=x"), ("ACCOUNT", "other")],
)
def test_credentials_of_another_account(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"AZURE_STORAGE_{variable}", value)
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    expected = f"AZURE_STORAGE_{variable} is for the account 'other', but the store lies in the account 'acc'"
    with pytest.raises(StoreUnavailable, match=expected) as caught:
        open_store("azure://acc/con").get("k")
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.usefixtures("without_credentials")
def test_a_connection_string_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "c2VjcmV0")
    with pytest.raises(StoreUnavailable, match="is not a connection string of a storage account") as caught:
        open_store("azure://acc/con").get("k")
    assert "c2VjcmV0" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("without_credentials")
@pytest.mark.parametrize(("variable", "value"), [("KEY", "c2VjcmV0"), ("SAS_TOKEN", "?sv=1&sig=c2VjcmV0")])
def test_key_and_signature_are_for_the_account_of_the_address(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    from airloom.storage.azure_account import open_container

    monkeypatch.setenv(f"AZURE_STORAGE_{variable}", value)
    client = open_container(AzureAddress("acc", "con"))
    assert client.url.partition("?")[0] == "https://acc.blob.core.windows.net/con"
    assert open_container(AzureAddress("acc", "con")) is client


@pytest.mark.parametrize(
    "secret", ["azure://acc:c2VjcmV0@acc/con", "azure://acc/con?sig=c2VjcmV0", "azure://acc/con#c2VjcmV0"]
)
def test_an_address_with_a_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(InvalidName, match="may hold no credentials") as caught:
        open_store(secret)
    assert "c2VjcmV0" not in str(caught.value) + caught.value.target


@pytest.mark.parametrize("address", ["azure://", "azure://acc/", "azure://Acc/con", "azure://acc/a_b", "azure:acc/con"])
def test_an_address_without_account_or_container_is_refused(address: str) -> None:
    with pytest.raises(InvalidName, match=r"names no account and container.* Write azure://ACCOUNT/CONTAINER"):
        open_store(address)


@pytest.mark.parametrize("key", ["a\\b", "a./b", "b.", "a\nb", "x" * 200 + "/" + "y" * 200 + "/" + "z" * 700])
def test_names_that_azure_does_not_take_are_refused(store: AzureBlobStore, key: str) -> None:
    with pytest.raises(AirloomError, match=r"cannot be the name of a blob|is longer than 255"):
        store.put(key, b"")


def test_the_missing_package_is_named() -> None:
    """In a process that cannot import it."""
    code = (
        "import sys; sys.modules['azure.core'] = None\n"
        "from airloom.storage.object_store import open_store\n"
        "try: open_store('azure://acc/con')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StoreUnavailable A store in Azure Blob Storage needs the package azure-storage-blob")
    assert "pip install 'airloom[azure]'" in done.stdout
