"""The plan of a run: which steps are unchanged, decided for the whole graph before any step takes a worker.

The plan walks the graph in topological order as far as content is known. A step whose inputs are all known has a
key; if a proven record answers it, the step is reused and its outputs are known to the steps after it. Everything
else runs, or is decided when its inputs are known (see `decide`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from typing import Any, Literal

from pydantic import Field

from airloom.graph.model import FromParameter, Model, PipelineGraph, ReuseMode, Step
from airloom.graph.results import Explanation, Reason, StepResult
from airloom.reuse import explain
from airloom.reuse.decide import UNREADABLE, Miss, effective_mode, explain_miss, look_up, reused_result
from airloom.reuse.hashing import StepKey, pipeline_key
from airloom.reuse.records import PipelineRecord, Record
from airloom.reuse.workspace import ReuseWorkspace, as_source

log = logging.getLogger(__name__)

Action = Literal["reuse", "run", "wait", "later"]


class Decision(Model):
    """What the plan says of a step: reuse it, run it, wait for another run's result, or decide when it is reached."""

    action: Action
    message: str
    explanation: Explanation | None = None


class Plan(Model):
    """The decisions for all steps of a run, and the results of those that are reused."""

    decisions: dict[str, Decision] = Field(default_factory=dict)
    reused: dict[str, StepResult] = Field(default_factory=dict)

    @property
    def must_wait(self) -> bool:
        """True if there is nothing to start: every step that could start now is being computed by another run."""
        actions = {decision.action for decision in self.decisions.values()}
        return "wait" in actions and "run" not in actions

    def without(self, steps: Collection[str]) -> Plan:
        """The plan with some steps left to decide for themselves, because not all that comes before them is known."""
        if not steps:
            return self
        later = Decision(action="later", message="Decided when the tasks before it have run.")
        decisions = {step: later if step in steps else decision for step, decision in self.decisions.items()}
        return Plan(decisions=decisions, reused={k: v for k, v in self.reused.items() if k not in steps})


def make_plan(
    graph: PipelineGraph, workspace: ReuseWorkspace, *, run_id: str, parameters: Mapping[str, Any], reuse: ReuseMode
) -> Plan:
    """Plan a run of `graph` with the given parameter values. `reuse` is the mode asked for the whole run."""
    with workspace.at_one_moment() as now:
        whole = _WholePipeline(graph, now, parameters, reuse)
        record = whole.find()
        if record is not None:
            return _reuse_all(graph, record)
        planner = _Planner(graph, now, run_id, parameters, reuse)
        plan = planner.walk()
        if len(plan.reused) == len(graph.steps):
            whole.add(planner.records)
        return plan


def topological_order(graph: PipelineGraph) -> list[Step]:
    """The steps, each after all its upstream steps; steady for equal graphs. Raises CycleError."""
    steps = {step.id: step for step in graph.steps}
    sorter = TopologicalSorter({step.id: step.upstream() for step in graph.steps})
    return [steps[step_id] for step_id in sorter.static_order()]


def _reuse_all(graph: PipelineGraph, record: PipelineRecord) -> Plan:
    reused = {step.id: reused_result(step, record.steps[step.id], Reason.UNCHANGED) for step in graph.steps}
    return Plan(reused=reused, decisions={step_id: _reuse(result) for step_id, result in reused.items()})


def _reuse(result: StepResult) -> Decision:
    message = result.explanation.message if result.explanation is not None else ""
    return Decision(action="reuse", message=message, explanation=result.explanation)


def _run(explanation: Explanation) -> Decision:
    return Decision(action="run", message=explanation.message, explanation=explanation)


class _Planner:
    """One walk over the graph. `records` holds the records behind the reused steps."""

    def __init__(
        self,
        graph: PipelineGraph,
        workspace: ReuseWorkspace,
        run_id: str,
        parameters: Mapping[str, Any],
        reuse: ReuseMode,
    ) -> None:
        self._graph = graph
        self._workspace = workspace
        self._run_id = run_id
        self._parameters = parameters
        self._reuse = reuse
        self.records: dict[str, Record] = {}
        self._results: dict[str, StepResult] = {}

    def walk(self) -> Plan:
        decisions = {step.id: self._decide(step) for step in topological_order(self._graph)}
        return Plan(decisions=decisions, reused=self._results)

    def _decide(self, step: Step) -> Decision:
        if any(upstream not in self._results for upstream in step.data_upstream()):
            return Decision(action="later", message="It reads outputs of steps that have to run first.")
        mode = effective_mode(step, self._reuse)
        if mode != "auto":
            return _run(explain.not_wanted(step, mode))
        try:
            key = self._workspace.key_of(step, self._graph, self._parameters, self._results)
        except UNREADABLE as error:
            return _run(explain.no_key(step, error))
        return self._look_up(step, key)

    def _look_up(self, step: Step, key: StepKey) -> Decision:
        found = look_up(self._workspace, step, key)
        if isinstance(found, Miss):
            holder = self._workspace.leases.holder(key.key)
            if holder is not None and holder.run_id != self._run_id:
                return Decision(action="wait", message=f"Run {holder.run_id} is computing the same step.")
            return _run(explain_miss(self._workspace, step, key, found))
        self.records[step.id] = found
        self._results[step.id] = reused_result(step, found, Reason.UNCHANGED)
        return _reuse(self._results[step.id])


class _WholePipeline:
    """The shortcut for a pipeline of which nothing has changed: one record answers for all steps."""

    def __init__(
        self, graph: PipelineGraph, workspace: ReuseWorkspace, parameters: Mapping[str, Any], reuse: ReuseMode
    ) -> None:
        self._graph = graph
        self._workspace = workspace
        self._parameters = parameters
        self._applies = all(effective_mode(step, reuse) == "auto" for step in graph.steps)
        self._key: str | None = None
        self._refreshed = ""

    def find(self) -> PipelineRecord | None:
        """The proven record, or None. A key that cannot be computed is no error: the steps are planned one by one."""
        if not self._applies:
            return None
        try:
            self._key = pipeline_key(self._graph, self._source_digests(), self._parameters)
        except UNREADABLE as error:
            log.info("No key for the whole pipeline: %s", error)
            return None
        self._refreshed = self._workspace.records.refreshed()
        return self._workspace.records.find_pipeline(self._key, self._workspace.digest_of)

    def add(self, records: Mapping[str, Record]) -> None:
        """Remember that all steps were reused, from these records."""
        if self._key is not None:
            record = PipelineRecord(key=self._key, steps=dict(records), refreshed=self._refreshed)
            self._workspace.records.add_pipeline(record)

    def _source_digests(self) -> dict[str, str]:
        digests = {
            f"source:{name}": self._workspace.source_digest(source) for name, source in self._graph.sources.items()
        }
        bound = {
            port.binding.parameter
            for step in self._graph.steps
            for port in step.inputs
            if isinstance(port.binding, FromParameter)
        }
        for name in sorted(bound):
            digests[f"parameter:{name}"] = self._workspace.source_digest(as_source(name, self._parameters[name]))
        return digests
