"""Pipelines as YAML files in a folder: a loader and a DAG each, and errors that stay with their file."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airloom.errors import InvalidGraph
from airloom.execution import RunInfo
from airloom.graph.model import ParameterDef
from airloom.operators.firing import FiredWith
from airloom.operators.skip_if_unchanged import SkipIfUnchangedSensor
from airloom.operators.step import StepOperator
from airloom.plugins.timetables import RecurrenceTimetable
from airloom.plugins.yaml_bundle import YamlDagBundle
from airloom.plugins.yaml_dags import dag_id_of_file, load_file
from tests.support.builders import a_graph

PRICES = """
pipeline:
  name: Prices
  description: what cars cost
  continue_on_step_failure: true
  parameters:
    rate: {type: float, default: 0.5}
  default_compute: cpu
  steps:
    prepare: {type: PythonScriptStep, script_name: main.py, source_directory: src, outputs: {out: {}}}
    train:
      type: PythonScriptStep
      script_name: main.py
      source_directory: src
      retries: 2
      inputs: {data: {source: out}}
      arguments: ["input:data", {source: rate}]
"""


@pytest.fixture
def folder(store: str, tmp_path: Path) -> Path:
    """A DAG folder with one pipeline, its scripts, and YAML of other kinds."""
    folder = tmp_path / "dags"
    for name in ("src", "team/src", ".git"):
        (folder / name).mkdir(parents=True)
    for script in (folder / "src" / "main.py", folder / "team" / "src" / "main.py"):
        script.write_text("print(1)")
    (folder / "prices.yml").write_text(PRICES)
    (folder / "team" / "second.yaml").write_text(PRICES)
    (folder / "conda.yml").write_text("name: env\ndependencies: [python=3.11]\n")
    (folder / ".git" / "old.yml").write_text(PRICES)
    return folder


@pytest.fixture
def bundle(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YamlDagBundle:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    bundle = YamlDagBundle(name="yaml", folder=str(folder))
    bundle.initialize()
    return bundle


def loaders(bundle: YamlDagBundle) -> set[str]:
    return {str(path.relative_to(bundle.path)) for path in bundle.path.rglob("*") if path.is_file()}


def parsed(bundle: YamlDagBundle) -> DagBag:
    """What Airflow finds in the folder of the loaders."""
    bundle.refresh()
    return DagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)


def the_error(bundle: YamlDagBundle) -> tuple[str, str]:
    """The file and the last line of the one import error."""
    ((file, trace),) = parsed(bundle).import_errors.items()
    return Path(file).name, trace.strip().splitlines()[-1]


class TestBundle:
    def test_each_pipeline_file_has_a_loader_and_other_yaml_has_none(self, bundle: YamlDagBundle) -> None:
        assert loaders(bundle) == {"prices.yml.py", "team/second.yaml.py"}
        assert set(parsed(bundle).dags) == {"prices", "team.second"}

    def test_the_loader_shows_the_text(self, bundle: YamlDagBundle) -> None:
        assert "#   name: Prices\n" in (bundle.path / "prices.yml.py").read_text()

    def test_only_what_has_changed_is_written(self, bundle: YamlDagBundle, folder: Path) -> None:
        for name in loaders(bundle):
            os.utime(bundle.path / name, (1, 1))
        (folder / "prices.yml").write_text(PRICES.replace("0.5", "0.25"))
        bundle.refresh()
        assert {name for name in loaders(bundle) if (bundle.path / name).stat().st_mtime != 1} == {"prices.yml.py"}

    def test_a_file_that_cannot_be_read_is_left_out(self, bundle: YamlDagBundle, folder: Path) -> None:
        (folder / "nowhere.yml").symlink_to(folder / "gone.yml")
        (folder / "folder.yml").mkdir()
        (folder / "team" / "second.yaml").unlink()
        (folder / "team" / "second.yaml").mkdir()
        bundle.refresh()
        assert loaders(bundle) == {"prices.yml.py"}

    def test_a_file_that_is_gone_has_no_loader(self, bundle: YamlDagBundle, folder: Path) -> None:
        (folder / "team" / "second.yaml").unlink()
        bundle.refresh()
        assert loaders(bundle) == {"prices.yml.py"}

    def test_a_broken_file_harms_no_other(self, bundle: YamlDagBundle, folder: Path) -> None:
        (folder / "prices.yml").write_text(PRICES.replace("script_name", "scriptname", 1))
        assert the_error(bundle) == (
            "prices.yml.py",
            f"airloom.errors.InvalidGraph: {folder / 'prices.yml'}:10: Step 'prepare' has the unknown key "
            "'scriptname'. Did you mean 'script_name'?",
        )
        assert set(parsed(bundle).dags) == {"team.second"}

    @pytest.mark.parametrize(
        ("before", "after", "complaint"),
        [
            ("  steps:", "  steps: [", ":11: This is not YAML"),
            ("source_directory: src", "source_directory: gone", ":10: The source_directory .* does not exist"),
            ("main.py", "mian.py", ":10: The script 'mian.py' of the step is not a file"),
            ("retries: 2", "retries: 200", "prices.yml: The number of retries of step 'train' is 200"),
            ("PythonScriptStep", "AdlaStep", "type AdlaStep, which is not available"),
            ("{source: rate}", "{source: rat}", "Did you mean 'rate'"),
        ],
    )
    def test_what_is_wrong_is_told(
        self, bundle: YamlDagBundle, folder: Path, before: str, after: str, complaint: str
    ) -> None:
        (folder / "prices.yml").write_text(PRICES.replace(before, after, 1))
        name, error = the_error(bundle)
        assert name == "prices.yml.py"
        assert re.search(complaint, error)

    def test_two_files_of_one_id(self, bundle: YamlDagBundle, folder: Path) -> None:
        (folder / "team.second.yml").write_text(PRICES)
        name, error = the_error(bundle)
        assert name == "team.second.yml.py"
        assert "would have the id 'team.second', and so has that of" in error

    def test_no_text_breaks_out_of_its_loader(self, bundle: YamlDagBundle, folder: Path) -> None:
        odd = 'a "b""" \\ {c}.yml'
        text = PRICES.replace("what cars cost", '"what\u2028raise SystemExit\u2029raise SystemExit {x}"')
        (folder / odd).write_text(f'{text}# """\n# raise SystemExit \\\n# """', encoding="utf-8")
        found = parsed(bundle)
        assert found.import_errors == {}
        assert len(found.dags) == 3


