"""Pipelines: which steps they have, in which order, and that the same pipeline always is the same graph."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airloom.core import Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.exceptions import UserErrorException
from airloom.graph.canonical import digest_value
from airloom.graph.model import PipelineGraph
from airloom.graph.validate import validate_graph
from airloom.pipeline.core import Pipeline, PipelineParameter, StepSequence
from airloom.pipeline.steps import PythonScriptStep
from tests.unit.sdk_pipeline.builders import WORKSPACE, a_pipeline, a_reference, a_step, data, graph_of, write

pytestmark = pytest.mark.usefixtures("scripts")


def order_of(graph: PipelineGraph) -> dict[str, tuple[str, ...]]:
    return {step.id: step.run_after for step in graph.steps}


class TestClosure:
    def test_producers_and_predecessors_are_added(self) -> None:
        clean = data("clean")
        a_step("prep", writes=[clean])
        train, report, notify = a_step("train", reads=[clean]), a_step("report"), a_step("notify")
        report.run_after(train)
        notify.run_after(report)
        assert order_of(graph_of(notify)) == {
            "prep": (),
            "train": (),
            "report": ("train",),
            "notify": ("report",),
        }

    def test_without_closure_their_absence_is_an_error(self) -> None:
        clean = data("clean")
        prep, train = a_step("prep", writes=[clean]), a_step("train", reads=[clean])
        with pytest.raises(UserErrorException, match="lacks steps that others need: 'prep'"):
            a_pipeline(train, resolve_closure=False)
        assert len(graph_of(train, prep, resolve_closure=False).steps) == 2

    def test_data_that_no_step_writes(self) -> None:
        with pytest.raises(UserErrorException, match=r"reads PipelineData\('clean'\), but no step writes it"):
            a_pipeline(a_step("train", reads=[data("clean")]))

    def test_a_circle_is_found_by_the_validation(self) -> None:
        first, second = a_step("first"), a_step("second")
        first.run_after(second)
        second.run_after(first)
        (problem,) = validate_graph(graph_of(first), datastores=[], computes=[])
        assert problem.code == "Cycle"

    def test_a_chain_longer_than_the_stack_of_python(self) -> None:
        steps = [a_step("s", arguments=[])]
        for _ in range(1500):
            following = a_step("s", arguments=[])
            following.run_after(steps[-1])
            steps.append(following)
        assert len(graph_of(steps[-1]).steps) == 1501

    @pytest.mark.parametrize("other", [None, "train", [1], []])
    def test_run_after_needs_steps(self, other: Any) -> None:
        with pytest.raises(UserErrorException, match="run_after needs a step"):
            a_step().run_after(other)

    def test_a_step_cannot_run_after_itself(self) -> None:
        step = a_step("train")
        with pytest.raises(UserErrorException, match="Step 'train' cannot run after itself"):
            step.run_after([step])


class TestSequences:
    def test_one_after_another(self) -> None:
        a, b, c = a_step("a"), a_step("b"), a_step("c")
        graph = Pipeline(WORKSPACE, StepSequence(steps=[a, b, c])).graph.definition
        assert order_of(graph) == {"a": (), "b": ("a",), "c": ("b",)}

    def test_groups_side_by_side_within_a_sequence(self) -> None:
        a, b, c, d = (a_step(name) for name in "abcd")
        graph = graph_of(StepSequence([a, [b, c], d]))
        assert order_of(graph) == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}

    def test_nested_sequences(self) -> None:
        a, b, c, d, e = (a_step(name) for name in "abcde")
        graph = graph_of(StepSequence([[StepSequence([a, b]), c], StepSequence([[], d]), e]))
        assert order_of(graph) == {"a": (), "b": ("a",), "c": (), "d": ("b", "c"), "e": ("d",)}

    def test_they_leave_no_trace_on_their_steps(self) -> None:
        a, b = a_step("a"), a_step("b")
        graph_of(StepSequence([a, b]))
        assert order_of(graph_of(a, b)) == {"a": (), "b": ()}

    @pytest.mark.parametrize("items", [["x"], [[None]], [StepSequence, 1]])
    def test_only_steps_can_be_in_them(self, items: list[Any]) -> None:
        with pytest.raises(UserErrorException, match="is made of steps, lists and StepSequences"):
            StepSequence(items)
        with pytest.raises(UserErrorException, match="is made of steps, lists and StepSequences"):
            Pipeline(WORKSPACE, items)


class TestIdentity:
    def test_equal_names_get_numbers(self) -> None:
        assert [step.id for step in graph_of(a_step("train.py"), a_step("train.py")).steps] == [
            "train.py",
            "train.py-2",
        ]

    def test_a_step_may_be_called_like_the_planning_task(self) -> None:
        assert [step.id for step in graph_of(a_step("reuse")).steps] == ["reuse-2"]

    def test_a_step_listed_twice_is_one(self) -> None:
        step = a_step()
        assert len(graph_of(step, [step]).steps) == 1

    def test_listing_what_is_needed_anyway_changes_nothing(self) -> None:
        clean, model = data("clean"), data("model")
        prep = a_step("s", writes=[clean])
        train = a_step("s", reads=[clean], writes=[model])
        report = a_step("s", reads=[model])
        wanted = digest_value(graph_of(report))
        assert digest_value(graph_of(prep, train, report)) == wanted
        assert digest_value(graph_of(report, train, prep)) == wanted

    def test_the_same_in_every_process(self, scripts: Path) -> None:
        digests = {self.digest_elsewhere(seed) for seed in ("0", "1", "77")}
        assert [len(digest) for digest in digests] == [65]

    def digest_elsewhere(self, hash_seed: str) -> str:
        program = (
            "from tests.unit.sdk_pipeline.builders import *\n"
            "from airloom.graph.canonical import digest_value\n"
            "model = data('model')\n"
            "a_step('prep', reads=[a_reference()], writes=[model], params={'b': 1, 'a': 2})\n"
            "print(digest_value(graph_of(a_step('train', reads=[model]), a_step('other', hash_paths=['lib']))))\n"
        )
        root = str(Path(__file__).resolve().parents[3])
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_a_changed_file_changes_the_graph(self, scripts: Path) -> None:
        pipeline = a_pipeline(a_step())
        before = pipeline.graph
        assert pipeline.graph == before
        write(scripts / "lib/tools.py", "print('new')")
        assert pipeline.graph != before

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=1, max_size=8), st.randoms())
    def test_any_pipeline_puts_each_step_after_what_it_needs(self, needs: list[list[int]], chance: Any) -> None:
        """Step i needs some of the steps before it; listed in any order, the graph is sound and equal."""
        outputs = [data(f"d{i}") for i in range(len(needs))]
        steps = [
            a_step(f"s{i}", reads=[outputs[j] for j in sorted({n % i for n in needs[i]})] if i else [], writes=[output])
            for i, output in enumerate(outputs)
        ]
        graph = graph_of(*steps)
        assert validate_graph(graph, datastores=[], computes=[]) == []
        seen: set[str] = set()
        for step in graph.steps:
            assert set(step.upstream()) <= seen
            seen.add(step.id)
        assert graph_of(steps[-1]).steps[-1].id == f"s{len(steps) - 1}"
        shuffled = list(steps)
        chance.shuffle(shuffled)
        assert {step.id: step for step in graph_of(*shuffled).steps} == {step.id: step for step in graph.steps}


class TestPipeline:
    def test_description_and_options(self) -> None:
        assert graph_of(a_step(), description="Titanic").description == "Titanic"

    @pytest.mark.parametrize("workspace", [None, 5])
    def test_it_needs_a_workspace(self, workspace: Any) -> None:
        with pytest.raises(UserErrorException, match="needs a workspace"):
            Pipeline(workspace, [])

    def test_it_needs_steps(self) -> None:
        with pytest.raises(UserErrorException, match="needs steps"):
            Pipeline(WORKSPACE, None)

    def test_unknown_arguments_are_refused(self) -> None:
        with pytest.raises(UserErrorException, match=r"Pipeline does not know the argument.s. resolv_closure"):
            a_pipeline(a_step(), resolv_closure=True)

    def test_mail_is_not_sent_without_a_word(self) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="sends no mail"):
            a_pipeline(a_step(), enable_email_notification=True)

    def test_validate_prints_and_returns_the_problems(self, ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
        step = PythonScriptStep("train.py", compute_target="cpu-cluster", source_directory="src")
        (problem,) = Pipeline(ws, [step]).validate()
        assert problem.code == "UnknownCompute"
        assert "the workspace has no such compute target" in capsys.readouterr().out

    def test_validate_a_sound_pipeline(self, ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
        pipeline = Pipeline(ws, [a_step(reads=[a_reference()], arguments=[PipelineParameter("n", 1)])])
        assert pipeline.validate() == []
        assert capsys.readouterr().out == "The pipeline is valid (1 steps).\n"
        assert pipeline.service_endpoint().startswith("http://127.0.0.1:")

    def test_an_empty_pipeline_is_invalid(self, ws: Workspace) -> None:
        assert [problem.code for problem in Pipeline(ws, []).validate()] == ["NoSteps"]
