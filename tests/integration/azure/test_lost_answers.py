"""The service has done a write and its answer is lost: the client library sends the request again.

A conditional write then finds that somebody was first. It must notice that this was itself.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airloom.graph.canonical import digest_bytes
from airloom.storage.azure_account import BLOCK, AzureAddress
from airloom.storage.azure_blob import AzureBlobStore
from tests.integration.azure.lossy_proxy import LossyProxy

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

LARGE = 2 * BLOCK + 1


@pytest.fixture
def store(address: AzureAddress, proxy: LossyProxy) -> AzureBlobStore:
    """The writer whose answers are lost."""
    return AzureBlobStore(address)


@pytest.fixture
def other(address: AzureAddress, proxy: LossyProxy) -> AzureBlobStore:
    """Another writer, who comes in between."""
    return AzureBlobStore(address)


@pytest.mark.parametrize("size", [5, LARGE], ids=["small", "large"])
def test_the_first_writer_knows_that_he_was_first(store: AzureBlobStore, proxy: LossyProxy, size: int) -> None:
    proxy.lose("PUT")
    assert store.put_if_absent("k", b"x" * size) is True
    assert len(proxy.lost) == 1
    assert store.put_if_absent("k", b"y") is False
    assert store.get("k") == b"x" * size


def test_the_second_writer_is_not_told_that_he_was_first(
    store: AzureBlobStore, other: AzureBlobStore, proxy: LossyProxy
) -> None:
    other.put_if_absent("k", b"the other's")
    proxy.lose("PUT")
    assert store.put_if_absent("k", b"mine") is False
    assert len(proxy.lost) == 1
    assert store.get("k") == b"the other's"


def test_the_first_writer_knows_it_even_if_the_object_was_updated_since(
    store: AzureBlobStore, other: AzureBlobStore, proxy: LossyProxy
) -> None:
    proxy.lose("PUT", lambda: add(other, b"+other"))
    assert store.put_if_absent("k", b"mine") is True
    assert store.get("k") == b"mine+other"


def test_an_update_is_made_once(store: AzureBlobStore, proxy: LossyProxy) -> None:
    for number in range(4):
        if number:
            proxy.lose("PUT")
        store.update("k", lambda old: (old or b"") + b"+1")
    assert len(proxy.lost) == 3
    assert store.get("k") == b"+1+1+1+1"


def test_an_update_is_made_once_even_if_others_have_updated_since(
    store: AzureBlobStore, other: AzureBlobStore, proxy: LossyProxy
) -> None:
    store.put("k", b"0")

    def thirty_others() -> None:
        for _ in range(30):
            add(other, b"+other")

    proxy.lose("PUT", thirty_others)
    store.update("k", lambda old: (old or b"") + b"+mine")
    assert store.get("k") == b"0+mine" + b"+other" * 30


def test_many_writers_whose_answers_are_lost_agree_on_one_winner(
    store: AzureBlobStore, address: AzureAddress, proxy: LossyProxy
) -> None:
    for _ in range(6):
        proxy.lose("PUT")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda who: store.put_if_absent("k", b"%d" % who), range(8)))
    assert len(proxy.lost) == 6
    assert won.count(True) == 1
    assert store.get("k") == b"%d" % won.index(True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_reading_and_deleting_go_on(store: AzureBlobStore, proxy: LossyProxy, method: str) -> None:
    store.put("k", b"1")
    proxy.lose(method)
    assert store.get("k") == b"1"
    assert store.exists("k")
    store.delete("k")
    assert len(proxy.lost) == 1
    assert not store.exists("k")


def test_a_file_arrives_whole_although_answers_to_its_blocks_are_lost(
    store: AzureBlobStore, proxy: LossyProxy, tmp_path: Path
) -> None:
    data = bytes(range(256)) * (LARGE // 256)
    (tmp_path / "source").write_bytes(data)
    for _ in range(3):
        proxy.lose("PUT")
    store.put_file("k", tmp_path / "source", digest=digest_bytes(data))
    assert len(proxy.lost) == 3
    assert store.get("k") == data


def add(other: AzureBlobStore, addition: bytes) -> None:
    other.update("k", lambda old: (old or b"") + addition)
