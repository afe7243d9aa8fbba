"""Experiments and runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from airloom.core import Experiment, Run, Workspace, get_run
from airloom.core import run as run_module
from airloom.core.experiment import ViewType
from airloom.core.run import PIPELINE_RUN
from airloom.exceptions import (
    ActivityFailedException,
    ExperimentExecutionException,
    NotFoundException,
    RunEnvironmentException,
    UserErrorException,
)
from tests.unit.sdk_core.server import State


@pytest.fixture(autouse=True)
def plain_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """All runs are plain `Run`s, and waiting is short."""
    plain = {PIPELINE_RUN: lambda experiment, document: Run(experiment, document["id"], _document=document)}
    monkeypatch.setattr(Run, "_types", plain)
    monkeypatch.setattr(run_module, "_FIRST_PAUSE", 0.001)


class TestExperiment:
    def test_submit_hands_over_to_what_is_submitted(self, ws: Workspace) -> None:
        class Submittable:
            def _submit(self, experiment: Experiment, tags: dict[str, str] | None = None, **kwargs: Any) -> Any:
                return experiment.name, tags, kwargs

        submitted: Any = Experiment(ws, "Hello_World1").submit(Submittable(), {"a": "b"}, regenerate_outputs=True)
        assert submitted == ("Hello_World1", {"a": "b"}, {"regenerate_outputs": True})

    def test_other_things_cannot_be_submitted(self, ws: Workspace) -> None:
        with pytest.raises(ExperimentExecutionException, match=r"A list cannot be submitted.*Submit a Pipeline"):
            Experiment(ws, "x").submit([])

    @pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "x" * 257, None])
    def test_bad_names_are_refused_with_the_rule(self, ws: Workspace, name: Any) -> None:
        with pytest.raises(UserErrorException, match="experiment"):
            Experiment(ws, name)

    def test_making_the_object_asks_the_server_nothing(self, ws: Workspace, state: State) -> None:
        asked = len(state.requests)
        experiment = Experiment(workspace=ws, name="x")
        assert (experiment.id, experiment.workspace, experiment.workspace_object) == ("x", ws, ws)
        assert len(state.requests) == asked and experiment.tags == {}

    def test_tags(self, ws: Workspace) -> None:
        experiment = Experiment(ws, "x")
        experiment.tag("a")
        experiment.set_tags({"b": "2", "c": "3"})
        experiment.remove_tags(["b"])
        experiment.refresh()
        assert experiment.tags == {"a": "", "c": "3"}

    def test_archived_experiments_are_hidden(self, ws: Workspace) -> None:
        experiment = Experiment(ws, "old")
        experiment.archive()
        Experiment(ws, "new").tag("kind", "test")
        assert list(ws.experiments) == ["new"] and experiment.archived
        assert [found.name for found in Experiment.list(ws, view_type=ViewType.ArchivedOnly)] == ["old"]
        assert [found.name for found in Experiment.list(ws, view_type=ViewType.All, tags={"kind": "test"})] == ["new"]
        experiment.reactivate()
        assert Experiment.list(ws, "old") == [experiment]
        with pytest.raises(UserErrorException, match="new_name"):
            experiment.reactivate("other")
        with pytest.raises(UserErrorException, match=r"archive\(\)"):
            Experiment.delete(ws, "old")

    def test_runs_come_the_newest_first_and_filtered(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "x", tags={"a": "1"})
        state.add_run("r2", "x", tags={"a": "2"}, properties={"p": "q"}, status="Finished")
        state.add_run("r3", "other")
        experiment = ws.experiments["x"]
        assert [run.id for run in experiment.get_runs()] == ["r2", "r1"]
        assert [run.id for run in experiment.get_runs(tags={"a": "1"}, include_children=True)] == ["r1"]
        assert [run.id for run in experiment.get_runs(properties="p")] == ["r2"]
        assert list(experiment.get_runs(type="azureml.HyperDriveRun")) == []
        assert [run.id for run in Run.list(experiment, status="Finished")] == ["r2"]


class TestRun:
    def test_is_found_by_id(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "x", display_name="Monday")
        run = ws.get_run("r1")
        assert run == Run.get(ws, "r1") == get_run(run.experiment, "r1")
        assert (run.id, run.run_id, run.name, run.type) == ("r1", "r1", "Monday", PIPELINE_RUN)
        assert run.experiment == Experiment(ws, "x") and run.parent is None and "r1" in repr(run)
        assert run.portal_url == run.get_portal_url() == "http://server/dags/r1" and list(run.get_children()) == []
        with pytest.raises(NotFoundException, match="no run 'r9'"):
            ws.get_run("r9")

    def test_an_experiment_made_elsewhere_may_have_a_name_that_v1_refuses(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "Größe & Co.")
        assert ws.get_run("r1").experiment.name == "Größe & Co."
        assert [run.id for run in ws.experiments["Größe & Co."].get_runs()] == ["r1"]

    def test_labels_can_be_changed(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "x", tags={"a": "1"})
        run = Run(Experiment(ws, "x"), "r1")
        assert run.display_name == "r1"
        run.display_name, run.description = "Monday", "The first"
        run.tag("b", "2")
        run.remove_tags(["a"])
        again = ws.get_run("r1")
        assert (again.display_name, again.description, again.get_tags()) == ("Monday", "The first", {"b": "2"})

    def test_details_have_the_keys_of_v1(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "x", properties={"p": "q"}, status="Finished", ended_at="later")
        details = ws.get_run("r1").get_details()
        assert details["runId"] == "r1" and details["status"] == "Finished" and details["endTimeUtc"] == "later"
        assert details["properties"] == ws.get_run("r1").get_properties() == {"p": "q"} and "error" not in details

    def test_waiting_tells_every_change_and_returns_the_details(
        self, ws: Workspace, state: State, capsys: pytest.CaptureFixture[str]
    ) -> None:
        state.add_run("r1", "x")
        run = ws.get_run("r1")
        state.statuses["r1"] = ["NotStarted", "Running", "Running", "Finished"]
        assert run.wait_for_completion(show_output=True)["status"] == "Finished"
        assert capsys.readouterr().out.split() == [
            "Run",
            "r1:",
            "NotStarted",
            "Run",
            "r1:",
            "Running",
            "Run",
            "r1:",
            "Finished",
        ]

    def test_a_failure_is_raised_with_its_reason_unless_unwanted(self, ws: Workspace, state: State) -> None:
        error = {"code": "StepFailed", "message": "Step 'train' failed with exit code 1.", "steps": ["train"]}
        state.add_run("r1", "x", status="Failed", error=error)
        run = ws.get_run("r1")
        with pytest.raises(ActivityFailedException, match=r"Step 'train' failed with exit code 1.*http://server"):
            run.wait_for_completion()
        assert run.wait_for_completion(raise_on_error=False)["error"] == {"error": error}

    def test_waiting_may_be_limited(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "x")
        with pytest.raises(UserErrorException, match="still Running after"):
            ws.get_run("r1")._wait(lambda status: None, timeout_seconds=0)

    def test_cancel(self, ws: Workspace, state: State) -> None:
        state.add_run("r1", "x")
        run = ws.get_run("r1")
        run.cancel()
        assert run.get_status() == "Canceled" and run.wait_for_completion()["status"] == "Canceled"

    def test_a_type_can_have_a_class_of_its_own(self, ws: Workspace, state: State) -> None:
        class OwnRun(Run):
            _type = PIPELINE_RUN

        Run.add_type_provider(PIPELINE_RUN, lambda experiment, document: OwnRun(experiment, document["id"]))
        state.add_run("r1", "x")
        assert isinstance(ws.get_run("r1"), OwnRun)


class FilesRun(Run):
    """A run with files, as a step's is."""

    files: ClassVar[dict[str, bytes]] = {
        "outputs/model.pkl": b"model",
        "outputs/sub/a.txt": b"a",
        "../evil": b"x",
        "logs/stdout.txt": b"hello",
    }

    def _list_artifacts(self) -> list[str]:
        return sorted(name for name in self.files if name != "../evil")

    def _open_artifact(self, path: str) -> Iterator[bytes]:
        yield self.files[path]


