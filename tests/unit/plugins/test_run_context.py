"""What a task learns of its run from the conf, which whoever may trigger the DAG writes as he likes."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airloom.errors import InvalidGraph
from airloom.execution import RunInfo
from airloom.execution.names import REUSE_PARAM, RUN_KEY
from airloom.graph.model import ParameterDef
from airloom.operators.run_context import run_info
from tests.support.builders import a_graph, a_step
from tests.unit.plugins.conftest import a_definition

GRAPH = a_graph(a_step("one"), parameters=(ParameterDef(name="rate", type="float", default=0.5),))


def told(**params: Any) -> RunInfo:
    dag_run = SimpleNamespace(dag_id="cars.1", run_id="manual__1", start_date=datetime(2026, 7, 1, tzinfo=UTC))
    return run_info({"params": params, "dag_run": dag_run}, a_definition(graph=GRAPH))


def test_what_is_not_said_is_that_of_the_pipeline() -> None:
    run = told()
    assert (run.experiment, run.parameters, run.reuse) == ("cars", {"rate": 0.5}, "auto")
    assert run.continue_on_step_failure is None


@pytest.mark.parametrize("going_on", [True, False, None])
def test_a_run_says_for_itself(going_on: bool | None) -> None:
    own = {"experiment": "boats", "continue_on_step_failure": going_on}
    run = told(**{"rate": 0.25, REUSE_PARAM: "off", RUN_KEY: own, "surplus": 1})
    assert (run.experiment, run.parameters, run.reuse) == ("boats", {"rate": 0.25}, "off")
    assert run.continue_on_step_failure is going_on


@pytest.mark.parametrize(
    ("params", "target"),
    [
        ({REUSE_PARAM: "sometimes"}, REUSE_PARAM),
        ({RUN_KEY: "yes"}, RUN_KEY),
        ({RUN_KEY: [1]}, RUN_KEY),
        ({RUN_KEY: {"experiment": 7}}, RUN_KEY),
        ({RUN_KEY: {"continue_on_step_failure": "no"}}, RUN_KEY),
        ({RUN_KEY: {"changes": [1]}}, RUN_KEY),
    ],
)
def test_what_cannot_be_meant(params: dict[str, Any], target: str) -> None:
    with pytest.raises(InvalidGraph) as caught:
        told(**params)
    assert caught.value.target == target
