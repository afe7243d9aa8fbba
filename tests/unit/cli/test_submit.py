"""`airloom submit`: a YAML file becomes a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.sdk_pipeline.server import PipelineState

PIPELINE = """\
pipeline:
  name: hello
  parameters:
    count: {type: int, default: 1}
    word: {type: string, default: hi}
  steps:
    greet:
      type: PythonScriptStep
      name: greet
      script_name: greet.py
      source_directory: src
      arguments: [{source: count}, {source: word}]
"""


@pytest.fixture
def file(folder: Path) -> str:
    """A pipeline of one step."""
    (folder / "src").mkdir()
    (folder / "src" / "greet.py").write_text("print('hi')\n")
    (folder / "greeting.yml").write_text(PIPELINE)
    return "greeting.yml"


def test_submit_tells_the_run_and_how_to_follow_it(airloom: Command, state: PipelineState, file: str) -> None:
    done = airloom("submit", file)
    (run_id,) = state.of("default", "runs")
    assert done.status == 0
    assert f"run {run_id} of experiment greeting: NotStarted" in done.out
    assert f"airloom logs {run_id} --follow" in done.out


def test_parameters_have_their_declared_types(airloom: Command, state: PipelineState, file: str) -> None:
    assert airloom("submit", file, "-p", "count=3", "-p", "word=007", "--reuse", "off").status == 0
    (submitted,) = state.submitted
    assert submitted["parameters"] == {"count": 3, "word": "007"}
    assert submitted["reuse"] == "off"


def test_json_is_the_run_and_nothing_else(airloom: Command, state: PipelineState, file: str) -> None:
    run = json.loads(airloom("submit", file, "--experiment", "mine", "--json").out)
    assert run["experiment"] == "mine"
    assert run["id"] in state.of("default", "runs")


@pytest.mark.parametrize(("ending", "status"), [("Finished", 0), ("Failed", 1)])
def test_waiting_ends_with_the_run(airloom: Command, state: PipelineState, file: str, ending: str, status: int) -> None:
    submit = state.submit

    def submit_and_script(workspace: str, experiment: str, body: dict[str, object]) -> dict[str, object]:
        run = submit(workspace, experiment, body)
        state.moments[run["id"]] = moments(state, run["id"], ending)
        return run

    state.submit = submit_and_script  # type: ignore[method-assign]
    done = airloom("submit", file, "--wait")
    assert done.status == status
    assert f"is {ending} after" in done.out
    assert "Running  greet" in done.err
    assert f"{ending}  greet (1.5 s)" in done.err


def moments(state: PipelineState, run_id: str, ending: str) -> list[Callable[[], None]]:
    """What happens at each look at the run; the first is that of the submission itself."""
    return [
        lambda: None,
        lambda: state.step(run_id, "greet", status="Running"),
        lambda: (state.step(run_id, "greet", status=ending, seconds=1.5), state.end(run_id, ending))[0],
    ]


def test_a_parameter_without_a_value_is_refused(airloom: Command, state: PipelineState, file: str) -> None:
    told = airloom("submit", file, "--param", "count")
    assert told.status == 2
    assert "NAME=VALUE" in told.err
    assert state.submitted == []


def test_an_unknown_parameter_is_named(airloom: Command, state: PipelineState, file: str) -> None:
    told = airloom("submit", file, "--param", "cuont=3")
    assert told.status == 1
    assert "cuont" in told.err
    assert state.submitted == []


def test_a_mistake_in_the_file_names_the_line(airloom: Command, state: PipelineState, file: str, folder: Path) -> None:
    (folder / file).write_text(PIPELINE.replace("script_name", "scirpt_name"))
    told = airloom("submit", file)
    assert told.status == 1
    assert "greeting.yml:" in told.err
