"""A deployment without Airflow: pipelines with source folders and definitions, runs with logs, a table of runs.

Everything but Airflow is real: store, datastore, records, plan, steps. The table of runs is a folder of files, so that
it serves threads and processes alike.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airloom.execution import Busy
from airloom.execution.stop import RunStop
from airloom.graph.canonical import digest_bytes, digest_value
from airloom.graph.model import Definition, PipelineGraph, PythonScriptSettings, Step
from airloom.graph.results import Origin, OutputRef, StepResult
from airloom.reuse.plan import Plan, topological_order
from airloom.reuse.workspace import ReuseWorkspace
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.definitions import DefinitionStore, dag_id
from airloom.storage.local import LocalStore
from airloom.storage.snapshot import collect, store_snapshot
from airloom.storage.stat_cache import StatCache
from airloom.storage.workspace import WorkspaceStore
from airloom.upkeep import GcReport, Limits, RunUse, VerifyReport
from airloom.upkeep import collect as collect_garbage
from airloom.upkeep.progress import Work
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, InProcessRun, Workbench
from tests.support.remote_datastore import FarWorkspace


@dataclass(frozen=True)
class Pipe:
    """A pipeline in short: its steps with what each reads, and a text that all scripts have in them."""

    name: str
    salt: str
    steps: tuple[tuple[str, tuple[str, ...]], ...]

    def graph(self, deployment: Deployment) -> PipelineGraph:
        """The graph, with the source folder of each step stored."""
        return a_graph(*(self._step(deployment, name, reads) for name, reads in self.steps))

    def _step(self, deployment: Deployment, name: str, reads: tuple[str, ...]) -> Step:
        digest = deployment.store_source({"main.py": f"{name} {self.salt}", "lib/common.py": "shared by all"})
        settings = PythonScriptSettings(script_name="main.py", snapshot=digest)
        return a_step(name, reads=[f"{read}.out" for read in reads], settings=settings)

    def text_of(self, step: str) -> str:
        """What a step writes: it depends on the source and on all that it reads."""
        reads = dict(self.steps)[step]
        return digest_value([step, self.salt, {f"{read}_out": self.text_of(read) for read in reads}])

    def script_of(self, step: str) -> Any:
        """The step's script."""
        return lambda texts: digest_value([step, self.salt, texts])


class RunTable:
    """The runs of a deployment as files, one each; it is what Airflow's database is to the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, run_id: str, **fields: Any) -> None:
        """Make or change the row of a run."""
        path = self.folder / f"{run_id}.json"
        row = json.loads(path.read_text()) if path.exists() else {}
        row = {"live": True, "definition": None, "outputs": [], "origins": [], "snapshots": [], **row, **fields}
        temporary = path.with_suffix(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps({**row, "last_used": fields.get("last_used", _now().isoformat())}))
        temporary.replace(path)

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and fields of all runs."""
        for path in self.folder.glob("*.json"):
            yield path.stem, json.loads(path.read_text())

    def uses(self, dag_ids: Collection[str], since: datetime) -> list[RunUse]:
        """Live runs, and others used since."""
        return [
            RunUse(
                run_id=run_id,
                live=row["live"],
                last_used=datetime.fromisoformat(row["last_used"]),
                definition=row["definition"],
                outputs=tuple(OutputRef(**output) for output in row["outputs"]),
                origins=tuple(Origin(**origin) for origin in row["origins"]),
                snapshots=frozenset(row["snapshots"]),
            )
            for run_id, row in self.rows()
            if row["live"] or datetime.fromisoformat(row["last_used"]) >= since
        ]

    def publish(self, digest: str) -> None:
        """Let a definition be that of a published pipeline."""
        (self.folder / f"{digest}.published").touch()

    def published(self) -> Collection[str]:
        """The definitions that `publish` was told of."""
        return [path.stem for path in self.folder.glob("*.published")]

    def retire(self, dag_id: str) -> bool:
        """False if a run of the DAG is live."""
        digest = dag_id.rpartition(".")[2]
        return not any(row["live"] and row["definition"] == digest for _, row in self.rows())

    def revive(self, dag_id: str) -> None:
        """Nothing to be done: a submission asks for nothing but the definition here."""

    def workspaces(self) -> Collection[str]:
        """The one workspace."""
        return ["default"]


