"""Runs: their steps, logs, outputs, explanations, and waiting for them."""

from __future__ import annotations

import os
import pty
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Run, Workspace
from airloom.exceptions import ActivityFailedException, NotFoundException, ServiceException, UserErrorException
from airloom.pipeline.core import Pipeline, PipelineRun, StepRun
from airloom.widgets import RunDetails
from tests.unit.sdk_core.server import NOW
from tests.unit.sdk_pipeline.builders import a_step, data
from tests.unit.sdk_pipeline.server import PipelineState

pytestmark = pytest.mark.usefixtures("scripts")

OUTPUT = {"datastore": "workspaceblobstore", "digest": "a" * 64, "size": 3, "is_file": False}


@pytest.fixture
def run(ws: Workspace, state: PipelineState, capsys: pytest.CaptureFixture[str]) -> PipelineRun:
    """A run of prep -> train that has not started."""
    clean = data("clean")
    a_step("prep", writes=[clean])
    train = a_step("train", reads=[clean], writes=[data("model", pipeline_output_name="best", is_directory=True)])
    submitted = Pipeline(ws, [train]).submit("tests")
    capsys.readouterr()
    return submitted


@pytest.fixture
def finish(run: PipelineRun, state: PipelineState) -> Callable[[], None]:
    """Ends the run: prep is reused, train ran."""

    def act() -> None:
        state.step(run.id, "prep", status="Finished", reused=True, reused_from={"run_id": "old", "step_id": "prepare"})
        path = f"azureml/{run.id}/train/1/model"
        state.step(run.id, "train", status="Finished", seconds=3.25, outputs={"model": {**OUTPUT, "path": path}})
        folder = Path(state.one("default", "datastores", "workspaceblobstore")["root"]) / path
        folder.mkdir(parents=True)
        (folder / "weights.txt").write_text("1 2")
        state.end(run.id, "Finished")

    return act


@pytest.fixture
def fail(run: PipelineRun, state: PipelineState) -> Callable[[], None]:
    """Ends the run: prep failed."""

    def act() -> None:
        state.step(run.id, "prep", status="Failed", seconds=1.0, reason="The script ended with exit code 1.")
        state.logs[run.id, "prep", "stderr"] = "Traceback\nValueError: no data\n"
        state.end(run.id, "Failed", error={"code": "StepFailed", "message": "Step prep failed.", "steps": ["prep"]})

    return act


class TestSteps:
    def test_all_in_order(self, run: PipelineRun) -> None:
        steps = list(run.get_steps())
        assert [(step.name, step.step_id, step.status) for step in steps] == [
            ("prep", "prep", "NotStarted"),
            ("train", "train", "NotStarted"),
        ]
        assert [child.id for child in run.get_children()] == [f"{run.id}.prep", f"{run.id}.train"]

    def test_by_name_and_by_filter(self, run: PipelineRun, finish: Callable[[], None]) -> None:
        (step,) = run.find_step_run("train")
        assert (step.name, step.pipeline_run_id, step.type) == ("train", run.id, "azureml.StepRun")
        assert step.parent == run
        assert run.find_step_run("nobody") == []
        assert list(run.get_children(status="Finished")) == []
        finish()
        assert [child.name for child in run.get_children(properties="azureml.reusedrunid")] == ["prep"]
        assert list(run.get_children(type="hyperdrive")) == []

    def test_reuse_is_shown(self, run: PipelineRun, finish: Callable[[], None]) -> None:
        finish()
        prep, train = run.get_steps()
        assert (prep.is_reused, train.is_reused) == (True, False)
        assert prep.reused_from is not None and train.reused_from is None
        assert (prep.reused_from.pipeline_run_id, prep.reused_from.step_id) == ("old", "prepare")
        properties = prep.get_properties()
        assert (properties["azureml.reusedrunid"], properties["azureml.reusednodeid"]) == ("old", "prepare")

    def test_a_step_by_its_ids(self, run: PipelineRun) -> None:
        assert StepRun(run.experiment, "", run.id, "train").get_status() == "NotStarted"
        with pytest.raises(NotFoundException, match=r"has no step 'trian'. Did you mean 'train'"):
            StepRun(run.experiment, "", run.id, "trian").get_status()

    def test_logs(self, run: PipelineRun, state: PipelineState, tmp_path: Path) -> None:
        (step,) = run.find_step_run("prep")
        assert step.get_stdout_log() == ""
        state.logs[run.id, "prep", "stdout"] = "line\n" * 700
        state.logs[run.id, "prep", "job"] = "staged"
        assert step.get_stdout_log() == "line\n" * 700
        assert step.get_job_log() == "staged"
        assert step.get_details_with_logs()["logFiles"]["logs/job.txt"] == "staged"
        assert run.get_details_with_logs()["logFiles"]["prep/logs/job.txt"] == "staged"
        written = run.get_all_logs(str(tmp_path / "logs"))
        assert (tmp_path / "logs/prep/logs/job.txt").read_text() == "staged"
        assert len(written) == 6

    def test_files_of_a_step(self, run: PipelineRun, tmp_path: Path) -> None:
        (step,) = run.find_step_run("prep")
        assert step.get_file_names() == ["outputs/prep.txt"]
        step.download_file("outputs/prep.txt", str(tmp_path / "p.txt"))
        assert (tmp_path / "p.txt").read_text() == "prep"

    @pytest.mark.parametrize("call", ["cancel", "complete", "fail", "child_run"])
    def test_what_cannot_be_done_to_a_step(self, run: PipelineRun, call: str) -> None:
        (step,) = run.find_step_run("prep")
        with pytest.raises(UserErrorException, match="step"):
            getattr(step, call)()

    def test_a_step_has_no_tags_of_its_own(self, run: PipelineRun) -> None:
        (step,) = run.find_step_run("prep")
        with pytest.raises(UserErrorException, match="has no tags and no name of its own"):
            step.tag("a", "b")