class TestDag:
    @pytest.fixture
    def dag(self, folder: Path) -> DAG:
        return load_file(str(folder / "prices.yml"), "prices")

    def test_it_is_like_that_of_a_submitted_pipeline(self, dag: DAG) -> None:
        assert (dag.dag_id, dag.dag_display_name, dag.description) == ("prices", "Prices", "what cars cost")
        assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
            "reuse": set(),
            "prepare": {"reuse"},
            "train": {"prepare"},
        }
        assert dag.params["rate"] == 0.5
        assert dag.params.get_param("airloom.reuse").schema["enum"] == ["auto", "off", "refresh"]
        assert {task.pool for task in dag.tasks if task.task_id != "reuse"} == {"default.cpu"}
        assert dag.get_task("train").retries == 4
        assert dag.get_task("train").definition.graph.continue_on_step_failure

    def test_the_file_may_be_a_link(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "link.yml").symlink_to(folder / "prices.yml")
        assert load_file(str(tmp_path / "link.yml"), "link").get_task("train").source_directory == folder / "src"

    def test_a_snapshot_needs_no_folder(self, folder: Path) -> None:
        text = PRICES.replace("source_directory: src", f"snapshot: {'ab' * 32}", 1)
        (folder / "prices.yml").write_text(text)
        dag = load_file(str(folder / "prices.yml"), "prices")
        assert dag.get_task("prepare").source_directory is None
        assert dag.get_task("prepare").definition.graph.step("prepare").settings.snapshot == "ab" * 32


