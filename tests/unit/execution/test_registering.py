"""Outputs that are to become datasets: what a worker leaves for the server, however often it is tried and killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.execution.registering import announce_datasets
from airloom.graph.canonical import digest_value
from airloom.graph.model import DataLocation, DatasetRegistration, FilesSource, OutputPort, Step, TabularSource
from airloom.graph.results import OutputRef, StepResult
from airloom.storage.contents import content_of
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.local import LocalStore
from airloom.storage.registrations import Wish, Wishes
from airloom.storage.stat_cache import null_cache
from airloom.storage.workspace import WorkspaceStore
from tests.support.builders import a_step


@pytest.fixture
def storage(tmp_path: Path) -> WorkspaceStore:
    """A workspace with one datastore, on which an attempt has left two files."""
    workspace = WorkspaceStore(LocalStore(tmp_path / "store"), "lab", null_cache())
    workspace.put_datastore(LocalConfig(name="blobs", root=str(tmp_path / "blobs")))
    for attempt in ("1", "2"):
        folder = tmp_path / "blobs" / "run" / attempt
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(attempt)
        (folder / "b.csv").write_text("b")
    return workspace


def step(registration: DatasetRegistration | None) -> Step:
    return a_step("train").model_copy(
        update={"outputs": (OutputPort(name="model", registration=registration), OutputPort(name="other"))}
    )


def result(storage: WorkspaceStore, attempt: str) -> StepResult:
    handle, path = storage.datastore("blobs"), f"run/{attempt}"
    output = OutputRef(datastore="blobs", path=path, digest=handle.digest(path), size=2, is_file=False)
    return StepResult(status="executed", outputs={"model": output, "other": output}, key=None, attempt=attempt)


def left(storage: WorkspaceStore) -> list[Wish]:
    return [found.wish for found in Wishes(storage).all()]


def test_a_wish_says_all_that_the_server_needs(storage: WorkspaceStore) -> None:
    wanted = DatasetRegistration(name="cars", description="d", tags={"a": "b"}, create_new_version=False)
    assert announce_datasets(storage, [step(wanted)], {"train": result(storage, "1")}, "run-1") == ["cars"]
    (wish,) = left(storage)
    source = FilesSource(locations=(DataLocation(datastore="blobs", path="run/1"),))
    assert (wish.name, wish.description, wish.tags, wish.create_new_version) == ("cars", "d", {"a": "b"}, False)
    assert (wish.source, wish.run_id, wish.step_id, wish.port) == (source, "run-1", "train", "model")
    assert wish.content == content_of(storage, source)  # so that nothing seems to have changed


def test_tables_are_read_as_was_said(storage: WorkspaceStore) -> None:
    wanted = DatasetRegistration(name="cars", reading=TabularSource(locations=(), separator=";"))
    announce_datasets(storage, [step(wanted)], {"train": result(storage, "1")}, "run-1")
    assert left(storage)[0].source == TabularSource(
        locations=(DataLocation(datastore="blobs", path="run/1"),), separator=";"
    )


def test_one_wish_for_an_output_of_a_run_and_the_last_attempt_counts(storage: WorkspaceStore) -> None:
    wanted = step(DatasetRegistration(name="cars"))
    for attempt in ("1", "1", "2"):
        announce_datasets(storage, [wanted], {"train": result(storage, attempt)}, "run-1")
    (wish,) = left(storage)
    assert wish.source.locations[0].path == "run/2"
    announce_datasets(storage, [wanted], {"train": result(storage, "2")}, "run-2")
    assert len({each.id for each in left(storage)}) == 2


def test_what_is_granted_goes_unless_another_took_its_place(storage: WorkspaceStore) -> None:
    wanted = step(DatasetRegistration(name="cars"))
    announce_datasets(storage, [wanted], {"train": result(storage, "1")}, "run-1")
    (found,) = Wishes(storage).all()
    announce_datasets(storage, [wanted], {"train": result(storage, "2")}, "run-1")
    Wishes(storage).granted(found)
    assert [wish.source.locations[0].path for wish in left(storage)] == ["run/2"]
    (found,) = Wishes(storage).all()
    Wishes(storage).granted(found)
    Wishes(storage).granted(found)
    assert left(storage) == []


def test_nothing_is_left_for_what_is_not_to_be_registered(storage: WorkspaceStore) -> None:
    results = {"train": result(storage, "1")}
    assert announce_datasets(storage, [step(None)], results, "run-1") == []
    assert announce_datasets(storage, [step(DatasetRegistration(name="cars"))], {}, "run-1") == []
    assert left(storage) == []


def test_workspaces_have_wishes_of_their_own(storage: WorkspaceStore) -> None:
    """Ids of runs that Airflow made by itself are unique in a workspace only."""
    announce_datasets(storage, [step(DatasetRegistration(name="cars"))], {"train": result(storage, "1")}, "run-1")
    (wish,) = left(storage)
    assert wish.model_copy(update={"workspace": "other"}).id != wish.id


def test_the_content_is_what_the_step_recorded_even_if_it_has_changed_since(
    storage: WorkspaceStore, tmp_path: Path
) -> None:
    recorded = result(storage, "1")
    (tmp_path / "blobs/run/1/a.csv").write_text("tampered")
    announce_datasets(storage, [step(DatasetRegistration(name="cars"))], {"train": recorded}, "run-1")
    assert left(storage)[0].content.digest == digest_value([recorded.outputs["model"].digest])