class Deployment(Workbench):
    """A store, a datastore, and a table of runs below a folder."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        (root / "data").mkdir(exist_ok=True)
        self.root = root
        self.store = LocalStore(root / "store")
        # A cache of its own: one that is shared would be written to when this folder is long gone.
        self.data = root / "data"
        self.storage = self.open_storage(StatCache(root / "digests.sqlite"))
        self.config = self.storage.datastore(DATASTORE).config
        self.workspace = ReuseWorkspace(self.storage)
        self.definitions = DefinitionStore(self.store)
        self.table = RunTable(root / "runs")
        self.pause: Callable[[], None] = lambda: None

    def open_storage(self, cache: StatCache) -> WorkspaceStore:
        """The workspace, with its datastore in the folder `data`."""
        storage = WorkspaceStore(self.store, "default", cache)
        storage.put_datastore(LocalConfig(name=DATASTORE, root=str(self.data)))
        return storage

    def store_source(self, files: dict[str, str]) -> str:
        """Upload a source folder as the SDK does; returns its digest."""
        folder = self.root / "sources" / digest_value(files)[:16]
        if not folder.exists():
            staged = folder.with_name(uuid.uuid4().hex)
            for name, text in files.items():
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                (staged / name).write_text(text)
            try:
                staged.rename(folder)
            except OSError:  # another run was faster
                shutil.rmtree(staged)
        return store_snapshot(self.storage, collect(folder, cache=self.storage.cache), folder)

    def define(self, pipe: Pipe) -> Definition:
        """The definition of a pipeline, as a submission makes it."""
        return Definition(
            workspace="default",
            experiment=pipe.name,
            store=f"file://{self.store.root}",
            default_datastore=DATASTORE,
            pools={},
            graph=pipe.graph(self),
        )

    @contextmanager
    def live_run(self, pipe: Pipe) -> Iterator[DeployedRun]:
        """A run that was submitted and planned and has not ended."""
        definition = self.define(pipe)
        self.pause()
        for step in definition.graph.steps:
            self.storage.use_snapshot(step.settings.snapshot)
        self.pause()
        digest = self.definitions.put(definition)
        self.pause()
        run = DeployedRun(self, definition.graph, {name: pipe.script_of(name) for name, _ in pipe.steps})
        self.table.write(run.info.run_id, definition=digest)
        try:
            run.make_plan()
            yield run
        finally:
            self.table.write(run.info.run_id, live=False)

    def run_pipe(self, pipe: Pipe) -> DeployedRun:
        """Run a pipeline to its end, and check what it gave while it is live."""
        with self.live_run(pipe) as run:
            run.finish()
            self.check_results(pipe, run)
        return run

    def check_results(self, pipe: Pipe, run: DeployedRun) -> None:
        """Every output of a run is there and holds what its step writes; so are its pipeline and its sources."""
        for step in run.graph.steps:
            for entry in self.storage.snapshot(step.settings.snapshot).entries:
                assert self.store.exists(self.storage.blob_key(entry.digest))
        assert any(
            row["definition"] in set(self.definitions.stored())
            for name, row in self.table.rows()
            if name == run.info.run_id
        )
        for name, _ in pipe.steps:
            path = run.results[name].outputs["out"].path
            assert (self.data / path).read_text() == pipe.text_of(name), f"step {name} of {pipe} has wrong bytes"

    def plan_of(self, pipe: Pipe) -> Plan:
        """What the planner says of a pipeline now."""
        run = DeployedRun(self, pipe.graph(self), {})
        run.make_plan()
        return run.plan

    def gc(self, older_than: timedelta = timedelta(days=90), **options: Any) -> GcReport:
        """Collect to the end."""
        limits = Limits(
            older_than=older_than, **{k: options.pop(k) for k in list(options) if k in Limits.__annotations__}
        )
        return finish(collect_garbage(self.storage, self.table, limits, **options))

    def age(self, by: timedelta) -> None:
        """Make everything that is there older."""
        for path in [*self.store.root.rglob("*"), *self.data.rglob("*")]:
            if path.is_file() and ".airloom-locks" not in path.parts:
                then = path.stat().st_mtime - by.total_seconds()
                os.utime(path, (then, then))
        for run_id, row in list(self.table.rows()):
            self.table.write(run_id, last_used=(datetime.fromisoformat(row["last_used"]) - by).isoformat())

    def copy_to(self, root: Path) -> Deployment:
        """The same deployment, with all its times, in another folder."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("sources"))
        copied = Deployment(root)
        return copied

    def everything(self) -> dict[str, str]:
        """All files of store and datastore with their digests and times."""
        return {
            str(path.relative_to(self.root)): f"{digest_bytes(path.read_bytes())} {path.stat().st_mtime_ns}"
            for folder in (self.store.root, self.data)
            for path in folder.rglob("*")
            if path.is_file() and ".airloom-locks" not in path.parts
        }


