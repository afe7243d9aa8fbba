"""Runs that a schedule beside the pipeline itself has made: what they are given, which Airflow does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airloom.graph.expressions import Moment, evaluate_all
from airloom.graph.model import PipelineGraph
from airloom.graph.validate import check_parameters
from airloom.operators.trigger_pipeline import fire_instant

if TYPE_CHECKING:
    from airloom.execution import RunInfo


@dataclass(frozen=True)
class FiredWith:
    """What runs that the schedule makes get, in place of the pipeline's defaults. Texts may be expressions."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None

    def values(self, graph: PipelineGraph, instant: datetime, run_id: str = "") -> dict[str, Any]:
        """The values of the parameters at an instant. Raises InvalidSchedule or InvalidGraph."""
        given = evaluate_all(self.parameters, Moment(instant, instant, run_id, ""))
        checked = check_parameters(graph, given)
        return {name: checked[name] for name in given}

    def applied_to(self, run: RunInfo, graph: PipelineGraph, context: Mapping[str, Any]) -> RunInfo:
        """A run, with what it gets if the schedule has made it; runs that somebody starts by hand stay as they are.

        The instant at which it fires is the same for all its tasks, also when they are cleared later.
        """
        if context["dag_run"].run_type != "scheduled":
            return run
        values = self.values(graph, fire_instant(context), run.run_id)
        own = self.continue_on_step_failure
        return replace(
            run,
            parameters={**run.parameters, **values},
            continue_on_step_failure=run.continue_on_step_failure if own is None else own,
        )
