"""The plan alone, without Airflow: what it costs a step to find out whether anything has changed; and the import."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from airloom.graph.model import PipelineGraph
from airloom.graph.results import Origin, OutputRef, StepResult
from airloom.reuse.plan import make_plan
from airloom.reuse.records import Record
from airloom.reuse.workspace import ReuseWorkspace
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.file_digests import RACY_NS
from airloom.storage.local import LocalStore
from airloom.storage.stat_cache import StatCache, null_cache
from airloom.storage.tree import digest_tree
from airloom.storage.workspace import WorkspaceStore
from benchmarks.figures import Figure, at_most, medians, ratio_at_most, seconds
from tests.support.builders import a_graph, a_step

LENGTHS = (10, 100, 1_000, 10_000)
REPEATS = 5
_DATASTORE = "data"
_IMPORTS = (
    "from airloom.core import Experiment, Workspace\n"
    "from airloom.pipeline.core import Pipeline, PipelineData\n"
    "from airloom.pipeline.steps import PythonScriptStep\n"
)


def measure() -> Iterator[Figure]:
    """The import, then plans of growing length."""
    ours, bare = medians(REPEATS, lambda: _python(_IMPORTS), lambda: _python("pass"))
    name = "import of the SDK with its steps, in a new process"
    yield Figure(name, ours, "s", "`python -c pass`", bare, at_most(0.3))
    of_a_hundred: dict[str, float] = {}
    for length in LENGTHS:
        with tempfile.TemporaryDirectory(prefix="airloom-bench-") as folder:
            recorded = Recorded(Path(folder), length)
            for case, timed in _cases(recorded).items():
                each = statistics.median(timed() for _ in range(REPEATS)) / length * 1000
                yield Figure(f"plan of {length:,} steps, {case}", each, "ms/step", goal=at_most(1.0))
                if length == LENGTHS[1]:
                    of_a_hundred[case] = each
                if length == LENGTHS[-1]:
                    name = f"plan of {length:,} steps, {case}: growth"
                    against = f"plan of {LENGTHS[1]} steps"
                    yield Figure(name, each, "ms/step", against, of_a_hundred[case], ratio_at_most(1.5))


def _python(code: str) -> float:
    return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def _cases(recorded: Recorded) -> dict[str, Callable[[], float]]:
    chain, wide = recorded.chain, recorded.wide
    last, length = chain.steps[-1].id, len(chain.steps)
    return {
        "the first after they have run": lambda: recorded.timed(chain, reused=length, first=True),
        "nothing has changed": lambda: recorded.timed(chain, reused=length),
        "the last of a chain has changed": lambda: recorded.timed(_changed(chain, last), reused=length - 1),
        "all have changed and each is explained": lambda: recorded.timed(_changed(wide), reused=0),
    }


def _changed(graph: PipelineGraph, only: str | None = None) -> PipelineGraph:
    """The graph with one step, or all, in a version that never was before."""
    new = {"version": str(time.time_ns())}
    steps = tuple(step if only not in (None, step.id) else step.model_copy(update=new) for step in graph.steps)
    return graph.model_copy(update={"steps": steps})


class Recorded:
    """A workspace in which a chain of steps, and as many steps beside each other, have run."""

    def __init__(self, folder: Path, length: int) -> None:
        self._folder = folder
        (folder / "data").mkdir()
        (folder / "data" / "raw.txt").write_text("raw")
        store = WorkspaceStore(_UnsyncedStore(folder / "store"), "default", null_cache())
        store.put_datastore(LocalConfig(name=_DATASTORE, root=str(folder / "data")))
        sources = {"raw": f"{_DATASTORE}/raw.txt"}
        links = [a_step("chain_0", reads=["raw"])]
        links += [a_step(f"chain_{n}", reads=[f"chain_{n - 1}.out"]) for n in range(1, length)]
        self.chain = a_graph(*links, sources=sources)
        beside = (a_step(f"wide_{n}", reads=["raw"], version=f"wide {n}") for n in range(length))
        self.wide = a_graph(*beside, sources=sources)
        for graph in (self.chain, self.wide):
            self._record(ReuseWorkspace(store), graph)
        time.sleep(RACY_NS / 1e9 + 0.1)  # before that, no output counts as unchanged

    def timed(self, graph: PipelineGraph, *, reused: int, first: bool = False) -> float:
        """Seconds for a plan by a workspace that has just been opened; the `first` has to read all outputs."""
        if first:
            shutil.rmtree(self._folder / "store" / "workspaces" / "default" / "reuse" / "pipelines", ignore_errors=True)
            shutil.rmtree(self._folder / "cache", ignore_errors=True)
        cache = StatCache(self._folder / "cache" / "digests.sqlite")
        workspace = ReuseWorkspace(WorkspaceStore(LocalStore(self._folder / "store"), "default", cache))
        start = time.perf_counter()
        plan = make_plan(graph, workspace, run_id="planned", parameters={}, reuse="auto")
        taken = time.perf_counter() - start
        if len(plan.reused) != reused:
            raise RuntimeError(f"the plan reuses {len(plan.reused)} steps and not {reused}")
        return taken

    def _record(self, workspace: ReuseWorkspace, graph: PipelineGraph) -> None:
        results: dict[str, StepResult] = {}
        with workspace.at_one_moment() as now:
            for step in graph.steps:
                output = self._output(step.id)
                key = now.key_of(step, graph, {}, results)
                results[step.id] = StepResult(status="executed", outputs={"out": output}, key=key.key, attempt="1")
                record = Record(
                    key=key.key,
                    parts=key.parts,
                    outputs={"out": output},
                    origin=Origin(run_id="recorded", step_id=step.id, attempt="1"),
                    step_name=step.name,
                    created_at="2026-01-01T00:00:00.000000Z",
                )
                now.records.add(record)
                now.records.remember(record)

    def _output(self, step: str) -> OutputRef:
        path = f"azureml/recorded/{step}/1/out"
        file = self._folder / "data" / path
        file.parent.mkdir(parents=True)
        file.write_text(step)
        digest = digest_tree(file, null_cache())
        return OutputRef(datastore=_DATASTORE, path=path, digest=digest, size=len(step), is_file=True)


class _UnsyncedStore(LocalStore):
    """Writes without waiting for the disk: ten thousand records are made in seconds. The plan itself reads only."""

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True
