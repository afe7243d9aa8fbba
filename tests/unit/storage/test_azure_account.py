"""What the errors of Azure mean, word by word, and with which credentials it is asked. Nothing here is sent to it."""

# ruff: noqa: E501 - tables of texts

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.storage.blob import StorageErrorCode
from urllib3.exceptions import MaxRetryError

from airloom.errors import AirloomError, InvalidName, NotFound, StoreUnavailable
from airloom.storage.azure_account import BLOCK, AzureAddress, BlocksLost, ConditionFailed, open_container, told
from airloom.storage.azure_transfer import holds_write, write_tokens
from airloom.storage.object_store import open_store

ADDRESS = AzureAddress("acc", "con", "some/prefix")
PLACE = "azure://acc/con/some/prefix"
REFUSED = f"The store {PLACE} cannot be used: it refuses the credentials (AuthenticationFailed)."


@pytest.fixture(autouse=True)
def without_credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("CONNECTION_STRING", "ACCOUNT", "KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    yield
    monkeypatch.undo()


def words(error: AirloomError) -> tuple[str, str, str]:
    return error.message, error.hint, error.target


def answer(
    status: int, code: str | StorageErrorCode | None, kind: type[HttpResponseError] = HttpResponseError
) -> HttpResponseError:
    """An error as the client library makes it of an answer."""
    error = kind("Signature: c2VjcmV0")
    error.status_code = status
    if code is not None:
        error.error_code = code  # type: ignore[attr-defined]
    return error


def meaning(error: Exception) -> Exception:
    with pytest.raises(Exception) as caught, told(ADDRESS, "a/k"):  # noqa: PT011 - which one is the question
        raise error
    assert caught.value.__cause__ is None
    assert "c2VjcmV0" not in str(caught.value)
    return caught.value


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("azure://acc/con", AzureAddress("acc", "con", "")),
        ("azure://acc/con/", AzureAddress("acc", "con", "")),
        ("azure://acc/con/some/prefix", ADDRESS),
        ("azure://acc/con/some%20prefix/x", AzureAddress("acc", "con", "some prefix/x")),
        ("azure://0123456789abcdefghij0123/a-b-c", AzureAddress("0123456789abcdefghij0123", "a-b-c", "")),
    ],
)
def test_an_address_names_account_container_and_prefix(text: str, address: AzureAddress) -> None:
    assert AzureAddress.parse(text) == address


@pytest.mark.parametrize("address", [AzureAddress("acc", "con"), ADDRESS])
def test_an_address_is_written_as_it_is_read(address: AzureAddress) -> None:
    assert AzureAddress.parse(str(address)) == address
    assert not str(address).endswith("/")


@pytest.mark.parametrize(
    "address", ["azure://acc", "azure://ac/con", "azure://acc/co", "azure://acc/a--b", "azure:///con"]
)
def test_an_address_without_account_or_container(address: str) -> None:
    with pytest.raises(InvalidName) as caught:
        AzureAddress.parse(address)
    assert words(caught.value) == (
        f"The store address {address!r} names no account and container of Azure Blob Storage.",
        "Write azure://ACCOUNT/CONTAINER or azure://ACCOUNT/CONTAINER/prefix.",
        address,
    )


@pytest.mark.parametrize(
    "address", ["azure://me:c2VjcmV0@acc/con", "azure://acc/con?sig=c2VjcmV0", "azure://acc/con#c2VjcmV0"]
)
def test_an_address_with_a_secret(address: str) -> None:
    with pytest.raises(InvalidName) as caught:
        AzureAddress.parse(address)
    assert words(caught.value) == (
        "The address of a store may hold no credentials, as it is stored and logged.",
        "Write azure://ACCOUNT/CONTAINER/prefix, and put the secret into AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING.",
        "store",
    )


# --- credentials ----------------------------------------------------------------------------------------------------


def refused() -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as caught:
        open_container(ADDRESS)
    return caught.value


def test_without_any_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    assert words(refused()) == (
        "There are no credentials for the storage account 'acc'.",
        "Set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING; or, to use the identity of the machine, pip install azure-identity.",
        "acc",
    )


