"""Records: written once, read only when they and their outputs are what they were, remembered for a while."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import NotFound, UnsafePath
from airloom.graph.canonical import digest_value
from airloom.graph.results import Origin, OutputRef
from airloom.reuse.leases import LeaseStore, Owner
from airloom.reuse.records import HISTORY_LENGTH, LostRecord, PipelineRecord, Record, RecordStore
from airloom.storage.envelope import seal
from airloom.storage.local import LocalStore

KEY = "ab" + "0" * 62
OUTPUT = OutputRef(datastore="blob", path="azureml/out", digest="d" * 64, size=1, is_file=True)


def a_record(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "key": KEY,
        "parts": {"version": None},
        "outputs": {"out": OUTPUT},
        "origin": Origin(run_id="run-1", step_id="train", attempt="1"),
        "step_name": "train it",
        "created_at": "2026-07-01",
    }
    return Record(**{**fields, **changes})


def intact(datastore: str, path: str) -> str:
    assert (datastore, path) == ("blob", "azureml/out")
    return "d" * 64


def failing(error: Exception) -> Callable[[str, str], str]:
    def digest_of(datastore: str, path: str) -> str:
        raise error

    return digest_of


ALTERED = "The reuse record was altered: its content does not have the digest it carries."


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def records(store: LocalStore) -> RecordStore:
    return RecordStore(store, "reuse/")


def test_the_first_record_of_a_key_counts_unless_it_is_replaced(records: RecordStore, store: LocalStore) -> None:
    second = a_record(created_at="2027")
    assert records.find(KEY, intact) is None
    assert records.add(a_record())
    assert not records.add(second)
    assert records.find(KEY, intact) == a_record()
    assert records.add(second, replace=True)
    assert records.find(KEY, intact) == second
    assert list(store.list("reuse/records")) == [f"reuse/records/ab/{KEY}.json"]


@pytest.mark.parametrize(
    ("digest_of", "cause"),
    [
        (failing(NotFound("There is nothing.")), "no longer exists."),
        (failing(UnsafePath("It leaves.", hint="Mend it.")), "cannot be read: It leaves. Mend it."),
        (failing(OSError(5, "Input/output error")), "cannot be read: [Errno 5] Input/output error"),
        (lambda datastore, path: "e" * 64, "was altered since."),
    ],
)
def test_a_record_whose_outputs_are_not_what_they_were_is_dropped(
    records: RecordStore, digest_of: Callable[[str, str], str], cause: str
) -> None:
    records.add(a_record())
    records.add_pipeline(PipelineRecord(key=KEY, steps={"train": a_record()}))
    with pytest.raises(LostRecord) as caught:
        records.find(KEY, digest_of)
    assert caught.value.cause == f"Its output 'out' at azureml/out on datastore 'blob' {cause}"
    assert (caught.value.output_lost, caught.value.keep) == (True, False)
    assert records.find(KEY, intact) is None
    assert records.find_pipeline(KEY, digest_of) is None
    assert records.find_pipeline(KEY, intact) is None


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"{", "The reuse record is truncated or is not JSON."),
        (b"[" * 100_000, "The reuse record is truncated or is not JSON."),
        (seal({"format": 1}).replace(b"1}", b"2}"), ALTERED),
        (seal({"format": 1}), "The reuse record is of a format this version does not know."),
        (seal([1]), ALTERED),  # type: ignore[arg-type]
        (seal(a_record(key="c")), "The reuse record belongs to another key."),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_believed_is_dropped(
    records: RecordStore, store: LocalStore, data: bytes, cause: str
) -> None:
    path = f"reuse/records/ab/{KEY}.json"
    store.put(path, data)
    with pytest.raises(LostRecord) as caught:
        records.find(KEY, intact)
    assert (caught.value.cause, caught.value.output_lost, caught.value.keep) == (cause, False, False)
    assert not store.exists(path)


class Unreadable(LocalStore):
    """A store on a disk that fails."""

    def get(self, key: str) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_record_that_cannot_be_read_now_is_kept(records: RecordStore, store: LocalStore) -> None:
    records.add(a_record())
    failing_disk = RecordStore(Unreadable(store.root), "reuse")
    with pytest.raises(LostRecord) as caught:
        failing_disk.find(KEY, intact)
    assert caught.value.cause == "The reuse record cannot be read: [Errno 5] Input/output error."
    assert (caught.value.output_lost, caught.value.keep) == (False, True)
    assert failing_disk.find_pipeline(KEY, intact) is None
    assert records.find(KEY, intact) == a_record()


def test_the_newest_attempts_are_remembered_and_those_of_the_key_come_first(records: RecordStore) -> None:
    made = [a_record(key=f"{number:064}"[::-1], created_at=f"2026-{number:03}") for number in range(HISTORY_LENGTH + 5)]
    other = a_record(step_name="another")
    for record in (*made, other):
        records.remember(record)
    kept = list(reversed(made[5:]))
    assert list(records.history("train it", KEY)) == kept
    assert list(records.history("train it", made[9].key)) == [made[9], *(one for one in kept if one != made[9])]
    assert list(records.history("another", KEY)) == [other]
    assert list(records.history("nobody", KEY)) == []


def test_the_record_of_a_pipeline_counts_until_a_record_is_replaced(records: RecordStore) -> None:
    first = PipelineRecord(key=KEY, steps={"train": a_record()})
    records.add_pipeline(first)
    records.add_pipeline(first.model_copy(update={"steps": {}}))
    assert records.find_pipeline(KEY, intact) == first
    assert records.find_pipeline("cd", intact) is None
    assert records.refreshed() == ""
    records.add(a_record(), replace=True)
    once = records.refreshed()
    assert once != ""
    assert records.find_pipeline(KEY, intact) is None
    records.add(a_record(created_at="2027"), replace=True)
    assert records.refreshed() not in ("", once)


def test_an_unreadable_mark_of_replaced_records_is_a_miss(records: RecordStore, store: LocalStore) -> None:
    records.add_pipeline(PipelineRecord(key=KEY, steps={"train": a_record()}))
    store.put("reuse/refreshed", b"\xff")
    assert records.refreshed() not in ("", "\xff")
    assert records.find_pipeline(KEY, intact) is None


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (PipelineRecord(key=KEY, steps={}, refreshed="before"), "Records were replaced since."),
        (PipelineRecord(key="c", steps={}), "It belongs to another key."),
        ({"format": 1}, "It is of a format this version does not know."),
    ],
)
def test_the_log_says_why_the_record_of_a_pipeline_is_not_used(
    records: RecordStore, store: LocalStore, caplog: pytest.LogCaptureFixture, body: Any, cause: str
) -> None:
    path = f"reuse/pipelines/ab/{KEY}.json"
    store.put(path, seal(body))
    with caplog.at_level(logging.INFO, "airloom"):
        assert records.find_pipeline(KEY, intact) is None
    assert caplog.messages == [f"The record {path} of a whole pipeline is not used: {cause}"]
    assert not store.exists(path)


def test_all_that_is_kept_is_listed_by_kind_and_can_be_read_unproven(records: RecordStore, store: LocalStore) -> None:
    pipeline = PipelineRecord(key=KEY, steps={"train": a_record()})
    records.add(a_record(), replace=True)
    records.add_pipeline(pipeline)
    records.remember(a_record())
    (record,), (pipelines,), (history,) = records.records(), records.pipelines(), records.histories()
    assert (record, pipelines) == (f"reuse/records/ab/{KEY}.json", f"reuse/pipelines/ab/{KEY}.json")
    assert records.read(record) == records.read(history) == a_record()
    assert records.read_pipeline(pipelines) == pipeline
    assert set(store.list()) == {record, pipelines, history, "reuse/refreshed"}


def test_reading_unproven_tells_what_is_gone_from_what_is_damaged(records: RecordStore, store: LocalStore) -> None:
    assert records.read("reuse/gone") is None
    assert records.read_pipeline("reuse/gone") is None
    store.put("reuse/newer", seal({"format": 2}))
    for read in (records.read, records.read_pipeline):
        with pytest.raises(LostRecord, match=r"^The reuse record was written by a newer version of Airloom\.$"):
            read("reuse/newer")


def test_a_lease_is_given_up_and_extended_by_its_owner_only(store: LocalStore) -> None:
    leases = LeaseStore(store, "reuse/")
    mine, other = (Owner.of_this_process(run, "train", "1") for run in ("run-1", "run-2"))
    assert leases.acquire("k", mine) is not None
    assert not leases.renew("k", other)
    leases.release("k", other)
    assert leases.holder("k") == mine
    assert leases.renew("k", mine)
    leases.release("k", mine)
    assert leases.holder("k") is None
    assert list(store.list()) == []


def test_a_damaged_attempt_does_not_hide_the_others(records: RecordStore, store: LocalStore) -> None:
    """Nor is one believed that lies in the place of another: it says nothing about the step whose place it has."""
    made = [a_record(created_at=f"202{number}") for number in range(4)]
    for record in made:
        records.remember(record)
    paths = list(store.list("reuse/history"))
    folder = "reuse/history/" + digest_value("train it")[:32]
    assert paths == [f"{folder}/202{number}-{KEY[:16]}.json" for number in range(4)]
    store.put(paths[3], b"{")
    store.put(paths[1], store.get(paths[0]))
    assert list(records.history("train it", KEY)) == [made[2], made[0]]