class FarDeployment(Deployment):
    """The same, but its datastore is a remote one as far as anybody but the tests can tell."""

    def open_storage(self, cache: StatCache) -> WorkspaceStore:
        storage = FarWorkspace(self.store, "default", cache)
        self.far = storage.add(self.data, DATASTORE)
        return storage

    def write(self, path: str, text: str) -> None:
        self.far.write(path, io.BytesIO(text.encode()))


class DeployedRun(InProcessRun):
    """A run that leaves logs, tells the table what it uses, and marks itself as stopped when a step fails."""

    _bench: Deployment

    @property
    def graph(self) -> PipelineGraph:
        """The pipeline."""
        return self._graph

    def make_plan(self) -> None:
        """Plan, and publish the plan as the root task does."""
        super().make_plan()
        self._publish()

    def finish(self) -> None:
        """Execute what the plan left."""
        for step in topological_order(self._graph):
            while step.id not in self.results:
                try:
                    self.results[step.id] = self.execute(step)
                except Busy:
                    time.sleep(0.02)
            self._publish()

    def stop(self) -> None:
        """Leave the mark of a step that failed."""
        RunStop(self._bench.storage, self.info, enabled=True).announce(self._graph.steps[0].id)

    def _compute(self, step: Step, attempt: str) -> dict[str, OutputRef]:
        for name in ("logs/stdout.txt", "logs/job.txt"):
            self._bench.storage.write_artifact(self.info.run_id, step.id, attempt, name, b"line\n")
        return super()._compute(step, attempt)

    def _publish(self) -> None:
        self._bench.pause()
        results: list[StepResult] = list(self.results.values())
        self._bench.table.write(
            self.info.run_id,
            outputs=[output.model_dump(mode="json") for result in results for output in result.outputs.values()],
            origins=[result.reused_from.model_dump() for result in results if result.reused_from is not None],
        )


def finish(work: Work[Any]) -> Any:
    """Do all of some work; returns its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def check_sound(deployment: Deployment, report: VerifyReport) -> None:
    """Nothing is damaged, and what is stored twice agrees."""
    assert report.findings == ()
    assert {digest for number in range(16) for digest in deployment.definitions.listed(number) or ()} == {
        *deployment.definitions.stored()
    }


def dag_of(deployment: Deployment, pipe: Pipe) -> str:
    """The id of the DAG of a pipeline."""
    return dag_id(deployment.define(pipe))


def _now() -> datetime:
    return datetime.now(UTC)
