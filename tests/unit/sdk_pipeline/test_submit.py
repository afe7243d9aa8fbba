"""Submission: what travels, what the server gets, and what is refused before anything does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.exceptions import SnapshotException, UserErrorException
from airloom.pipeline.core import InputPortBinding, Pipeline, PipelineParameter, PipelineRun
from airloom.pipeline.core._snapshots import Snapshots
from airloom.pipeline.core._submit import upload_snapshots
from tests.unit.sdk_pipeline.builders import a_path, a_step, data, write
from tests.unit.sdk_pipeline.server import PipelineState

pytestmark = pytest.mark.usefixtures("scripts")


def uploads(state: PipelineState) -> int:
    return sum(path.endswith("/snapshots/blobs") for _, path in state.requests)


def test_the_way_of_a_pipeline(ws: Workspace, state: PipelineState, capsys: pytest.CaptureFixture[str]) -> None:
    model = data("model")
    a_step("prep", writes=[model], allow_reuse=False)
    pipeline = Pipeline(ws, [a_step("train", reads=[model])], description="Titanic")
    run = Experiment(ws, "Hello_World").submit(pipeline, tags={"team": "a"})
    assert isinstance(run, PipelineRun)
    assert run.experiment.name == "Hello_World"
    (submitted,) = state.submitted
    assert submitted["graph"] == pipeline.graph.definition.model_dump(mode="json")
    assert submitted["tags"] == {"team": "a"}
    assert (submitted["reuse"], submitted["parameters"]) == ("auto", {})
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Created step prep [prep], (This step will run and generate new outputs)",
        "Created step train [train], (This step is eligible to reuse a previous run's output)",
        f"Submitted PipelineRun {run.id}",
        f"Link to Airloom Portal: {run.get_portal_url()}",
    ]


def test_only_files_that_the_server_lacks_travel(ws: Workspace, state: PipelineState, scripts: Path) -> None:
    pipeline = Pipeline(ws, [a_step("a"), a_step("b")])
    pipeline.submit("tests")
    assert (len(state.snapshots), uploads(state)) == (1, 1)
    assert set(state.blobs.values()) == {path.read_bytes() for path in scripts.rglob("*.py")}
    before = len(state.blobs)
    pipeline.submit("tests")
    assert uploads(state) == 1
    write(scripts / "train.py", "print('changed')")
    pipeline.submit("tests")
    assert (len(state.snapshots), uploads(state), len(state.blobs)) == (2, 2, before + 1)


def test_an_unchanged_submission_takes_two_requests(ws: Workspace, state: PipelineState) -> None:
    pipeline = Pipeline(ws, [a_step()])
    pipeline.submit("tests")
    state.requests.clear()
    pipeline.submit("tests")
    assert [method for method, _ in state.requests] == ["GET", "POST"]


def test_each_source_folder_is_a_snapshot(ws: Workspace, state: PipelineState, own_surroundings: Path) -> None:
    write("other/train.py")
    Pipeline(ws, [a_step("a"), a_step("b", source_directory="other")]).submit("tests")
    assert len(state.snapshots) == 2


def test_a_file_changed_while_it_is_submitted(ws: Workspace, scripts: Path) -> None:
    snapshots = Snapshots()
    snapshots.digest(scripts, "train.py", ())
    write(scripts / "train.py", "print('other')")
    with pytest.raises(SnapshotException, match=r"train\.py was changed while the pipeline was submitted"):
        upload_snapshots(ws, snapshots)


def test_too_much_in_the_source_folder(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOOM_SNAPSHOT_MAX_FILES", "2")
    with pytest.raises(SnapshotException, match="holds 4 files, more than the limit of 2 files"):
        Pipeline(ws, [a_step()]).submit("tests")


class TestParameters:
    @pytest.fixture
    def pipeline(self, ws: Workspace) -> Pipeline:
        folder, rounds = PipelineParameter("folder", a_path()), PipelineParameter("rounds", 5)
        return Pipeline(ws, [a_step(reads=[InputPortBinding("i", folder)], arguments=[rounds])])

    def test_values_are_typed_and_data_becomes_json(self, pipeline: Pipeline, state: PipelineState) -> None:
        pipeline.submit("tests", pipeline_parameters={"rounds": "7", "folder": a_path("other")})
        place = {"kind": "path", "location": {"datastore": "workspaceblobstore", "path": "other"}}
        assert state.submitted[0]["parameters"] == {"rounds": 7, "folder": place}

    def test_what_is_not_given_is_left_to_the_server(self, pipeline: Pipeline, state: PipelineState) -> None:
        pipeline.submit("tests", {"rounds": 6})
        assert state.submitted[0]["parameters"] == {"rounds": 6}

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ({"rounds": "many"}, r"Parameter 'rounds' expects int \(a whole number\), but was given 'many'"),
            ({"round": 5}, "no pipeline parameter 'round'. Did you mean 'rounds'"),
            ({"folder": "in"}, "expects datapath"),
            ([5], "must be a dict"),
        ],
    )
    def test_wrong_values_are_refused_before_anything_travels(
        self, pipeline: Pipeline, state: PipelineState, given: Any, complaint: str
    ) -> None:
        state.requests.clear()
        with pytest.raises(UserErrorException, match=complaint):
            pipeline.submit("tests", pipeline_parameters=given)
        assert state.requests == []


class TestOptions:
    @pytest.fixture
    def pipeline(self, ws: Workspace) -> Pipeline:
        return Pipeline(ws, [a_step()])

    @pytest.mark.parametrize(
        ("options", "reuse"),
        [
            ({}, "auto"),
            ({"regenerate_outputs": False}, "auto"),
            ({"regenerate_outputs": True}, "refresh"),
            ({"reuse": "off"}, "off"),
            ({"reuse": "refresh", "regenerate_outputs": True}, "refresh"),
        ],
    )
    def test_reuse(self, pipeline: Pipeline, state: PipelineState, options: dict[str, Any], reuse: str) -> None:
        pipeline.submit("tests", **options)
        assert state.submitted[0]["reuse"] == reuse

    def test_contradictions_and_typing_errors(self, pipeline: Pipeline) -> None:
        with pytest.raises(UserErrorException, match="contradicts reuse='off'"):
            pipeline.submit("tests", regenerate_outputs=True, reuse="off")
        with pytest.raises(UserErrorException, match="reuse cannot be 'never'"):
            pipeline.submit("tests", reuse="never")
        with pytest.raises(UserErrorException, match=r"does not know the argument\(s\) regenerate_output"):
            pipeline.submit("tests", regenerate_output=True)

    def test_going_on_after_a_failure_belongs_to_the_run(self, pipeline: Pipeline, state: PipelineState) -> None:
        """So that runs which differ in it are runs of one DAG."""
        pipeline.submit("tests", continue_on_step_failure=True, display_name="nightly")
        pipeline.submit("tests")
        assert [body["continue_on_step_failure"] for body in state.submitted] == [True, None]
        assert state.submitted[0]["graph"] == state.submitted[1]["graph"]
        assert state.submitted[0]["display_name"] == "nightly"

    @pytest.mark.parametrize(
        "option", [{"parent_run_id": "x"}, {"credential_passthrough": True}, {"enable_email_notification": True}]
    )
    def test_what_has_no_counterpart_is_warned_about(self, pipeline: Pipeline, option: dict[str, Any]) -> None:
        with pytest.warns(IgnoredArgumentWarning, match="has no effect"):
            pipeline.submit("tests", **option)

    def test_a_circle_is_refused_before_anything_travels(self, ws: Workspace, state: PipelineState) -> None:
        first, second = a_step("first"), a_step("second")
        first.run_after(second)
        second.run_after(first)
        pipeline = Pipeline(ws, [first])
        state.requests.clear()
        with pytest.raises(UserErrorException, match="wait for each other in a circle"):
            pipeline.submit("tests")
        assert state.requests == []

    def test_names_that_only_the_server_knows(self, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match="'gpu', but the workspace has no such compute target"):
            Pipeline(ws, [a_step(compute_target="gpu")]).submit("tests")
