"""What a plan reads: so many objects for each step and no more, whatever the length of the pipeline."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from airloom.graph.model import PipelineGraph
from airloom.reuse.plan import Plan, make_plan
from airloom.reuse.workspace import ReuseWorkspace
from airloom.storage.file_digests import RACY_NS
from airloom.storage.local import LocalStore
from airloom.storage.local_datastore import LocalDatastore
from airloom.storage.snapshot import collect, store_snapshot
from airloom.storage.workspace import WorkspaceStore
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, Workbench

MakePlan = Callable[[PipelineGraph], tuple[Plan, Counter[str]]]
lengths = pytest.mark.parametrize("length", [4, 16])


class CountingStore(LocalStore):
    """Counts what is read, by kind: `datastores`, `snapshots`, `records`, `pipelines`, `leases`, `history`."""

    def __init__(self, root: Path, counts: Counter[str]) -> None:
        super().__init__(root)
        self._counts = counts

    def open_read(self, key: str) -> BinaryIO:
        kind = key.split("/")[2]
        self._counts[key.split("/")[3] if kind == "reuse" else kind] += 1
        return super().open_read(key)


@pytest.fixture
def plan(bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePlan:
    """Plans a run and counts the objects read, the contents digested, and the connections to the digest cache."""
    counts: Counter[str] = Counter()
    connect, digest = sqlite3.connect, LocalDatastore.digest

    def counted_connect(*args: Any, **options: Any) -> sqlite3.Connection:
        counts["connections"] += 1
        return connect(*args, **options)

    def counted_digest(datastore: LocalDatastore, path: str = "") -> str:
        counts["digests"] += 1
        return digest(datastore, path)

    def make(graph: PipelineGraph) -> tuple[Plan, Counter[str]]:
        workspace = ReuseWorkspace(WorkspaceStore(CountingStore(tmp_path / "store", counts), "default"))
        with monkeypatch.context() as patches:
            patches.setattr(sqlite3, "connect", counted_connect)
            patches.setattr(LocalDatastore, "digest", counted_digest)
            counts.clear()
            made = make_plan(graph, workspace, run_id="another", parameters={}, reuse="auto")
            return made, counts.copy()

    return make


def chain(length: int, version: str = "1", **last: Any) -> PipelineGraph:
    """A chain of which each step also reads the source `raw`."""
    steps = [a_step("s0", reads=["raw"], version=version)]
    steps += [a_step(f"s{n}", reads=[f"s{n - 1}.out", "raw"], version=version) for n in range(1, length)]
    steps[-1] = steps[-1].model_copy(update=last)
    return a_graph(*steps, sources={"raw": f"{DATASTORE}/raw.txt"})


def run(bench: Workbench, graph: PipelineGraph) -> None:
    bench.write("raw.txt", "data")
    bench.run(graph, {step.id: lambda texts: f"made of {sorted(texts)}" for step in graph.steps})


@lengths
def test_an_unchanged_pipeline_costs_one_record_and_a_look_at_each_output(
    bench: Workbench, plan: MakePlan, length: int
) -> None:
    run(bench, chain(length))
    plan(chain(length))
    again, counts = plan(chain(length))
    assert len(again.reused) == length
    del counts["connections"]  # none, unless the test took so long that the outputs are looked up
    assert counts == {"pipelines": 1, "refreshed": 2, "datastores": 1, "digests": length + 1}


@lengths
def test_step_by_step_costs_one_record_each(bench: Workbench, plan: MakePlan, length: int) -> None:
    run(bench, chain(length))
    changed, counts = plan(chain(length, version="1", arguments=()))
    assert len(changed.reused) == length - 1
    assert counts["records"] == length
    assert (counts["digests"], counts["datastores"], counts["history"], counts["leases"]) == (length, 1, 1, 1)


def test_the_digest_cache_is_opened_once(bench: Workbench, plan: MakePlan) -> None:
    run(bench, chain(8))
    time.sleep(RACY_NS / 1e9 + 0.1)  # before that, nothing is looked up
    reused = [plan(chain(8)) for _ in range(2)]  # step by step, then as a whole
    assert [len(decided.reused) for decided, _ in reused] == [8, 8]
    assert [counts["connections"] for _, counts in reused] == [1, 1]


def test_a_step_that_changed_in_one_part_is_compared_with_one_attempt(bench: Workbench, plan: MakePlan) -> None:
    for version in ("1", "2", "3", "4"):
        run(bench, chain(1, version))
    _, counts = plan(chain(1, "5"))
    assert counts["history"] == 1


def test_a_source_folder_is_read_once_for_all_steps(bench: Workbench, plan: MakePlan, tmp_path: Path) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "main.py").write_text("print()")
    digest = store_snapshot(bench.storage, collect(folder), folder)
    steps = [a_step(f"s{n}", reads=["raw"], version=str(n)) for n in range(8)]
    narrowed = [
        step.model_copy(
            update={"settings": step.settings.model_copy(update={"snapshot": digest, "hash_paths": ("main.py",)})}
        )
        for step in steps
    ]
    bench.write("raw.txt", "data")
    decided, counts = plan(a_graph(*narrowed, sources={"raw": f"{DATASTORE}/raw.txt"}))
    assert [decision.action for decision in decided.decisions.values()] == ["run"] * 8
    assert (counts["snapshots"], counts["digests"]) == (1, 1)
