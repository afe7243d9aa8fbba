"""Definitions: immutable, verified, and listed for the DAG bundle."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airloom.errors import IntegrityError, InvalidName, NotFound
from airloom.graph.canonical import canonical_json, digest_bytes
from airloom.graph.model import Definition
from airloom.storage.definitions import SHARDS, DefinitionStore, dag_id, digest16, digest16_of_dag_id, shard_of
from airloom.storage.envelope import seal
from airloom.storage.freshness import ObjectInfo
from airloom.storage.local import LocalStore
from airloom.storage.object_store import ObjectStore
from tests.support.builders import a_graph, a_step


def a_definition(**changes: Any) -> Definition:
    fields: dict[str, Any] = {
        "workspace": "lab",
        "experiment": "demo",
        "store": "file:///srv/airloom",
        "default_datastore": "blob",
        "graph": a_graph(a_step("train")),
    }
    return Definition(**{**fields, **changes})


@pytest.fixture
def definitions(store: LocalStore) -> DefinitionStore:
    return DefinitionStore(store)


def listed(definitions: DefinitionStore) -> list[str]:
    return sorted(digest for number in range(SHARDS) for digest in definitions.shard(number))


def test_a_definition_is_found_by_its_digest(definitions: DefinitionStore, store: LocalStore) -> None:
    digest = definitions.put(a_definition())
    assert digest == digest16(a_definition())
    assert definitions.get(digest) == a_definition()
    assert definitions.shard(shard_of(digest)) == [digest]
    assert sorted(store.list()) == [f"definitions/{digest}.json", f"index/{int(digest[:2], 16) % 16:02x}.json"]


def test_putting_it_again_changes_nothing(definitions: DefinitionStore) -> None:
    digest = definitions.put(a_definition())
    etag = definitions.shard_etag(shard_of(digest))
    assert definitions.put(a_definition()) == digest
    assert definitions.shard_etag(shard_of(digest)) == etag


def test_only_the_index_of_its_own_shard_changes(definitions: DefinitionStore) -> None:
    before = [definitions.shard_etag(number) for number in range(SHARDS)]
    assert before == [None] * SHARDS
    digest = definitions.put(a_definition())
    after = [definitions.shard_etag(number) for number in range(SHARDS)]
    assert [number for number in range(SHARDS) if after[number] is not None] == [shard_of(digest)]


def test_many_at_once_are_all_listed(definitions: DefinitionStore) -> None:
    many = [a_definition(experiment=f"e{number}") for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(definitions.put, many))
    assert listed(definitions) == sorted(digests)
    assert len({shard_of(digest) for digest in digests}) > 8


def test_a_put_that_was_cut_off_before_the_index_is_completed_by_the_next(
    definitions: DefinitionStore, store: LocalStore
) -> None:
    digest = definitions.put(a_definition())
    store.delete(f"index/{shard_of(digest):02x}.json")
    definitions.put(a_definition())
    assert listed(definitions) == [digest]


def test_an_altered_definition_is_found(definitions: DefinitionStore, store: LocalStore) -> None:
    digest = definitions.put(a_definition())
    key = f"definitions/{digest}.json"
    store.put(key, store.get(key).replace(b"demo", b"demx"))
    with pytest.raises(IntegrityError, match=f"'{key}' was altered: its content does not have its digest"):
        definitions.get(digest)
    with pytest.raises(IntegrityError, match=f"'{key}' was altered"):
        definitions.put(a_definition())


def test_a_definition_of_another_version_is_refused(definitions: DefinitionStore, store: LocalStore) -> None:
    data = canonical_json({**a_definition().model_dump(mode="json"), "format": 2})
    digest = digest_bytes(data)[:16]
    store.put(f"definitions/{digest}.json", data)
    with pytest.raises(IntegrityError) as caught:
        definitions.get(digest)
    assert caught.value.message == (
        f"The definition 'definitions/{digest}.json' cannot be read by this version of Airloom: Input should be 1."
    )
    assert caught.value.hint == "Use the version that wrote it, or submit the pipeline again."
    assert caught.value.target == f"definitions/{digest}.json"


INDEX_OF_ANOTHER = seal({"definitions": ["0123456789abcdef"]}).replace(b"0123", b"3210")


@pytest.mark.parametrize("data", [None, b"", b"[]", b"{}", seal({}), b'{"definitions": []}', INDEX_OF_ANOTHER])
@pytest.mark.parametrize("by", ["reader", "writer"])
def test_an_index_that_is_lost_or_damaged_is_made_anew_from_the_definitions(
    definitions: DefinitionStore, store: LocalStore, data: bytes | None, by: str
) -> None:
    digests = sorted(definitions.put(a_definition(experiment=f"e{number}")) for number in range(40))
    shard = shard_of(digests[0])
    key = f"index/{shard:02x}.json"
    intact = store.get(key)
    store.delete(key)
    if data is not None:
        store.put(key, data)
    if by == "reader":
        assert listed(definitions) == digests
    else:
        definitions.put(definitions.get(digests[0]))
    assert store.get(key) == intact
    assert listed(definitions) == digests


def test_what_is_no_definition_does_not_get_into_an_index_that_is_made_anew(
    definitions: DefinitionStore, store: LocalStore
) -> None:
    digest = definitions.put(a_definition())
    store.put("definitions/notes.txt", b"")
    store.put("definitions/deeper/0123456789abcdef.json", b"")
    store.delete(f"index/{shard_of(digest):02x}.json")
    assert listed(definitions) == [digest]


def test_unknown_definitions_and_shards_are_named(definitions: DefinitionStore) -> None:
    with pytest.raises(
        NotFound, match=r"no pipeline definition 0123456789abcdef\. `airloom gc` removes.*Submit the pipeline again"
    ):
        definitions.get("0123456789abcdef")
    with pytest.raises(InvalidName, match=r"'\.\./x' is not the digest of a definition"):
        definitions.get("../x")
    with pytest.raises(InvalidName, match=r"no shard 16. Shards are 0 to 15\."):
        definitions.shard(16)


def test_the_dag_id_is_readable_and_leads_back(definitions: DefinitionStore) -> None:
    definition = a_definition(experiment="Größe v1.2 / test")
    assert re.fullmatch(r"Gr-e-v1\.2-test\.[0-9a-f]{16}", dag_id(definition))
    assert digest16_of_dag_id(dag_id(definition)) == definitions.put(definition)


def test_experiments_whose_names_look_alike_have_dags_of_their_own() -> None:
    assert dag_id(a_definition(experiment="a b")) != dag_id(a_definition(experiment="a-b"))


@pytest.mark.parametrize("other", ["example_dag", "0123456789abcdef", "x.0123456789ABCDEF", "x.0123", "a.b.c"])
def test_dags_of_others_are_told_apart(other: str) -> None:
    with pytest.raises(InvalidName, match=f"The DAG '{other}' was not made by Airloom"):
        digest16_of_dag_id(other)


def test_a_mended_shard_lists_what_is_stored_and_nothing_else(definitions: DefinitionStore, store: LocalStore) -> None:
    kept = [definitions.put(a_definition(experiment=f"e{number}")) for number in range(40)]
    number = shard_of(kept[0])
    here = sorted(digest for digest in kept if shard_of(digest) == number)
    assert len(here) > 1
    others = {other: definitions.shard_etag(other) for other in range(SHARDS) if other != number}
    foreign = f"{here[0][:2]}{'0' * 14}"
    store.put(f"index/{number:02x}.json", seal({"definitions": [here[0], foreign]}))
    definitions.mend_shard(number)
    assert definitions.listed(number) == here
    assert {other: definitions.shard_etag(other) for other in others} == others


@pytest.mark.parametrize("data", [b"{", seal({}), None])
def test_an_index_that_is_damaged_is_mended(
    definitions: DefinitionStore, store: LocalStore, data: bytes | None
) -> None:
    digest = definitions.put(a_definition())
    key = f"index/{shard_of(digest):02x}.json"
    intact = store.get(key)
    store.delete(key)
    if data is not None:
        store.put(key, data)
    definitions.mend_shard(shard_of(digest))
    assert store.get(key) == intact


def test_an_unlisted_definition_stays_and_the_others_stay_listed(definitions: DefinitionStore) -> None:
    digests = sorted(definitions.put(a_definition(experiment=f"e{number}")) for number in range(40))
    number = shard_of(digests[0])
    definitions.unlist(digests[0])
    assert listed(definitions) == digests[1:]
    assert definitions.get(digests[0]) == a_definition(experiment=definitions.get(digests[0]).experiment)
    assert sorted(definitions.stored()) == digests
    definitions.unlist("0" * 16)
    assert len([digest for digest in digests if shard_of(digest) == number]) == len(definitions.shard(number)) + 1
    assert listed(definitions) == digests[1:]


def test_unlisting_one_does_not_list_another_again(definitions: DefinitionStore) -> None:
    digests = sorted(definitions.put(a_definition(experiment=f"e{number}")) for number in range(20))
    number = next(number for number in range(SHARDS) if len(definitions.shard(number)) > 1)
    one, other, *rest = definitions.shard(number)
    definitions.unlist(one)
    definitions.unlist(other)
    assert definitions.listed(number) == rest
    assert sorted(definitions.stored()) == digests


def test_the_index_of_another_shard_counts_as_damaged(definitions: DefinitionStore, store: LocalStore) -> None:
    digests = sorted(definitions.put(a_definition(experiment=f"e{number}")) for number in range(20))
    one, other, *_ = [number for number in range(SHARDS) if definitions.shard(number)]
    store.put(f"index/{one:02x}.json", store.get(f"index/{other:02x}.json"))
    assert definitions.listed(one) is None
    assert listed(definitions) == digests


def test_a_definition_is_unlisted_although_the_index_is_lost(definitions: DefinitionStore, store: LocalStore) -> None:
    digests = sorted(definitions.put(a_definition(experiment=f"e{number}")) for number in range(40))
    number = shard_of(digests[0])
    store.delete(f"index/{number:02x}.json")
    definitions.unlist(digests[0])
    here = [digest for digest in digests if shard_of(digest) == number]
    assert definitions.listed(number) == here[1:]


def test_the_last_put_of_a_definition_counts_as_its_use(definitions: DefinitionStore, store: LocalStore) -> None:
    digest = definitions.put(a_definition())
    os.utime(store.root / f"definitions/{digest}.json", (0, 0))
    old = definitions.info(digest)
    assert old is not None and old.modified.year == 1970
    definitions.put(a_definition())
    new = definitions.info(digest)
    assert new is not None and new.modified > datetime.now(UTC) - timedelta(minutes=1)
    assert new.size == old.size == len(canonical_json(a_definition()))
    assert definitions.delete_if_unused(digest, datetime.now(UTC) - timedelta(hours=1)) is False
    assert definitions.info("0" * 16) is None


def test_an_index_that_cannot_be_written_is_no_error_for_readers(
    definitions: DefinitionStore, store: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    digest = definitions.put(a_definition())
    key = f"index/{shard_of(digest):02x}.json"
    store.delete(key)
    store.put(f"{key}/in the way", b"")
    with caplog.at_level(logging.WARNING, "airloom"):
        assert definitions.shard(shard_of(digest)) == [digest]
    assert caplog.messages[0] == f"The index {key} was lost or damaged; it is made anew."
    assert caplog.messages[1].startswith(f"The index {key} cannot be written: ")


class Interrupted(DefinitionStore):
    """Definitions of which somebody else puts or removes one just after this one has looked whether it is there."""

    def __init__(self, store: ObjectStore, meanwhile: list[Callable[[], object]]) -> None:
        super().__init__(store)
        self._meanwhile = meanwhile

    def info(self, digest: str) -> ObjectInfo | None:
        found = super().info(digest)
        if self._meanwhile:
            self._meanwhile.pop()()
        return found


@pytest.mark.parametrize("stored", [True, False])
def test_settling_lists_what_is_stored_and_nothing_else(definitions: DefinitionStore, stored: bool) -> None:
    digest = definitions.put(a_definition())
    if stored:
        definitions.unlist(digest)
    else:
        assert definitions.delete_if_unused(digest, datetime.max.replace(tzinfo=UTC))
    definitions.settle(digest)
    assert listed(definitions) == ([digest] if stored else [])


def test_settling_sees_a_definition_that_goes_meanwhile(definitions: DefinitionStore, store: ObjectStore) -> None:
    digest = definitions.keep(a_definition())
    gone = [lambda: definitions.delete_if_unused(digest, datetime.max.replace(tzinfo=UTC))]
    Interrupted(store, gone).settle(digest)
    assert not gone
    assert listed(definitions) == []


def test_settling_sees_a_definition_that_comes_meanwhile(definitions: DefinitionStore, store: ObjectStore) -> None:
    digest = definitions.put(a_definition())
    assert definitions.delete_if_unused(digest, datetime.max.replace(tzinfo=UTC))
    come = [lambda: definitions.put(a_definition())]
    Interrupted(store, come).settle(digest)
    assert not come
    assert listed(definitions) == [digest]


# --- definitions that are to be published -----------------------------------------------------------------------


def test_one_that_is_held_can_be_read_and_is_none_of_those_that_are_stored(
    definitions: DefinitionStore, store: LocalStore
) -> None:
    """Nor is it when an index is made anew, and when somebody settles or mends what is listed."""
    digest = definitions.hold(a_definition())
    assert definitions.get(digest) == a_definition()
    assert list(definitions.held()) == [digest]
    assert list(definitions.stored()) == [] and definitions.info(digest) is None
    other = definitions.put(a_definition(experiment="other"))
    for number in range(SHARDS):
        store.delete(f"index/{number:02x}.json")
    definitions.settle(digest)
    definitions.mend_shard(shard_of(digest))
    assert listed(definitions) == [other]


def test_released_it_is_one_like_others(definitions: DefinitionStore) -> None:
    digest = definitions.hold(a_definition())
    for _ in range(2):
        definitions.release(digest)
        assert definitions.get(digest) == a_definition()
        assert (listed(definitions), list(definitions.stored()), list(definitions.held())) == ([digest], [digest], [])


def test_a_release_can_be_taken_back(definitions: DefinitionStore) -> None:
    digest = definitions.hold(a_definition())
    definitions.release(digest)
    definitions.withhold(digest)
    assert definitions.get(digest) == a_definition()
    assert (listed(definitions), list(definitions.stored()), list(definitions.held())) == ([], [], [digest])
    definitions.release(digest)
    assert listed(definitions) == [digest]


def test_nothing_is_released_that_was_not_held(definitions: DefinitionStore) -> None:
    definitions.release("0" * 16)
    assert listed(definitions) == []
    with pytest.raises(NotFound, match="There is no pipeline definition 0000000000000000"):
        definitions.get("0" * 16)


def test_one_that_is_held_is_checked_like_others(definitions: DefinitionStore, store: LocalStore) -> None:
    digest = definitions.hold(a_definition())
    store.put(f"held/{digest}.json", canonical_json(a_definition(experiment="altered")))
    with pytest.raises(IntegrityError, match="was altered"):
        definitions.get(digest)
