"""What only a store in Azure has: no prefix, or one; no disk; and times to the second."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airloom.errors import UnsafePath
from airloom.storage.azure_account import AzureAddress
from airloom.storage.azure_blob import AzureBlobStore

pytestmark = [pytest.mark.integration, pytest.mark.azurite]


@pytest.fixture(params=["", "some/prefix"])
def store(request: pytest.FixtureRequest, address: AzureAddress) -> AzureBlobStore:
    return AzureBlobStore(AzureAddress(address.account, address.container, request.param))


def test_keys_are_listed_as_they_were_written(store: AzureBlobStore) -> None:
    store.put("a/k", b"")
    store.put("b", b"")
    assert list(store.list()) == ["a/k", "b"]
    assert list(store.list("a")) == ["a/k"]


def test_stores_with_different_prefixes_do_not_see_each_other(address: AzureAddress) -> None:
    one, other = (AzureBlobStore(AzureAddress(address.account, address.container, name)) for name in ("p", "pq"))
    one.put("k", b"1")
    assert list(other.list()) == []
    assert not other.exists("k")


def test_it_is_shown_as_its_address(store: AzureBlobStore) -> None:
    assert repr(store) == f"AzureBlobStore('{store.address}')"


def test_no_object_lies_on_this_machine(store: AzureBlobStore) -> None:
    store.put("k", b"")
    assert store.local_path("k") is None
    with pytest.raises(UnsafePath, match="'/k'"):
        store.local_path("/k")


def test_etags_have_no_quotes(store: AzureBlobStore) -> None:
    store.put("k", b"")
    etag = store.etag("k")
    assert etag
    assert '"' not in etag


def test_what_was_used_in_the_very_second_counts_as_used_after_it(store: AzureBlobStore) -> None:
    store.put("k", b"")
    info = store.info("k")
    assert info is not None
    assert store.delete_if_unused("k", info.modified) is False
    assert store.delete_if_unused("k", info.modified + timedelta(milliseconds=500)) is False
    assert store.delete_if_unused("k", info.modified + timedelta(seconds=1)) is True
    assert not store.exists("k")
