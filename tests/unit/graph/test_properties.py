"""What holds for any graph, sound or not."""

from __future__ import annotations

import random
from graphlib import CycleError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airloom.graph.canonical import canonical_json, digest_value
from airloom.graph.model import Definition, FromParameter, FromSource, OutputOf, PipelineGraph
from airloom.graph.parse import parse_graph
from airloom.graph.validate import validate_graph
from airloom.graph.yaml import write_pipeline
from airloom.reuse.plan import topological_order
from tests.unit.graph.graphs import graphs, texts
from tests.unit.graph.test_yaml import read

anything = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(graphs())
def test_a_graph_is_the_same_after_json_and_after_yaml(tmp_path: Path, graph: PipelineGraph) -> None:
    """Equal digests say more than equal graphs: for Python 1, 1.0 and True are equal."""
    digest = digest_value(graph)
    assert digest_value(parse_graph(graph.model_dump_json())) == digest
    assert digest_value(parse_graph(canonical_json(graph))) == digest
    assert digest_value(parse_graph(graph.model_dump(mode="json"))) == digest
    assert digest_value(read(tmp_path, write_pipeline(graph, name="any"))) == digest


@anything
@given(graphs())
def test_line_endings_of_a_yaml_file_do_not_count(tmp_path: Path, graph: PipelineGraph) -> None:
    text = write_pipeline(graph)
    file = tmp_path / "pipeline.yml"
    file.write_bytes(text.replace("\n", "\r\n").encode())
    assert digest_value(read(tmp_path, file.read_bytes().decode())) == digest_value(graph)


@anything
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_fields_and_entries_does_not_count(graph: PipelineGraph, shuffler: random.Random) -> None:
    shuffled = parse_graph(_shuffled(graph.model_dump(mode="json"), shuffler))
    assert digest_value(shuffled) == digest_value(graph)


def _shuffled(value: Any, shuffler: random.Random) -> Any:
    if isinstance(value, list):
        return [_shuffled(inner, shuffler) for inner in value]
    if not isinstance(value, dict):
        return value
    entries = [(key, _shuffled(inner, shuffler)) for key, inner in value.items()]
    shuffler.shuffle(entries)
    return dict(entries)


@anything
@given(graphs())
def test_the_order_of_steps_respects_what_they_wait_for(graph: PipelineGraph) -> None:
    order = [step.id for step in topological_order(graph)]
    assert sorted(order) == sorted(step.id for step in graph.steps)
    assert all(order.index(before) < order.index(step.id) for step in graph.steps for before in step.upstream())
    assert order == [step.id for step in topological_order(parse_graph(graph.model_dump_json()))]


@st.composite
def broken_graphs(draw: st.DrawFn) -> PipelineGraph:
    """A graph in which names and references were exchanged at random, so that few of them are good."""
    graph = draw(graphs())
    ids = [step.id for step in graph.steps]
    odd = st.sampled_from([*ids, "gone", "reuse", "", "a b", "../x", "\n", "x" * 300]) | texts
    bindings = st.one_of(
        st.builds(OutputOf, step=odd, port=odd),
        st.builds(FromSource, source=odd),
        st.builds(FromParameter, parameter=odd),
    )
    steps = []
    for step in graph.steps:
        inputs = tuple(port.model_copy(update={"binding": draw(bindings), "name": draw(odd)}) for port in step.inputs)
        outputs = tuple(port.model_copy(update={"name": draw(odd), "destination": draw(odd)}) for port in step.outputs)
        change = {
            "inputs": inputs,
            "outputs": outputs,
            "id": draw(odd),
            "run_after": tuple(draw(st.lists(odd, max_size=2))),
        }
        steps.append(step.model_copy(update=draw(st.sampled_from([{}, change, {"run_after": change["run_after"]}]))))
    return graph.model_copy(update={"steps": tuple(steps)})


@anything
@given(broken_graphs())
def test_a_graph_that_is_not_sound_has_problems_in_words_and_never_breaks_the_check(graph: PipelineGraph) -> None:
    problems = validate_graph(graph, datastores=["workspaceblobstore", "other"], computes=["cpu"])
    assert [problem for problem in problems if not (problem.code and problem.message and problem.target)] == []
    assert validate_graph(parse_graph(graph.model_dump_json()), datastores=[], computes=[]) is not None
    if problems:
        return
    assert len(topological_order(graph)) == len(graph.steps)


@anything
@given(graphs(), st.data())
def test_steps_that_wait_for_each_other_are_always_found(graph: PipelineGraph, data: st.DataObject) -> None:
    steps = {step.id: step for step in graph.steps}
    first = data.draw(st.sampled_from(list(steps)))
    last = data.draw(st.sampled_from([step.id for step in graph.steps if _reaches(graph, step.id, first)]))
    steps[first] = steps[first].model_copy(update={"run_after": (*steps[first].run_after, last)})
    circle = graph.model_copy(update={"steps": tuple(steps.values())})
    problems = validate_graph(circle, datastores=["workspaceblobstore", "other"], computes=["cpu"])
    assert {problem.code for problem in problems} >= {"Cycle"}
    with pytest.raises(CycleError):
        topological_order(circle)


def _reaches(graph: PipelineGraph, step_id: str, upstream: str) -> bool:
    """True if a step is the other one, or waits for it."""
    return step_id == upstream or any(_reaches(graph, one, upstream) for one in graph.step(step_id).upstream())


@anything
@given(graphs())
def test_a_definition_has_the_digest_of_its_content(graph: PipelineGraph) -> None:
    fields = {"workspace": "w", "experiment": "e", "store": "file:///s", "default_datastore": "d"}
    definition = Definition(**fields, pools={"b": "1", "a": "2"}, graph=graph)
    same = Definition(**dict(reversed(fields.items())), pools={"a": "2", "b": "1"}, graph=graph)
    assert digest_value(definition) == digest_value(same)
    assert digest_value(Definition.model_validate_json(canonical_json(definition))) == digest_value(definition)
