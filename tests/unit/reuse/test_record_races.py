"""What happens to a record while somebody is reading it."""

from __future__ import annotations

import pytest

from airloom.errors import NotFound, StoreUnavailable
from airloom.graph.results import Origin, OutputRef
from airloom.reuse.records import LostRecord, PipelineRecord, Record, RecordStore
from airloom.storage.object_store import ObjectStore


def a_record(run_id: str, digest: str = "0" * 64) -> Record:
    return Record(
        key="k",
        parts={},
        outputs={"out": OutputRef(datastore="d", path="p", digest=digest, size=1, is_file=True)},
        origin=Origin(run_id=run_id, step_id="train", attempt="1"),
        step_name="train",
        created_at="2026-01-01T00:00:00Z",
    )


@pytest.fixture
def records(any_store: ObjectStore) -> RecordStore:
    return RecordStore(any_store, "reuse")


def test_a_record_that_replaces_a_lost_one_is_not_dropped_in_its_place(records: RecordStore) -> None:
    """The outputs of the old record are gone. While a reader finds that out, a refreshed one is written."""
    records.add(a_record("old"))

    def gone_while_another_refreshes(datastore: str, path: str) -> str:
        records.add(a_record("new"), replace=True)
        raise NotFound("gone")

    with pytest.raises(LostRecord, match="no longer exists"):
        records.find("k", gone_while_another_refreshes)
    assert records.find("k", lambda datastore, path: "0" * 64) == a_record("new")


def test_a_pipeline_record_that_comes_in_place_of_a_lost_one_stays(records: RecordStore) -> None:
    records.add_pipeline(PipelineRecord(key="k", steps={"train": a_record("old")}))

    def altered_while_another_records(datastore: str, path: str) -> str:
        with_new = PipelineRecord(key="k", steps={"train": a_record("new", "1" * 64)})
        assert records.find_pipeline("k", lambda datastore, path: "1" * 64) is None
        records.add_pipeline(with_new)
        return "1" * 64

    assert records.find_pipeline("k", altered_while_another_records) is None
    found = records.find_pipeline("k", lambda datastore, path: "1" * 64)
    assert found is not None
    assert found.steps["train"].origin.run_id == "new"


def test_a_record_is_not_dropped_because_the_store_does_not_answer(records: RecordStore) -> None:
    records.add(a_record("old"))

    def unreachable(datastore: str, path: str) -> str:
        raise StoreUnavailable("no answer")

    with pytest.raises(StoreUnavailable, match="no answer"):
        records.find("k", unreachable)
    assert records.find("k", lambda datastore, path: "0" * 64) == a_record("old")
