"""Objects that travel in several requests: racing writers never mix, and a reader gets one version or an error."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airloom.errors import IntegrityError
from airloom.graph.canonical import digest_bytes
from airloom.storage.azure_account import BLOCK
from airloom.storage.azure_blob import AzureBlobStore
from airloom.storage.azure_transfer import Replaced

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

SIZE = 2 * BLOCK + 1


def test_racing_writers_never_mix_their_blocks(store: AzureBlobStore, tmp_path: Path) -> None:
    """The first to commit discards the blocks of the others, who then begin again; all of them end well."""

    def write(who: int) -> None:
        source = tmp_path / str(who)
        source.write_bytes(b"%d" % who * SIZE)
        for _ in range(2):
            store.put_file("k", source, digest=digest_bytes(b"%d" % who * SIZE))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    data = store.get("k")
    assert len(data) == SIZE
    assert len(set(data)) == 1


def test_of_racing_writers_of_a_large_object_exactly_one_wins(store: AzureBlobStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda who: store.put_if_absent("k", b"%d" % who * SIZE), range(4)))
    assert won.count(True) == 1
    assert store.get("k") == b"%d" % won.index(True) * SIZE


def test_a_reader_of_an_object_that_is_replaced_is_told(store: AzureBlobStore) -> None:
    store.put("k", b"a" * SIZE)
    with store.open_read("k") as stream:
        assert stream.read(10) == b"a" * 10
        store.put("k", b"b" * SIZE)
        with pytest.raises(
            Replaced, match=r"'k' of the store .* was replaced while it was read. Read it again"
        ) as caught:
            stream.read()
        assert caught.value.target == "k"


def test_a_reader_goes_on_when_only_metadata_are_new(store: AzureBlobStore) -> None:
    store.put("k", b"a" * SIZE)
    with store.open_read("k") as stream:
        assert stream.read(10) == b"a" * 10
        store.touch("k")
        assert stream.read() == b"a" * (SIZE - 10)


def test_whole_reads_of_an_object_that_is_replaced_give_one_version(store: AzureBlobStore) -> None:
    store.put("k", b"0" * SIZE)
    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(lambda: [store.put("k", b"%d" % (number % 10) * SIZE) for number in range(4)])
        while not writer.done():
            assert len(set(store.get("k"))) == 1
        writer.result()


def test_a_large_object_is_read_from_anywhere_in_pieces_of_any_size(store: AzureBlobStore) -> None:
    data = bytes(range(251)) * (SIZE // 251 + 1)
    store.put("k", data)
    with store.open_read("k") as stream:
        assert stream.readable()
        pieces = [stream.read(1), stream.read(BLOCK), stream.readline(5), stream.read(BLOCK + 7), stream.read()]
        assert b"".join(pieces) == data
        assert [len(piece) for piece in pieces[:4]] == [1, BLOCK, 5, BLOCK + 7]
        assert stream.read(1) == b""


def test_a_file_whose_digest_is_right_arrives_whatever_its_size(store: AzureBlobStore, tmp_path: Path) -> None:
    for size in (0, BLOCK - 1, BLOCK, 5 * BLOCK + 3):
        (tmp_path / "source").write_bytes(b"x" * size)
        store.put_file("k", tmp_path / "source", digest=digest_bytes(b"x" * size))
        info = store.info("k")
        assert info is not None
        assert info.size == size
        with pytest.raises(IntegrityError, match=f"^The file {tmp_path}/source has the digest"):
            store.put_file("k", tmp_path / "source", digest=digest_bytes(b"y" * (size + 1)))
    assert store.get("k") == b"x" * size