def test_with_a_connection_string_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "c2VjcmV0")
    assert words(refused()) == (
        "AZURE_STORAGE_CONNECTION_STRING is not a connection string of a storage account.",
        "Copy it anew: `az storage account show-connection-string` prints it.",
        "AZURE_STORAGE_CONNECTION_STRING",
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AZURE_STORAGE_ACCOUNT", "other"),
        ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=other;AccountKey=c2VjcmV0;EndpointSuffix=x"),
    ],
)
def test_with_those_of_another_account(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    monkeypatch.setenv(variable, value)
    assert words(refused()) == (
        f"{variable} is for the account 'other', but the store lies in the account 'acc'.",
        "Set the credentials of 'acc', or correct the address of the store.",
        variable,
    )


@pytest.mark.parametrize("account", ["", "acc"])
@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("AZURE_STORAGE_KEY", "c2VjcmV0", "https://acc.blob.core.windows.net/con"),
        ("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=x", "https://acc.blob.core.windows.net/con?sv=1&sig=x"),
        ("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=x", "https://acc.blob.core.windows.net/con?sv=1&sig=x"),
        (
            "AZURE_STORAGE_CONNECTION_STRING",
            "AccountName=acc;AccountKey=c2VjcmV0;BlobEndpoint=http://here/acc",
            "http://here/acc/con",
        ),
    ],
)
def test_the_container_is_opened_with_what_the_environment_has(
    monkeypatch: pytest.MonkeyPatch, account: str, variable: str, value: str, url: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", account)
    monkeypatch.setenv(variable, value)
    client = open_container(ADDRESS)
    assert client.url == url
    assert client._config.max_single_put_size == client._config.max_single_get_size == BLOCK


def test_a_key_goes_before_a_signature_and_a_connection_string_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=x")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    assert open_container(ADDRESS).url == "https://acc.blob.core.windows.net/con"
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc;AccountKey=a2V5;BlobEndpoint=http://here/acc"
    )
    assert open_container(ADDRESS).url == "http://here/acc/con"


def test_a_process_has_one_client_for_a_container_and_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    first = open_container(ADDRESS)
    assert open_container(AzureAddress("acc", "con", "elsewhere")) is first
    assert open_container(AzureAddress("acc", "other")) is not first
    assert open_container(ADDRESS, retries=0) is not first
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        assert open_container(ADDRESS) is not first
    monkeypatch.setenv("AZURE_STORAGE_KEY", "YW5vdGhlcg==")
    assert open_container(ADDRESS) is not first


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [("BlobAlreadyExists", ConditionFailed), ("ConditionNotMet", ConditionFailed), ("InvalidBlockList", BlocksLost)],
)
def test_answers_that_tell_a_writer_of_another(code: str, kind: type[Exception]) -> None:
    assert type(meaning(answer(412, code))) is kind
    assert type(meaning(answer(412, StorageErrorCode(code)))) is kind


def test_an_object_that_is_not_there() -> None:
    found = meaning(answer(404, "BlobNotFound", ResourceNotFoundError))
    assert isinstance(found, NotFound)
    assert words(found) == (f"The store {PLACE} has no object 'a/k'.", "", "a/k")


UNAVAILABLE = {
    "no container": (
        answer(404, "ContainerNotFound", ResourceNotFoundError), "the account 'acc' has no container 'con'",
        "Make it (az storage container create --account-name acc --name con) or correct the address of the store.",
    ),
    "busy": (answer(503, "ServerBusy"), "the service answers 503 (ServerBusy)", "Try again later."),
    "no code": (answer(500, None), "the service answers 500 (HttpResponseError)", "Try again later."),
    "an empty code": (answer(500, ""), "the service answers 500 (HttpResponseError)", "Try again later."),
    "nobody there": (
        ServiceRequestError("c2VjcmV0", error=ConnectionRefusedError(111, "Connection refused")), "it cannot be reached (Connection refused)",
        "Check the name of the account and the network, then try again.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNAVAILABLE)
def test_a_service_that_cannot_be_used(case: str) -> None:
    error, cause, hint = UNAVAILABLE[case]
    found = meaning(error)
    assert isinstance(found, StoreUnavailable)
    assert words(found) == (f"The store {PLACE} cannot be used: {cause}.", hint, PLACE)


@pytest.mark.parametrize(
    "error",
    [
        answer(401, "AuthenticationFailed"),
        answer(403, "AuthenticationFailed"),
        answer(400, "AuthenticationFailed", ClientAuthenticationError),
    ],
)
def test_credentials_that_are_refused(error: HttpResponseError) -> None:
    found = meaning(error)
    assert isinstance(found, StoreUnavailable)
    assert words(found) == (
        REFUSED,
        "Check AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, and the rights they give: to read, write, delete and list.",
        PLACE,
    )


@pytest.mark.parametrize(
    ("expiry", "shown"),
    [
        ("2020-01-02T03%3A04%3A05Z", "2020-01-02T03:04:05+00:00"),
        ("2020-01-02T03:04:05+02:00", "2020-01-02T03:04:05+02:00"),
        ("2020-01-02", "2020-01-02T00:00:00+00:00"),
    ],
)
@pytest.mark.parametrize(
    ("variable", "form"),
    [
        ("AZURE_STORAGE_SAS_TOKEN", "se={}&sig=x"),
        ("AZURE_STORAGE_SAS_TOKEN", "?sv=1&se={}&sig=x"),
        ("AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint=https://acc/;SharedAccessSignature=sv=1&se={}"),
    ],
)
def test_a_signature_that_has_expired(
    monkeypatch: pytest.MonkeyPatch, variable: str, form: str, expiry: str, shown: str
) -> None:
    monkeypatch.setenv(variable, form.format(expiry))
    found = meaning(answer(403, "AuthenticationFailed"))
    assert isinstance(found, StoreUnavailable)
    assert words(found) == (
        f"The store {PLACE} cannot be used: the SAS expired at {shown} (AuthenticationFailed).",
        "Renew AZURE_STORAGE_SAS_TOKEN.",
        PLACE,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"AZURE_STORAGE_SAS_TOKEN": "se=2999-01-01&sig=x"},
        {"AZURE_STORAGE_SAS_TOKEN": "se=soon&sig=x"},
        {"AZURE_STORAGE_SAS_TOKEN": "phase=2020-01-01"},
        {"AZURE_STORAGE_SAS_TOKEN": "se=2020-01-01", "AZURE_STORAGE_KEY": "c2VjcmV0"},
        {
            "AZURE_STORAGE_SAS_TOKEN": "se=2020-01-01",
            "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=c2VjcmV0",
        },
    ],
)
def test_only_the_signature_in_use_can_have_expired(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(meaning(answer(403, "AuthenticationFailed"))).startswith(REFUSED)


# --- reasons --------------------------------------------------------------------------------------------------------


def because(error: BaseException) -> AzureError:
    """What is raised on account of another error."""
    made = AzureError("c2VjcmV0")
    made.__cause__ = error
    return made


def while_handling(error: BaseException) -> AzureError:
    made = AzureError("c2VjcmV0")
    made.__context__ = error
    return made


def no_host() -> OSError:
    return OSError(113, "No route to host")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AzureError("c2VjcmV0"), "AzureError"),
        (AzureError("c2VjcmV0", ValueError("c2VjcmV0")), "AzureError"),
        (AzureError("c2VjcmV0", no_host()), "No route to host"),
        (AzureError("c2VjcmV0", OSError("c2VjcmV0")), "AzureError"),
        (because(no_host()), "No route to host"),
        (while_handling(no_host()), "No route to host"),
        (because(while_handling(AzureError("", no_host()))), "No route to host"),
        (ServiceRequestError("c2VjcmV0", error=no_host()), "No route to host"),
        (ServiceRequestError("", error=MaxRetryError(None, "/?sig=c2VjcmV0", no_host())), "No route to host"),  # type: ignore[arg-type]
    ],
)
def test_the_reason_is_what_the_operating_system_said(error: AzureError, reason: str) -> None:
    assert f"it cannot be reached ({reason})." in str(meaning(error))


