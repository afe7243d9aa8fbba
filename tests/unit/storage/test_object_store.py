"""Opening a store by its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.errors import InvalidName
from airloom.storage.object_store import open_store


def test_a_file_address_opens_a_folder(tmp_path: Path) -> None:
    store = open_store((tmp_path / "my store").as_uri())
    store.put("a", b"1")
    assert (tmp_path / "my store" / "a").read_bytes() == b"1"


def test_opening_makes_nothing(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/none")
    assert not store.exists("a")
    assert list(store.list()) == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("address", ["s3://bucket/x", "/srv/airloom", "abfs://c@a/x"])
def test_an_unknown_scheme_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(InvalidName, match=f"'{address}' has an unknown scheme") as caught:
        open_store(address)
    assert caught.value.hint == (
        "Use file:///srv/airloom for a folder, or azure://ACCOUNT/CONTAINER for Azure Blob Storage."
    )
    assert caught.value.target == address


@pytest.mark.parametrize("address", ["file://host/dir", "file:relative", "file://"])
def test_an_address_that_names_no_folder_of_this_machine_is_refused(address: str) -> None:
    with pytest.raises(InvalidName) as caught:
        open_store(address)
    assert caught.value.message == (f"The store address {address!r} does not name an absolute folder of this machine.")
    assert caught.value.hint == "Write three slashes, for example file:///srv/airloom."
    assert caught.value.target == address


def test_the_name_of_this_machine_may_be_written(tmp_path: Path) -> None:
    assert open_store(f"file://localhost{tmp_path}/a%20b").local_path("k") == tmp_path / "a b" / "k"