class TestOutputs:
    def test_download(self, run: PipelineRun, finish: Callable[[], None], tmp_path: Path) -> None:
        finish()
        (step,) = run.find_step_run("train")
        reference = step.get_output_data("model")
        assert reference.download(str(tmp_path), show_progress=False) == 1
        assert (tmp_path / reference._path_on_datastore / "weights.txt").read_text() == "1 2"
        assert reference.path_on_datastore == f"azureml/{run.id}/train/1/model"
        assert reference.datastore_name == "workspaceblobstore"
        assert {name: output.digest for name, output in step.get_outputs().items()} == {"model": "a" * 64}

    def test_by_the_name_in_the_pipeline(self, run: PipelineRun, finish: Callable[[], None]) -> None:
        finish()
        assert run.get_pipeline_output("best").name == "model"
        with pytest.raises(UserErrorException, match=r"no output called 'bets'. Did you mean 'best'"):
            run.get_pipeline_output("bets")

    def test_before_the_end_and_under_a_wrong_name(self, run: PipelineRun, finish: Callable[[], None]) -> None:
        (step,) = run.find_step_run("train")
        with pytest.raises(UserErrorException, match="Step 'train' is NotStarted; it has outputs when it is Finished"):
            step.get_output_data("model")
        finish()
        with pytest.raises(UserErrorException, match=r"has no output 'modle'. Did you mean 'model'"):
            step.get_output("modle")