class TestArtifacts:
    @pytest.fixture
    def run(self, ws: Workspace) -> FilesRun:
        """A run with three files."""
        return FilesRun(Experiment(ws, "x"), "r1")

    def test_one_file(self, run: FilesRun, tmp_path: Path) -> None:
        run.download_file("outputs/model.pkl")
        run.download_file("outputs/model.pkl", str(tmp_path))
        run.download_file("outputs/model.pkl", f"{tmp_path}/new/")
        run.download_file("outputs/model.pkl", f"{tmp_path}/own.bin")
        for file in ("work/model.pkl", "model.pkl", "new/model.pkl", "own.bin"):
            assert (tmp_path / file).read_bytes() == b"model"

    def test_a_missing_file_gets_a_suggestion(self, run: FilesRun) -> None:
        with pytest.raises(NotFoundException, match=r"no file 'outputs/modl\.pkl'. Did you mean 'outputs/model\.pkl'"):
            run.download_file("outputs/modl.pkl")

    def test_many_files(self, run: FilesRun, tmp_path: Path) -> None:
        run.download_files(prefix="outputs", output_directory=str(tmp_path / "a"))
        run.download_files(prefix="outputs", output_directory=str(tmp_path / "b"), append_prefix=False)
        assert (tmp_path / "a/outputs/sub/a.txt").exists() and (tmp_path / "b/sub/a.txt").exists()
        run.download_files(prefix="logs", output_paths=[str(tmp_path / "log")])
        assert (tmp_path / "log").read_bytes() == b"hello"
        with pytest.raises(UserErrorException, match="0 entries for 3 files"):
            run.download_files(output_paths=[])

    def test_a_name_that_leads_outside_is_refused(self, run: FilesRun, tmp_path: Path) -> None:
        run._list_artifacts = lambda: ["../evil"]  # type: ignore[method-assign]
        with pytest.raises(UserErrorException, match=r"contains '\.\.'"):
            run.download_files(output_directory=str(tmp_path / "a"))

    def test_a_plain_run_has_none(self, ws: Workspace) -> None:
        run = Run(Experiment(ws, "x"), "r1")
        assert run.get_file_names() == []
        with pytest.raises(NotFoundException, match="its steps have"):
            list(run._open_artifact("x"))


class TestOffline:
    def test_metrics_are_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        run = Run.get_context()
        run.log("accuracy", 0.9)
        run.log("accuracy", 0.95)
        run.log_row("table", a=1)
        run.log_list("l", [1])
        run.log_table("t", {"a": [1]})
        run.log_image("i", path="x.png")
        run.set_tags({"k": "v"})
        run.flush()
        run.complete()
        assert run.get_metrics("accuracy") == {"accuracy": [0.9, 0.95]} and run.get_metrics()["table"] == {"a": 1}
        assert run.tags == run.get_tags() == {"k": "v"} and run.run_id.startswith("OfflineRun_")
        assert "Logged metric accuracy: 0.9\n" in capsys.readouterr().out

    def test_unless_that_is_unwanted(self) -> None:
        with pytest.raises(RunEnvironmentException, match="not a run of Airloom"):
            Run.get_context(allow_offline=False)
