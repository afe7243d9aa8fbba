"""Every way in which a pipeline can be wrong is found, named, and comes with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.errors import InvalidGraph
from airloom.graph.model import (
    DataLocation,
    EnvironmentSpec,
    FilesSource,
    FromParameter,
    InputPath,
    InputPort,
    LiteralValue,
    OutputPath,
    OutputPort,
    ParameterDef,
    ParameterValue,
    PathSource,
    PipelineGraph,
    PythonScriptSettings,
    Retries,
    Step,
    TabularSource,
)
from airloom.graph.validate import GraphProblem, raise_problems, validate_graph
from tests.support.builders import a_graph, a_path, a_step, an_input

DATASTORES = ("workspaceblobstore", "workspacefilestore")
COMPUTES = ("cpu-cluster", "gpu-cluster")


def problems_of(graph: PipelineGraph) -> list[GraphProblem]:
    return validate_graph(graph, datastores=DATASTORES, computes=COMPUTES)


def codes_of(*steps: Step, **changes: Any) -> list[str]:
    return [problem.code for problem in problems_of(a_graph(*steps, **changes))]


def the_problem(*steps: Step, **changes: Any) -> GraphProblem:
    (problem,) = problems_of(a_graph(*steps, **changes))
    return problem


def settings(**changes: Any) -> PythonScriptSettings:
    return PythonScriptSettings(**{"script_name": "main.py", "snapshot": "0" * 64, **changes})


TABLE = TabularSource(locations=(DataLocation(datastore="workspaceblobstore", path="t.csv"),))


def test_a_sound_pipeline_has_no_problems() -> None:
    graph = a_graph(
        a_step("prep", reads=["raw"], compute_target="cpu-cluster"),
        a_step("train", reads=["prep.out"], params={"rate": ParameterValue(parameter="rate")}),
        a_step("report", run_after=("train",)),
        sources={"raw": "workspaceblobstore/raw/*.csv"},
        parameters=(ParameterDef(name="rate", type="float", default=0.1),),
    )
    assert problems_of(graph) == []


def test_a_pipeline_without_steps_is_a_problem() -> None:
    assert codes_of() == ["NoSteps"]


class TestReferences:
    def test_an_unknown_step_is_named_with_the_closest_one(self) -> None:
        problem = the_problem(a_step("prepare"), a_step("train", reads=["prepar.out"]))
        assert problem == GraphProblem(
            "UnknownStep",
            "Input 'prepar_out' of step 'train' reads from step 'prepar', but there is no such step.",
            "step train input prepar_out",
            "Did you mean 'prepare'?",
        )

    def test_an_unknown_output_of_a_step(self) -> None:
        problem = the_problem(a_step("prep", writes=["clean"]), a_step("train", reads=["prep.cleen"]))
        assert (problem.code, problem.hint) == ("UnknownPort", "Did you mean 'clean'?")

    def test_an_unknown_data_source(self) -> None:
        problem = the_problem(a_step("prep", reads=["raww"]), sources={"raw": "workspaceblobstore/raw"})
        assert (problem.code, problem.hint) == ("UnknownSource", "Did you mean 'raw'?")

    def test_an_unknown_predecessor(self) -> None:
        assert codes_of(a_step("prep", run_after=("nobody",))) == ["UnknownStep"]

    @pytest.mark.parametrize(
        "step",
        [
            a_step("s", writes=(), arguments=(ParameterValue(parameter="rte"),)),
            a_step("s", writes=(), params={"x": ParameterValue(parameter="rte")}),
            a_step("s", writes=(), inputs=(InputPort(name="i", binding=FromParameter(parameter="rte")),)),
        ],
    )
    def test_an_unknown_parameter_anywhere(self, step: Step) -> None:
        problem = the_problem(step, parameters=(ParameterDef(name="rate", type="float", default=0.5),))
        assert (problem.code, problem.hint) == ("UnknownParameter", "Did you mean 'rate'?")

    @pytest.mark.parametrize("token", [InputPath(port="data"), OutputPath(port="data")])
    def test_an_argument_whose_port_is_not_declared(self, token: InputPath | OutputPath) -> None:
        problem = the_problem(a_step("s", writes=(), arguments=(LiteralValue(value="-d"), token)))
        assert (problem.code, problem.target) == ("Undeclared", "step s argument 2")

    def test_an_unknown_compute_target(self) -> None:
        problem = the_problem(a_step("s", compute_target="cpu-clutser"))
        assert (problem.code, problem.hint) == ("UnknownCompute", "Did you mean 'cpu-cluster'?")

    def test_an_unknown_datastore_of_a_source_and_of_an_output(self) -> None:
        output = OutputPort(name="o", datastore="blob")
        step = a_step("s", reads=["raw"], outputs=(output,), arguments=())
        assert codes_of(step, sources={"raw": "nowhere/x"}) == ["UnknownDatastore", "UnknownDatastore"]


class TestCycles:
    def test_the_path_of_a_cycle_is_named(self) -> None:
        problem = the_problem(a_step("a", reads=["c.out"]), a_step("b", reads=["a.out"]), a_step("c", run_after=("b",)))
        assert problem.code == "Cycle"
        assert "'a' -> 'b' -> 'c' -> 'a'" in problem.message or "'c' -> 'a' -> 'b' -> 'c'" in problem.message
        assert "input 'a_out' of step 'b'" in problem.hint
        assert "run_after('b') of step 'c'" in problem.hint

    def test_a_step_that_waits_for_itself(self) -> None:
        problem = the_problem(a_step("a", run_after=("a",)))
        assert problem.message == "The steps wait for each other in a circle: 'a' -> 'a'."

    def test_a_long_chain_is_no_cycle(self) -> None:
        chain = [a_step("s0")] + [a_step(f"s{i}", reads=[f"s{i - 1}.out"]) for i in range(1, 3000)]
        assert problems_of(a_graph(*chain)) == []

    @given(st.integers(min_value=2, max_value=12), st.data())
    def test_closing_any_chain_makes_a_cycle(self, length: int, data: st.DataObject) -> None:
        chain = [a_step("s0")] + [a_step(f"s{i}", reads=[f"s{i - 1}.out"]) for i in range(1, length)]
        early = data.draw(st.integers(0, length - 1))
        late = data.draw(st.integers(early, length - 1))
        chain[early] = chain[early].model_copy(update={"run_after": (f"s{late}",)})
        assert [problem.code for problem in problems_of(a_graph(*chain))] == ["Cycle"]


class TestNames:
    @pytest.mark.parametrize("step_id", ["", "-a", ".a", "a b", "a/b", "é", "a" * 129])
    def test_ids_that_no_task_and_no_folder_can_have(self, step_id: str) -> None:
        assert codes_of(a_step(step_id, writes=())) == ["BadName"]

    @pytest.mark.parametrize("step_id", ["reuse", "Reuse"])
    def test_the_id_of_the_planning_task_is_reserved(self, step_id: str) -> None:
        assert codes_of(a_step(step_id)) == ["ReservedName"]

    def test_two_steps_with_one_id(self) -> None:
        assert codes_of(a_step("a"), a_step("a")) == ["DuplicateStep"]

    def test_an_input_and_an_output_with_one_name(self) -> None:
        port = an_input("raw").model_copy(update={"name": "out"})
        problem = the_problem(a_step("s", inputs=(port,)), sources={"raw": "workspaceblobstore/raw"})
        assert problem.code == "DuplicatePort"

    @pytest.mark.parametrize("name", ["a-b", "a.b", "", "ü"])
    def test_port_names_must_fit_an_environment_variable(self, name: str) -> None:
        assert codes_of(a_step("s", outputs=(OutputPort(name=name),), arguments=())) == ["BadName"]

    def test_parameters_with_one_name(self) -> None:
        parameters = (ParameterDef(name="p", type="int", default=1), ParameterDef(name="p", type="int", default=2))
        assert codes_of(a_step("s"), parameters=parameters) == ["DuplicateParameter"]

    def test_parameters_may_be_numbered_but_not_take_a_reserved_prefix(self) -> None:
        numbered = (ParameterDef(name="1", type="string", default="united"),)
        assert codes_of(a_step("s"), parameters=numbered) == []
        reserved = (ParameterDef(name="airloom.reuse", type="string", default="off"),)
        assert codes_of(a_step("s"), parameters=reserved) == ["ReservedName"]

    def test_params_that_become_the_same_variable(self) -> None:
        params = {"a-b": LiteralValue(value=1), "a.b": LiteralValue(value=2)}
        problem = the_problem(a_step("s", params=params))
        assert problem.code == "DuplicateParam"
        assert "AML_PARAMETER_a_b" in problem.message

    def test_two_outputs_with_one_pipeline_output_name(self) -> None:
        outputs = tuple(OutputPort(name=name, pipeline_output_name="model") for name in "ab")
        assert codes_of(a_step("s", outputs=outputs, arguments=())) == ["DuplicatePipelineOutput"]


class TestValues:
    @pytest.mark.parametrize(
        ("kind", "default"),
        [("int", True), ("int", 1.5), ("int", "1"), ("bool", 1), ("string", 1), ("float", "1"), ("datapath", "a/b")],
    )
    def test_a_default_of_another_type_than_declared(self, kind: Any, default: Any) -> None:
        problem = the_problem(a_step("s"), parameters=(ParameterDef(name="p", type=kind, default=default),))
        assert problem.code == "WrongType"
        assert kind in problem.message

    def test_a_value_parameter_cannot_be_data(self) -> None:
        step = a_step("s", writes=(), inputs=(InputPort(name="i", binding=FromParameter(parameter="p")),))
        parameters = (ParameterDef(name="p", type="int", default=1),)
        assert codes_of(step, parameters=parameters) == ["WrongType"]

    def test_a_data_parameter_cannot_be_a_value(self) -> None:
        step = a_step("s", writes=(), arguments=(ParameterValue(parameter="p"),))
        parameters = (ParameterDef(name="p", type="datapath", default=a_path("workspaceblobstore/x")),)
        assert codes_of(step, parameters=parameters) == ["WrongType"]

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "nul\0"])
    def test_values_that_json_or_a_command_line_cannot_hold(self, value: float | str) -> None:
        assert codes_of(a_step("s", writes=(), arguments=(LiteralValue(value=value),))) == ["BadValue"]
        assert codes_of(a_step("s", params={"x": LiteralValue(value=value)})) == ["BadValue"]

    @pytest.mark.parametrize("path", ["/etc", "../up", "a/../../b", "a\\b", "a\0"])
    def test_paths_that_leave_their_datastore(self, path: str) -> None:
        source = PathSource(location=DataLocation(datastore="workspaceblobstore", path=path))
        graph = PipelineGraph(steps=(a_step("s", reads=["raw"]),), sources={"raw": source})
        assert [problem.code for problem in problems_of(graph)] == ["BadPath"]

    @pytest.mark.parametrize(
        "changed",
        [{"script_name": "/bin/sh"}, {"script_name": "../x.py"}, {"script_name": ""}, {"hash_paths": ("..",)}],
    )
    def test_scripts_outside_of_the_source_folder(self, changed: dict[str, Any]) -> None:
        assert codes_of(a_step("s", settings=settings(**changed))) == ["BadPath"]

    def test_a_snapshot_that_is_no_digest(self) -> None:
        assert codes_of(a_step("s", settings=settings(snapshot="../../x"))) == ["BadSnapshot"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"packages": ("--index-url=https://elsewhere",)},
            {"packages": ("pandas\n-e .",)},
            {"packages": ("",)},
            {"python_version": "latest"},
        ],
    )
    def test_environments_that_would_reach_an_installer_as_options(self, changed: dict[str, Any]) -> None:
        step = a_step("s", settings=settings(environment=EnvironmentSpec(**changed)))
        assert codes_of(step) == ["BadEnvironment"]

    def test_environments_in_order(self) -> None:
        environment = EnvironmentSpec(
            python_version="3.11",
            packages=("pandas>=2", "x[extra]==1.0; python_version > '3'", "m @ git+https://host/m.git"),
            variables={"OMP_NUM_THREADS": "2"},
        )
        assert codes_of(a_step("s", settings=settings(environment=environment))) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"count": 0},
            {"count": 101},
            {"delay_seconds": -1},
            {"delay_seconds": float("nan")},
            {"backoff": 0.5},
            {"max_delay_seconds": float("inf")},
        ],
    )
    def test_retries_out_of_bounds(self, wrong: dict[str, float]) -> None:
        assert codes_of(a_step("s", retries=Retries(**{"count": 1, **wrong}))) == ["BadValue"]

    def test_a_timeout_below_one_second(self) -> None:
        assert codes_of(a_step("s", timeout_seconds=0)) == ["BadValue"]

    def test_tables_are_read_directly_and_paths_are_not(self) -> None:
        graph = PipelineGraph(
            steps=(a_step("s", writes=(), inputs=(an_input("table"), an_input("path", mode="direct")), arguments=()),),
            sources={"table": TABLE, "path": a_path("workspaceblobstore/x")},
        )
        assert [problem.code for problem in problems_of(graph)] == ["WrongMode", "WrongMode"]

    def test_a_source_without_files(self) -> None:
        graph = PipelineGraph(steps=(a_step("s", reads=["raw"]),), sources={"raw": FilesSource(locations=())})
        assert [problem.code for problem in problems_of(graph)] == ["EmptySource"]


class TestDestinations:
    def outputs(self, *destinations: str) -> list[str]:
        steps = [
            a_step(f"s{i}", outputs=(OutputPort(name="o", destination=path),), arguments=())
            for i, path in enumerate(destinations)
        ]
        return codes_of(*steps)

    def test_places_apart_from_each_other(self) -> None:
        assert self.outputs("models/a", "models/ab", "models/b/c") == []

    @pytest.mark.parametrize(
        "pair", [("models", "models"), ("models", "models/"), ("models", "models/best"), ("models/a/b", "./models")]
    )
    def test_the_same_place_or_one_inside_the_other(self, pair: tuple[str, str]) -> None:
        assert self.outputs(*pair) == ["DuplicateDestination"]
        assert self.outputs(*reversed(pair)) == ["DuplicateDestination"]

    def test_the_name_of_the_output_tells_places_apart(self) -> None:
        ports = tuple(OutputPort(name=name, destination="runs/{output-name}") for name in ("a", "b"))
        assert codes_of(a_step("s", outputs=ports, arguments=())) == []

    @pytest.mark.parametrize("path", ["../x", "", "/"])
    def test_places_outside_of_the_datastore(self, path: str) -> None:
        assert self.outputs(path) == ["BadPath"]


def test_raising_names_a_single_problem_with_its_hint() -> None:
    with pytest.raises(InvalidGraph, match=r"no such compute target\. Did you mean 'cpu-cluster'\?"):
        raise_problems(problems_of(a_graph(a_step("s", compute_target="cpu-clster"))))


def test_raising_lists_several_problems() -> None:
    graph = a_graph(a_step("reuse", compute_target="nothing like it"))
    with pytest.raises(InvalidGraph, match=r"has 2 problems:\n  - .*\n  - "):
        raise_problems(problems_of(graph))


def test_raising_nothing() -> None:
    raise_problems([])
