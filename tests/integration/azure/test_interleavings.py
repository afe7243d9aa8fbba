"""Another writer comes between two requests of one operation, at the very instant where it could do harm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import BlobProperties

from airloom.errors import StoreUnavailable
from airloom.storage import azure_blob
from airloom.storage.azure_account import AzureAddress
from airloom.storage.azure_blob import AzureBlobStore
from tests.support.azurite import Azurite

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

Other = Callable[[AzureBlobStore], object]


class Interrupted(AzureBlobStore):
    """A store of which another user acts once, after this one has looked at an object and before he goes on."""

    def __init__(self, address: AzureAddress, act: Other) -> None:
        super().__init__(address)
        self._act: Other | None = act

    def _properties(self, key: str) -> BlobProperties | None:
        found = super()._properties(key)
        self._interrupt()
        return found

    def _read(self, key: str) -> tuple[bytes, BlobProperties]:
        found = super()._read(key)
        self._interrupt()
        return found

    def _interrupt(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            act(AzureBlobStore(self.address))


SOON = datetime.now(UTC) + timedelta(hours=1)


def test_a_touch_saves_an_object_that_is_about_to_be_collected(store: AzureBlobStore) -> None:
    store.put("k", b"1")
    assert Interrupted(store.address, lambda other: other.touch("k")).delete_if_unused("k", SOON) is False
    assert store.get("k") == b"1"


def test_a_touch_of_what_is_being_collected_is_not_believed(store: AzureBlobStore) -> None:
    store.put("k", b"1")
    assert Interrupted(store.address, lambda other: other.delete("k")).touch("k") is False
    assert not store.exists("k")


def test_what_is_gone_before_it_can_be_collected_is_as_good_as_collected(store: AzureBlobStore) -> None:
    store.put("k", b"1")
    interrupted = Interrupted(store.address, lambda other: other.delete("k"))
    assert interrupted.delete_if_unused("k", SOON) is True
    assert not store.exists("k")


def test_a_touch_does_not_put_the_marks_of_an_old_version_onto_a_new_one(
    store: AzureBlobStore, azurite: Azurite
) -> None:
    """By its mark the writer of the new version knows it again."""
    blob = azurite.client().get_blob_client(store.address.container, "k")
    marks: list[dict[str, str]] = []

    def write(other: AzureBlobStore) -> None:
        other.put("k", b"new")
        marks.append(blob.get_blob_properties().metadata)

    store.put("k", b"old")
    assert Interrupted(store.address, write).touch("k") is True
    assert [blob.get_blob_properties().metadata] == marks


def test_two_touches_at_once_are_both_done(store: AzureBlobStore) -> None:
    store.put("k", b"1")
    assert Interrupted(store.address, lambda other: other.touch("k")).touch("k") is True


def test_a_new_version_is_not_deleted_in_place_of_the_one_that_was_read(store: AzureBlobStore) -> None:
    store.put("k", b"old")
    interrupted = Interrupted(store.address, lambda other: other.put("k", b"new"))
    assert interrupted.delete_exactly("k", b"old") is False
    assert store.get("k") == b"new"


def test_what_was_only_touched_is_deleted_all_the_same(store: AzureBlobStore) -> None:
    store.put("k", b"old")
    assert Interrupted(store.address, lambda other: other.touch("k")).delete_exactly("k", b"old") is True


@pytest.mark.parametrize("act", [lambda other: other.put("k", b"2"), lambda other: other.update("k", lambda old: b"2")])
def test_an_update_starts_again_from_what_came_between(store: AzureBlobStore, act: Other) -> None:
    store.put("k", b"1")
    Interrupted(store.address, act).update("k", lambda old: (old or b"") + b"+")
    assert store.get("k") == b"2+"


def test_an_update_of_what_was_deleted_meanwhile_makes_it_anew(store: AzureBlobStore) -> None:
    store.put("k", b"1")
    Interrupted(store.address, lambda other: other.delete("k")).update("k", lambda old: (old or b"none") + b"+")
    assert store.get("k") == b"none+"


class Restless(Interrupted):
    """A store of which another user acts each time that this one has looked."""

    def _interrupt(self) -> None:
        act, self._act = self._act, None  # what the other reads is no look of this one
        assert act is not None
        act(AzureBlobStore(self.address))
        self._act = act


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.touch("k"),
        lambda store: store.delete_exactly("k", b"1"),
        lambda store: store.update("k", lambda old: b"mine"),
    ],
    ids=["touch", "delete_exactly", "update"],
)
def test_patience_with_others_ends(store: AzureBlobStore, monkeypatch: pytest.MonkeyPatch, use: Other) -> None:
    monkeypatch.setattr(azure_blob, "_PATIENCE_SECONDS", 0.2)
    store.put("k", b"1")
    with pytest.raises(StoreUnavailable) as caught:
        use(Restless(store.address, lambda other: other.put("k", b"1")))
    assert caught.value.message == (
        f"Others have changed the object 'k' of the store {store.address} without a break for a minute."
    )
    assert caught.value.hint == "Try again later."


def test_patience_waits_longer_each_time_up_to_a_second_and_at_random(
    store: AzureBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that two who have met do not meet again and again."""
    pauses: list[tuple[float, float]] = []
    monkeypatch.setattr(azure_blob.random, "uniform", lambda *limits: pauses.append(limits) or 0)
    patience = azure_blob._Patience(store.address, "k")
    for _ in range(9):
        patience.wait()
    assert pauses == [(0, longest) for longest in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0)]
