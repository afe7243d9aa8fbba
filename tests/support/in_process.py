"""Runs a graph in this process: the plan, then each step by its execution, with Python functions as scripts.

It is what the DAG does on Airflow, without Airflow, so that rules of reuse can be tested by the hundred.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airloom.execution import RunInfo, StepExecution, utc_now
from airloom.graph.model import PipelineGraph, ReuseMode, Step
from airloom.graph.results import OutputRef, StepResult
from airloom.reuse.plan import Plan, make_plan, topological_order
from airloom.reuse.workspace import ReuseWorkspace, bound_data
from airloom.storage.datastore_config import LocalConfig
from airloom.storage.object_store import open_store
from airloom.storage.stat_cache import StatCache
from airloom.storage.workspace import WorkspaceStore

DATASTORE = "workspaceblobstore"
Script = Callable[[dict[str, str]], str]
"""Gets the text of each input port, and returns the text to write to every output port."""


class Workbench:
    """A workspace on disk, with data and runs. On a folder that has one, it is that workspace, opened again.

    The store may lie elsewhere, at an `address`.
    """

    def __init__(self, root: Path, cache: StatCache | None = None, *, address: str = "") -> None:
        self.root = root
        self.store = root / "store"
        self.storage = WorkspaceStore(open_store(address or f"file://{self.store}"), "default", cache)
        self.data = root / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        if DATASTORE not in self.storage.datastores():
            self.storage.put_datastore(LocalConfig(name=DATASTORE, root=str(self.data)))
        self.workspace = ReuseWorkspace(self.storage)

    def write(self, path: str, text: str) -> None:
        """Put a file on the datastore."""
        target = self.data / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def read(self, path: str) -> str:
        """The text of a file on the datastore."""
        return (self.data / path).read_text()

    def run(self, graph: PipelineGraph, scripts: Mapping[str, Script], **options: Any) -> InProcessRun:
        """Run a graph to its end."""
        run = InProcessRun(self, graph, scripts, **options)
        run.plan_and_execute()
        return run


class InProcessRun:
    """One run. `executed` lists the steps whose scripts ran, in order; `results` holds all results."""

    def __init__(
        self,
        bench: Workbench,
        graph: PipelineGraph,
        scripts: Mapping[str, Script],
        *,
        parameters: Mapping[str, Any] | None = None,
        reuse: ReuseMode = "auto",
    ) -> None:
        self._bench = bench
        self._graph = graph
        self._scripts = scripts
        defaults = {parameter.name: parameter.default for parameter in graph.parameters}
        self.info = RunInfo(
            workspace="default",
            experiment="tests",
            run_id=str(uuid.uuid4()),
            parameters={**defaults, **(parameters or {})},
            reuse=reuse,
            started_at=utc_now(),
        )
        self.executed: list[str] = []
        self.results: dict[str, StepResult] = {}
        self.plan = Plan()

    def plan_and_execute(self) -> None:
        """Plan, then execute every step that the plan does not reuse."""
        self.make_plan()
        for step in topological_order(self._graph):
            if step.id not in self.results:
                self.results[step.id] = self.execute(step)

    def make_plan(self) -> None:
        """Plan only."""
        self.plan = make_plan(
            self._graph,
            self._bench.workspace,
            run_id=self.info.run_id,
            parameters=self.info.parameters,
            reuse=self.info.reuse,
        )
        self.results.update(self.plan.reused)

    def execute(self, step: Step) -> StepResult:
        """Execute one attempt of a step; results of its upstream steps must be known."""
        attempt = uuid.uuid4().hex[:8]
        execution = StepExecution(step, self._graph, self.info, self._bench.workspace, attempt, self.results)
        decision = self.plan.decisions.get(step.id)
        return execution.execute(
            lambda: self._compute(step, attempt), decision.explanation if decision is not None else None
        )

    def _compute(self, step: Step, attempt: str) -> dict[str, OutputRef]:
        self.executed.append(step.id)
        texts = {port.name: self._read(step, port.name) for port in step.inputs}
        written = self._scripts[step.id](texts)
        return {port.name: self._write(step, port.name, attempt, written) for port in step.outputs}

    def _read(self, step: Step, port_name: str) -> str:
        return self._bench.read(self._location(step, port_name))

    def _location(self, step: Step, port_name: str) -> str:
        """The path on the datastore of what an input port reads."""
        port = next(port for port in step.inputs if port.name == port_name)
        bound = bound_data(port, self._graph, self.info.parameters, self.results)
        return bound.path if isinstance(bound, OutputRef) else bound.location.path  # type: ignore[union-attr]

    def _write(self, step: Step, port: str, attempt: str, text: str) -> OutputRef:
        path = f"azureml/{self.info.run_id}/{step.id}/{attempt}/{port}"
        self._bench.write(path, text)
        digest = self._bench.workspace.digest_of(DATASTORE, path)
        return OutputRef(datastore=DATASTORE, path=path, digest=digest, size=len(text.encode()), is_file=True)
