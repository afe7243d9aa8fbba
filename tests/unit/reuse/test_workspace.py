"""What reuse asks of a workspace: contents and where they are bound, and answers that hold for the time of a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.errors import InvalidGraph, NotFound
from airloom.graph.canonical import digest_bytes, digest_value
from airloom.graph.model import DataLocation, FilesSource, FromParameter, InputPort, PathSource, TabularSource
from airloom.graph.results import OutputRef, StepResult
from airloom.reuse.workspace import ReuseWorkspace, as_source, bound_data
from airloom.storage.snapshot import collect, store_snapshot
from airloom.storage.workspace import WorkspaceStore
from tests.support.builders import a_graph, a_step, an_input
from tests.support.in_process import DATASTORE, Workbench


def test_a_workspace_is_opened_by_address_and_name(tmp_path: Path) -> None:
    workspace = ReuseWorkspace.open((tmp_path / "store").as_uri(), "lab")
    assert workspace.storage.workspace == "lab"
    assert workspace.storage.store.local_path("k") == tmp_path / "store" / "k"


def test_records_and_leases_lie_together(bench: Workbench) -> None:
    keys = [bench.workspace.records._record_path("ab"), bench.workspace.leases._path("ab")]
    assert keys == ["workspaces/default/reuse/records/ab/ab.json", "workspaces/default/reuse/leases/ab"]


# --- contents -------------------------------------------------------------------------------------------------------


def digest_of_file(text: str) -> str:
    """That of a tree which is a single file."""
    data = text.encode()
    return digest_value([{"path": "", "size": len(data), "digest": digest_bytes(data)}])


def test_the_digest_of_a_source_is_that_of_its_content(bench: Workbench) -> None:
    bench.write("a", "1")
    bench.write("b", "2")
    a, b = (DataLocation(datastore=DATASTORE, path=path) for path in "ab")
    assert bench.workspace.source_digest(PathSource(location=a)) == digest_of_file("1")
    both = bench.workspace.source_digest(FilesSource(locations=(a, b)))
    assert both == digest_value([digest_of_file("1"), digest_of_file("2")])
    assert bench.workspace.source_digest(TabularSource(locations=(a, b))) == both
    assert bench.workspace.source_digest(FilesSource(locations=(b, a))) != both


def test_a_port_is_given_an_output_a_source_or_the_value_of_a_parameter() -> None:
    output = OutputRef(datastore="d", path="p", digest="0" * 64, size=1, is_file=True)
    result = StepResult(status="executed", outputs={"out": output}, key=None, attempt="1")
    graph = a_graph(a_step("train"), sources={"raw": "d/raw"})
    value = {"kind": "path", "location": {"datastore": "d", "path": "chosen"}}
    port = InputPort(name="in", binding=FromParameter(parameter="data"))
    assert bound_data(an_input("train.out"), graph, {}, {"train": result}) == output
    assert bound_data(an_input("raw"), graph, {}, {}) == graph.sources["raw"]
    assert bound_data(port, graph, {"data": value}, {}) == PathSource(
        location=DataLocation(datastore="d", path="chosen")
    )


@pytest.mark.parametrize("value", ["text", 1, None, {"kind": "unknown"}, {"kind": "path"}])
def test_a_parameter_that_is_no_data_is_named(value: Any) -> None:
    with pytest.raises(InvalidGraph) as caught:
        as_source("data", value)
    assert caught.value.message == f"Parameter 'data' must be a data path or a dataset, got {value!r}."
    assert caught.value.target == "data"


# --- many questions in a row ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "main.py").write_text("print()")
    return folder


def test_what_was_answered_is_not_asked_again(bench: Workbench, folder: Path) -> None:
    bench.write("raw", "before")
    manifest = collect(folder)
    digest = store_snapshot(bench.storage, manifest, folder)
    questions: list[Callable[[ReuseWorkspace], Any]] = [
        lambda workspace: workspace.digest_of(DATASTORE, "raw"),
        lambda workspace: workspace.snapshot(digest),
        lambda workspace: workspace.files_of(digest),
        lambda workspace: workspace.digest_of_part(digest, ("main.py",)),
    ]
    with bench.workspace.at_one_moment() as now:
        answers = [ask(now) for ask in questions]
        assert answers[1] == manifest
        assert answers[2] == {"main.py": digest_bytes(b"print()")}
        bench.write("raw", "after")
        bench.storage.store.delete(bench.storage.snapshot_key(digest))
        assert [ask(now) for ask in questions] == answers
    assert bench.workspace.digest_of(DATASTORE, "raw") == digest_of_file("after")
    with pytest.raises(NotFound):
        bench.workspace.snapshot(digest)


def test_parts_and_places_are_told_apart(bench: Workbench, folder: Path) -> None:
    (folder / "lib.py").write_text("pass")
    digest = store_snapshot(bench.storage, collect(folder), folder)
    bench.write("a", "1")
    bench.write("b", "2")
    with bench.workspace.at_one_moment() as now:
        assert now.digest_of(DATASTORE, "a") != now.digest_of(DATASTORE, "b")
        assert now.digest_of_part(digest, ("main.py",)) != now.digest_of_part(digest, ("lib.py",))


def test_a_datastore_is_looked_up_once(bench: Workbench) -> None:
    bench.write("a", "1")
    bench.write("b", "2")
    with bench.workspace.at_one_moment() as now:
        now.digest_of(DATASTORE, "a")
        bench.storage.delete_datastore(DATASTORE)
        assert now.digest_of(DATASTORE, "b") == digest_of_file("2")


def test_no_error_is_remembered(bench: Workbench, folder: Path) -> None:
    manifest = collect(folder)
    with bench.workspace.at_one_moment() as now:
        for ask in (lambda: now.digest_of(DATASTORE, "late"), lambda: now.snapshot(manifest.digest)):
            with pytest.raises(NotFound):
                ask()
        bench.write("late", "1")
        store_snapshot(bench.storage, manifest, folder)
        assert now.digest_of(DATASTORE, "late") == digest_of_file("1")
        assert now.snapshot(manifest.digest) == manifest


def test_it_is_the_same_workspace(bench: Workbench) -> None:
    other = ReuseWorkspace(WorkspaceStore(bench.storage.store, "other", bench.storage.cache))
    with other.at_one_moment() as now:
        assert now.storage.key() == "workspaces/other"
        assert now.storage.store is bench.storage.store
