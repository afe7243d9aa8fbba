"""The plan of a run, word by word: what is reused, what runs and why, what waits, and what is decided later."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airloom.graph.model import DataLocation, FromParameter, InputPort, ParameterDef, PathSource, PipelineGraph
from airloom.graph.results import Reason
from airloom.reuse.leases import Owner
from airloom.reuse.plan import Decision, Plan, make_plan, topological_order
from airloom.reuse.records import Record
from tests.support.builders import a_graph, a_step
from tests.support.in_process import DATASTORE, InProcessRun, Script, Workbench

SCRIPTS: dict[str, Script] = {"clean": lambda texts: "clean", "train": lambda texts: "model"}


def chain(**clean: Any) -> PipelineGraph:
    """clean -> train."""
    first = a_step("clean", reads=["raw"]).model_copy(update=clean)
    return a_graph(first, a_step("train", reads=["clean.out"]), sources={"raw": f"{DATASTORE}/raw.txt"})


def plan(bench: Workbench, graph: PipelineGraph, run_id: str = "run-2", **options: Any) -> Plan:
    return make_plan(graph, bench.workspace, **{"run_id": run_id, "parameters": {}, "reuse": "auto", **options})


@pytest.fixture
def first(bench: Workbench) -> InProcessRun:
    bench.write("raw.txt", "data")
    return bench.run(chain(), SCRIPTS)


def said(plan: Plan) -> dict[str, tuple[str, str]]:
    return {step: (decision.action, decision.message) for step, decision in plan.decisions.items()}


LATER = ("later", "It reads outputs of steps that have to run first.")


def test_steps_come_after_those_that_they_need() -> None:
    steps = (a_step("c", reads=["b.out"]), a_step("b", reads=["a.out"]), a_step("a"))
    assert [step.id for step in topological_order(a_graph(*steps))] == ["a", "b", "c"]


def test_a_first_run(bench: Workbench) -> None:
    bench.write("raw.txt", "data")
    found = plan(bench, chain())
    assert said(found) == {"clean": ("run", "No earlier attempt of this step is on record."), "train": LATER}
    assert found.reused == {}
    explanation = found.decisions["clean"].explanation
    assert explanation is not None
    assert (explanation.step_id, explanation.reason) == ("clean", Reason.FIRST_RUN)
    assert found.decisions["train"].explanation is None


def test_an_unchanged_run_is_planned_step_by_step_and_then_as_a_whole(bench: Workbench, first: InProcessRun) -> None:
    words = ("reuse", f"Nothing that counts has changed: reused from run {first.info.run_id}.")
    one_by_one = plan(bench, chain())
    assert said(one_by_one) == {"clean": words, "train": words}
    for step, result in one_by_one.reused.items():
        assert result.status == "reused"
        assert result.key == first.results[step].key
        assert result.outputs == first.results[step].outputs
        assert result.reused_from is not None
        assert result.reused_from.run_id == first.info.run_id
        assert result.attempt == result.reused_from.attempt == first.results[step].attempt
        assert result.explanation == one_by_one.decisions[step].explanation
        assert result.explanation is not None
        assert result.explanation.reason == Reason.UNCHANGED
    assert len(list(bench.workspace.records.pipelines())) == 1
    assert plan(bench, chain()) == one_by_one


def test_the_record_of_a_pipeline_is_for_these_values_and_contents_only(bench: Workbench, first: InProcessRun) -> None:
    plan(bench, chain())
    plan(bench, chain(), parameters={"unused": 1})
    bench.write("raw.txt", "other")
    assert said(plan(bench, chain()))["train"] == LATER
    assert len(list(bench.workspace.records.pipelines())) == 2


def test_one_record_answers_for_all_also_after_records_were_replaced(bench: Workbench, first: InProcessRun) -> None:
    bench.run(chain(), SCRIPTS, reuse="refresh")
    one_by_one = plan(bench, chain())
    for record in list(bench.workspace.records.records()):
        bench.storage.store.delete(record)
    assert plan(bench, chain()) == one_by_one
    assert set(one_by_one.reused) == {"clean", "train"}


@pytest.mark.parametrize("reuse", ["off", "refresh"])
def test_a_run_that_reuses_nothing_is_told_so(bench: Workbench, first: InProcessRun, reuse: str) -> None:
    plan(bench, chain())
    reasons = {"off": Reason.REUSE_OFF, "refresh": Reason.REFRESH}
    found = plan(bench, chain(), reuse=reuse)
    assert (found.decisions["clean"].action, found.reused) == ("run", {})
    explanation = found.decisions["clean"].explanation
    assert explanation is not None
    assert explanation.reason == reasons[reuse]


def test_a_step_that_may_not_be_reused_keeps_the_others_from_no_reuse(bench: Workbench, first: InProcessRun) -> None:
    graph = a_graph(chain().step("clean"), a_step("aside", allow_reuse=False), sources={"raw": f"{DATASTORE}/raw.txt"})
    found = plan(bench, graph)
    assert {step: decision.action for step, decision in found.decisions.items()} == {"clean": "reuse", "aside": "run"}
    assert list(bench.workspace.records.pipelines()) == []


def test_what_another_run_computes_is_waited_for(bench: Workbench) -> None:
    bench.write("raw.txt", "data")
    key = bench.workspace.key_of(chain().step("clean"), chain(), {}, {})
    assert bench.workspace.leases.acquire(key.key, Owner.of_this_process("run-1", "clean", "1")) is not None
    found = plan(bench, chain())
    assert said(found) == {"clean": ("wait", "Run run-1 is computing the same step."), "train": LATER}
    assert found.must_wait
    assert plan(bench, chain(), run_id="run-1").decisions["clean"].action == "run"


def test_a_record_without_the_declared_outputs_answers_nothing(bench: Workbench, first: InProcessRun) -> None:
    records = bench.workspace.records
    key = first.results["clean"].key
    assert key is not None
    found = records.find(key, bench.workspace.digest_of)
    assert found is not None
    records.add(Record(**{**dict(found), "outputs": {}}), replace=True)
    assert said(plan(bench, chain()))["clean"][0] == "run"


def test_a_record_that_is_lost_is_explained(bench: Workbench, first: InProcessRun) -> None:
    output = first.results["clean"].outputs["out"]
    (bench.data / output.path).unlink()
    found = plan(bench, chain())
    lost = f"Its output 'out' at {output.path} on datastore '{DATASTORE}' no longer exists."
    assert said(found)["clean"] == ("run", f"An earlier attempt cannot be reused. {lost}")
    explanation = found.decisions["clean"].explanation
    assert explanation is not None
    assert explanation.reason == Reason.OUTPUT_LOST


def test_a_damaged_record_is_explained(bench: Workbench, first: InProcessRun) -> None:
    key = first.results["clean"].key
    assert key is not None
    bench.storage.store.put(bench.workspace.records._record_path(key), b"{")
    explanation = plan(bench, chain()).decisions["clean"].explanation
    assert explanation is not None
    assert explanation.reason == Reason.RECORD_LOST
    assert explanation.message == ("An earlier attempt cannot be reused. The reuse record is truncated or is not JSON.")


def test_without_a_key_for_the_whole_its_steps_are_planned_one_by_one(
    bench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "airloom"):
        found = plan(bench, chain())
    explanation = found.decisions["clean"].explanation
    assert explanation is not None
    assert explanation.reason == Reason.NO_KEY
    assert explanation.message.startswith(
        "What counts for it could not be read, so nothing can be reused. The datastore 'workspaceblobstore' has nothing"
    )
    assert said(found)["train"] == LATER
    assert "No key for the whole pipeline: The datastore 'workspaceblobstore' has nothing at 'raw.txt'" in caplog.text
    assert list(bench.workspace.records.pipelines()) == []


def test_a_parameter_that_is_no_data_gives_no_key(bench: Workbench, caplog: pytest.LogCaptureFixture) -> None:
    step = a_step("clean").model_copy(
        update={"inputs": (InputPort(name="data", binding=FromParameter(parameter="data")),)}
    )
    with caplog.at_level(logging.INFO, "airloom"):
        found = plan(bench, a_graph(step), parameters={"data": "text"})
    wrong = "Parameter 'data' must be a data path or a dataset, got 'text'."
    assert caplog.messages == [f"No key for the whole pipeline: {wrong}"]
    assert said(found)["clean"][1].endswith(wrong)


def test_the_data_that_a_parameter_stands_for_counts_for_the_whole_pipeline(bench: Workbench) -> None:
    chosen = PathSource(location=DataLocation(datastore=DATASTORE, path="chosen.txt"))
    step = a_step("clean").model_copy(
        update={"inputs": (InputPort(name="data", binding=FromParameter(parameter="data")),)}
    )
    graph = a_graph(step, parameters=(ParameterDef(name="data", type="datapath", default=chosen),))
    bench.write("chosen.txt", "1")
    values = {"data": chosen.model_dump(mode="json")}
    bench.run(graph, {"clean": lambda texts: "clean"}, parameters=values)
    for _ in range(2):
        assert plan(bench, graph, parameters=values).decisions["clean"].action == "reuse"
    assert len(list(bench.workspace.records.pipelines())) == 1
    bench.write("chosen.txt", "2")
    assert plan(bench, graph, parameters=values).decisions["clean"].action == "run"


def test_steps_left_to_decide_for_themselves_are_reused_no_more(bench: Workbench, first: InProcessRun) -> None:
    found = plan(bench, chain())
    left = found.without({"train"})
    assert set(left.reused) == {"clean"}
    assert left.decisions["clean"] == found.decisions["clean"]
    assert left.decisions["train"] == Decision(action="later", message="Decided when the tasks before it have run.")