def test_other_errors_pass() -> None:
    def fail() -> NoReturn:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), told(ADDRESS):
        fail()


# --- stores ---------------------------------------------------------------------------------------------------------


def test_an_azure_address_opens_a_container() -> None:
    assert repr(open_store(PLACE)) == f"AzureBlobStore('{PLACE}')"


def test_without_its_package_a_store_in_azure_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airloom.storage.azure_blob", None)
    with pytest.raises(StoreUnavailable) as caught:
        open_store(PLACE)
    assert words(caught.value) == (
        "A store in Azure Blob Storage needs the package azure-storage-blob (import of airloom.storage.azure_blob halted; None in sys.modules).",
        "Install it: pip install 'airloom[azure]'",
        PLACE,
    )


@pytest.mark.parametrize("key", ["a\\b", "a./b", "b.", "a\nb", "/".join(["x" * 250] * 5)])
def test_a_name_that_azure_does_not_take(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    with pytest.raises(InvalidName) as caught:
        open_store(PLACE).get(key)
    assert words(caught.value) == (
        f"{key[:300]!r} cannot be the name of a blob.",
        "Azure takes at most 1024 printable characters without backslash, and no part of a name may end with a dot.",
        key[:300],
    )


# --- marks of writes ------------------------------------------------------------------------------------------------


def test_each_write_leaves_a_mark_of_its_own() -> None:
    one, other = write_tokens(), write_tokens()
    assert one != other
    assert one.keys() == {"airloom_writes"}
    assert re.fullmatch(r"[\w-]{8}", one["airloom_writes"])
    assert holds_write(one, one)
    assert not holds_write(one, other)
    assert not holds_write({}, one)


def test_the_marks_of_a_hundred_writes_are_kept_the_newest_first() -> None:
    first = metadata = write_tokens()
    for _ in range(99):
        metadata = write_tokens(metadata)
        assert holds_write(metadata, first)
    assert metadata["airloom_writes"].endswith(first["airloom_writes"])
    assert len(metadata["airloom_writes"].split(",")) == 100
    newest = write_tokens(metadata)
    assert not holds_write(newest, first)
    assert len(newest["airloom_writes"].split(",")) == 100
    assert newest["airloom_writes"].split(",")[1:] == metadata["airloom_writes"].split(",")[:-1]


def test_an_update_of_what_somebody_else_has_written_has_one_mark() -> None:
    assert len(write_tokens({"of others": "x"})["airloom_writes"]) == 8
    assert len(write_tokens({"airloom_writes": ""})["airloom_writes"]) == 8