class TestWaiting:
    def test_changes_are_told_as_lines(
        self,
        run: PipelineRun,
        state: PipelineState,
        finish: Callable[[], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        document = state.one("default", "runs", run.id)
        state.moments[run.id] = [
            lambda: document.update(status="Running"),
            lambda: state.step(run.id, "train", status="Running", started_at=NOW),
            finish,
        ]
        assert run.wait_for_completion() == "Finished"
        assert capsys.readouterr().out.splitlines() == [
            f"Run {run.id}: Running",
            "Step train: Running",
            "Step prep: Reused. Reused from run old.",
            "Step train: Finished after 3.2 s",
            f"Run {run.id}: Finished",
        ]

    def test_silence(self, run: PipelineRun, finish: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> None:
        finish()
        assert run.wait_for_completion(show_output=False) == "Finished"
        assert capsys.readouterr().out == ""

    def test_a_failure_says_what_the_script_said(self, run: PipelineRun, fail: Callable[[], None]) -> None:
        fail()
        with pytest.raises(ActivityFailedException, match=r"(?s)Step prep failed.*Step 'prep' failed.*no data"):
            run.wait_for_completion(show_output=False)
        assert run.wait_for_completion(show_output=False, raise_on_error=False) == "Failed"

    def test_a_server_that_fails_for_a_while(
        self, run: PipelineRun, state: PipelineState, finish: Callable[[], None]
    ) -> None:
        state.moments[run.id] = [lambda: setattr(state, "outages", 2), finish]
        assert run.wait_for_completion(show_output=False) == "Finished"
        assert state.outages == 0

    def test_a_server_that_fails_from_the_start(self, run: PipelineRun, state: PipelineState) -> None:
        state.outages = 1
        with pytest.raises(ServiceException, match="The database does not answer"):
            run.wait_for_completion(show_output=False)

    def test_time_is_up(self, run: PipelineRun) -> None:
        with pytest.raises(UserErrorException, match=r"is still NotStarted after 0.1 seconds"):
            run.wait_for_completion(show_output=False, timeout_seconds=0.1)
        assert run.wait_for_completion(False, 0, raise_on_error=False) == "NotStarted"

    def test_a_step(
        self,
        run: PipelineRun,
        state: PipelineState,
        finish: Callable[[], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        state.logs[run.id, "train", "stdout"] = "epoch 1\n"
        finish()
        (step,) = run.find_step_run("train")
        assert step.wait_for_completion() == "Finished"
        assert capsys.readouterr().out == "Step train: Finished\nepoch 1\n"

    def test_a_failed_step_and_one_that_takes_too_long(self, run: PipelineRun, fail: Callable[[], None]) -> None:
        (step,) = run.find_step_run("prep")
        with pytest.raises(UserErrorException, match="Step 'prep' is still NotStarted after 0 seconds"):
            step.wait_for_completion(show_output=False, timeout_seconds=0)
        fail()
        with pytest.raises(ActivityFailedException, match=r"(?s)Step 'prep' of run .* failed.*ValueError: no data"):
            step.wait_for_completion(show_output=False)


class TestRun:
    def test_it_is_found_again(self, ws: Workspace, run: PipelineRun) -> None:
        found = PipelineRun.get(ws, run.id)
        assert (found, found.experiment.name) == (run, "tests")
        assert isinstance(Run.get(ws, run.id), PipelineRun)
        assert isinstance(next(iter(Experiment(ws, "tests").get_runs())), PipelineRun)
        with pytest.raises(NotFoundException, match="nothing"):
            PipelineRun.get(ws, "nothing")

    def test_its_graph_and_yaml(self, ws: Workspace, run: PipelineRun, tmp_path: Path) -> None:
        file = run.save(str(tmp_path))
        assert Pipeline.load_yaml(ws, file).graph == run.get_graph()

    def test_cancel(self, run: PipelineRun, state: PipelineState) -> None:
        run.cancel()
        assert run.get_status() == "Canceled"
        assert run.wait_for_completion(show_output=False) == "Canceled"

    def test_resume(self, run: PipelineRun, state: PipelineState) -> None:
        with pytest.raises(UserErrorException, match="is NotStarted"):
            run.resume()
        state.end(run.id, "Failed")
        run.resume()
        assert run.status == "NotStarted"

    @pytest.mark.parametrize("call", ["complete", "fail", "child_run"])
    def test_what_cannot_be_done_to_it(self, run: PipelineRun, call: str) -> None:
        with pytest.raises(UserErrorException, match="run of a pipeline"):
            getattr(run, call)()

    def test_explanations_read_well(self, run: PipelineRun, state: PipelineState) -> None:
        assert str(run.explain.__doc__)
        state.explanations[run.id] = []
        assert str(run.explain()) == "Nothing is decided yet: the run has not started."
        change = {"part": "argument", "before": None, "now": ["literal", 5]}
        told: dict[str, Any] = {"step_id": "train", "name": "train", "compared_to": None}
        state.explanations[run.id] = [
            {**told, "action": "executed", "reason": "changed", "message": "One part changed.", "changed": [change]},
            {**told, "step_id": "prep", "name": "prep", "action": "reused", "reason": "unchanged", "message": "Same."},
        ]
        assert str(run.explain()).splitlines() == [
            "train [train]: executed. One part changed.",
            '    argument: (absent) -> ["literal", 5]',
            "prep [prep]: reused. Same.",
        ]
        assert [explanation.name for explanation in run.explain("prep")] == ["prep"]


class TestRunDetails:
    def test_a_table_of_the_present_state(
        self, run: PipelineRun, finish: Callable[[], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        finish()
        RunDetails(run).show()
        assert capsys.readouterr().out.splitlines() == [
            f"Run {run.id}: Finished",
            "Step   Status    Seconds  Why",
            "prep   Reused             Reused from run old.",
            "train  Finished  3.2",
        ]

    def test_for_a_step_it_is_the_whole_run(self, run: PipelineRun) -> None:
        (step,) = run.find_step_run("prep")
        assert str(RunDetails(step)).startswith(f"Run {run.id}: NotStarted")

    def test_notebooks_get_html_in_which_names_are_text(self, run: PipelineRun, state: PipelineState) -> None:
        state.step(run.id, "prep", name="<script>", status="Failed", reason="a & b")
        state.one("default", "runs", run.id)["url"] = "javascript:alert(1)"
        shown = RunDetails(run)._repr_html_()
        assert "&lt;script&gt;" in shown and "a &amp; b" in shown
        assert "<script" not in shown and "javascript" not in shown

    def test_it_needs_a_run_of_a_pipeline(self) -> None:
        with pytest.raises(UserErrorException, match="needs the run of a pipeline, not str"):
            RunDetails("run")


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Makes standard output a terminal; what appeared on it is complete when the block has ended."""
    master, slave = pty.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    pieces: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(master, pieces), daemon=True)
    with os.fdopen(slave, "w") as screen, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", screen)
        reader.start()
        yield pieces
    reader.join(timeout=5)
    os.close(master)


def _drain(master: int, pieces: list[bytes]) -> None:
    while True:
        try:
            pieces.append(os.read(master, 65536))
        except OSError:  # the other end is closed
            return


@pytest.mark.parametrize("show", [lambda run: run.wait_for_completion(), lambda run: RunDetails(run).show()])
def test_a_terminal_shows_a_live_table(
    run: PipelineRun,
    state: PipelineState,
    finish: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    show: Callable[[PipelineRun], object],
) -> None:
    state.step(run.id, "prep", name="[bold]prep")
    state.moments[run.id] = [lambda: None, finish]
    with terminal(monkeypatch) as pieces:
        show(run)
    screen = b"".join(pieces).decode()
    assert f"Run {run.id}: Finished" in screen
    assert "[bold]prep" in screen and "Reused from run old." in screen
