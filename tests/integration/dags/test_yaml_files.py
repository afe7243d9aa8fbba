"""Pipeline files in the DAG folder of a server: DAGs that nobody has submitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.dags.conftest import STEPS, script_of
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.integration

DAG = "team.automobile"


@pytest.fixture(scope="module")
def folder(airloom_server: RunningServer, project: Path) -> Path:
    """A folder below the server's DAG folder, with a link to the example and a file that is broken."""
    folder = airloom_server.home / "airflow" / "dags" / "team"
    folder.mkdir()
    (folder / "automobile.yml").symlink_to(project / "dags" / "automobile.yml")
    (folder / "broken.yml").write_text("pipeline:\n  steps:\n    a: {type: PythonScriptStep, scriptname: a.py}\n")
    return folder


@pytest.mark.usefixtures("folder")
def test_a_file_is_a_dag_whose_steps_are_reused(airflow: AirflowApi, project: Path) -> None:
    airflow.wait_for_dag(DAG)
    shown = airflow.get(f"/dags/{DAG}/details")
    assert (shown["dag_display_name"], shown["bundle_name"]) == ("automobile", "yaml-pipelines")
    first = airflow.trigger(DAG)
    assert airflow.task_states(DAG, first) == dict.fromkeys(["reuse", *STEPS], "success")
    script = script_of(project, "train_ridge")
    script.write_text(script.read_text().replace("ALPHA = 1.0", "ALPHA = 25.0"))
    second = airflow.task_states(DAG, airflow.trigger(DAG))
    assert {task for task, state in second.items() if state == "skipped"} == {"prepare", "train_forest"}
    third = airflow.task_states(DAG, airflow.trigger(DAG, test_share=0.5))
    assert set(third.values()) == {"success"}


def test_a_broken_file_is_one_import_error(airflow: AirflowApi, folder: Path) -> None:
    def errors() -> list[dict[str, str]]:
        return [each for each in airflow.get("/importErrors")["import_errors"] if "broken" in each["filename"]]

    eventually(lambda: len(errors()) == 1)
    (error,) = errors()
    assert error["filename"] == "team/broken.yml.py"
    assert (
        f"{folder}/broken.yml:3: Step 'a' has the unknown key 'scriptname'. Did you mean 'script_name'?"
        in (error["stack_trace"])
    )
    airflow.wait_for_dag(DAG)
    (folder / "broken.yml").unlink()
    eventually(lambda: errors() == [])


CLOCK = """
pipeline:
  parameters: {day: {type: string, default: none}}
  steps:
    tell: {type: PythonScriptStep, script_name: tell.py, source_directory: tell, arguments: [{source: day}]}
schedule:
  recurrence: {frequency: Day, interval: 1, start_time: __START__}
  pipeline_parameters: {day: "@formatDateTime(trigger().scheduledTime,'yyyy-MM-dd')"}
"""


def test_a_file_with_a_schedule_runs_by_itself(airflow: AirflowApi, folder: Path) -> None:
    """Its runs have the schedule's parameters, those that somebody starts the pipeline's own."""
    start = datetime.now(UTC) + timedelta(seconds=15)
    (folder / "tell").mkdir()
    (folder / "tell" / "tell.py").write_text("import sys; print('told of', sys.argv[1])")
    (folder / "clock.yml").write_text(CLOCK.replace("__START__", start.isoformat(timespec="seconds")[:19]))
    airflow.wait_for_dag("team.clock")

    def runs() -> list[dict[str, str]]:
        return list(airflow.get("/dags/team.clock/dagRuns")["dag_runs"])

    eventually(runs)
    (run,) = runs()
    assert (run["run_type"], run["logical_date"][:19]) == ("scheduled", start.isoformat()[:19])
    airflow.wait_for_run("team.clock", run["dag_run_id"])
    assert f"told of {start:%Y-%m-%d}" in airflow.log("team.clock", run["dag_run_id"], "tell")
    by_hand = airflow.trigger("team.clock")
    assert "told of none" in airflow.log("team.clock", by_hand, "tell")
    assert len(runs()) == 2