@pytest.mark.parametrize(
    ("file", "dag_id"), [("a.yml", "a"), ("team/a b.yaml", "team.a-b"), ("x/y/z.v2.yml", "x.y.z.v2")]
)
def test_ids(file: str, dag_id: str) -> None:
    assert dag_id_of_file(Path("/dags") / file, Path("/dags")) == dag_id


class TestSchedule:
    SCHEDULE = "schedule:\n  recurrence: {frequency: Day, interval: 1, time_of_day: 06:30, time_zone: UTC}\n"

    def dag(self, folder: Path, more: str = "") -> DAG:
        (folder / "prices.yml").write_text(PRICES + self.SCHEDULE + more)
        return load_file(str(folder / "prices.yml"), "prices")

    def test_it_is_the_timetable_of_the_dag(self, folder: Path) -> None:
        dag = self.dag(folder)
        assert isinstance(dag.timetable, RecurrenceTimetable)
        assert dag.timetable.clock.recurrence.time_of_day == "06:30"
        assert dag.catchup is False
        stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert stored.timetable.serialize() == dag.timetable.serialize()

    def test_its_parameters_are_those_of_runs_that_it_makes(self, folder: Path) -> None:
        dag = self.dag(folder, "  pipeline_parameters: {rate: 0.25}\n  continue_on_step_failure: false\n")
        assert dag.params["rate"] == 0.5, "a run that somebody starts has the pipeline's own default"
        for task in dag.tasks:
            assert isinstance(task, StepOperator | SkipIfUnchangedSensor) and task.fired_with is not None
            scheduled = self.applied(task.fired_with, "scheduled")
            assert (scheduled.parameters, scheduled.continue_on_step_failure) == ({"rate": 0.25}, False)
            by_hand = self.applied(task.fired_with, "manual")
            assert (by_hand.parameters, by_hand.continue_on_step_failure) == ({"rate": 0.5}, None)

    def test_expressions_are_those_of_the_instant(self) -> None:
        fired = FiredWith({"day": "@formatDateTime(trigger().scheduledTime,'yyyy-MM-dd')"})
        graph = a_graph(parameters=(ParameterDef(name="day", type="string", default=""),))
        assert fired.values(graph, datetime(2026, 7, 1, tzinfo=UTC)) == {"day": "2026-07-01"}

    @pytest.mark.parametrize(
        ("more", "complaint"),
        [
            ("  pipeline_parameters: {rat: 1}", "There is no pipeline parameter 'rat'. Did you mean 'rate'"),
            ("  pipeline_parameters: {rate: often}", "Parameter 'rate' expects float"),
            ("  pipeline_parameters: {rate: '@now()'}", "Parameter 'rate': "),
            ("  hours: [1]", "unknown key 'hours'"),
        ],
    )
    def test_what_is_wrong_with_it(self, folder: Path, more: str, complaint: str) -> None:
        with pytest.raises(InvalidGraph, match=r"prices\.yml:\d+: .*" + re.escape(complaint)):
            self.dag(folder, more)

    def test_a_recurrence_that_makes_no_sense(self, folder: Path) -> None:
        (folder / "prices.yml").write_text(PRICES + self.SCHEDULE.replace("Day", "Minute"))
        with pytest.raises(InvalidGraph, match=r"prices\.yml:19: .*time_of_day"):
            load_file(str(folder / "prices.yml"), "prices")

    @staticmethod
    def applied(fired_with: FiredWith, run_type: str) -> RunInfo:
        dag_run = SimpleNamespace(run_type=run_type, logical_date=datetime(2026, 7, 1, tzinfo=UTC))
        graph = a_graph(parameters=(ParameterDef(name="rate", type="float", default=0.5),))
        run = RunInfo("default", "prices", "run", {"rate": 0.5}, "auto", "2026-07-01T00:00:00Z")
        return fired_with.applied_to(run, graph, {"dag_run": dag_run})
