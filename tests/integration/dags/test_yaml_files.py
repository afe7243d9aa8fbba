"""Pipeline files in the DAG folder of a server: DAGs that nobody has submitted."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.dags.conftest import STEPS
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.integration

DAG = "team.words"
WORDS = """
pipeline:
  name: Words
  parameters: {ending: {type: string, default: s}}
  steps:
    write:
      type: PythonScriptStep
      script_name: write.py
      source_directory: words/write
      outputs: {word: {}}
      arguments: ["output:word"]
    end:
      type: PythonScriptStep
      script_name: end.py
      source_directory: words/end
      inputs: {word: {source: word}}
      arguments: ["input:word", {source: ending}]
"""


@pytest.fixture(scope="module")
def folder(airloom_server: RunningServer, project: Path) -> Path:
    """A folder below the server's DAG folder: a pipeline, a link to the example, and a file that is broken."""
    folder = airloom_server.home / "airflow" / "dags" / "team"
    for name, code in (
        ("write", f"# {uuid.uuid4()}\nimport sys; open(sys.argv[1], 'w').write('car')"),
        ("end", "import sys; print('many', open(sys.argv[1]).read() + sys.argv[2])"),
    ):
        (folder / "words" / name).mkdir(parents=True)
        (folder / "words" / name / f"{name}.py").write_text(code)
    (folder / "words.yml").write_text(WORDS)
    (folder / "automobile.yml").symlink_to(project / "dags" / "automobile.yml")
    (folder / "broken.yml").write_text("pipeline:\n  steps:\n    a: {type: PythonScriptStep, scriptname: a.py}\n")
    return folder


def test_a_file_is_a_dag_whose_steps_are_reused(airflow: AirflowApi, folder: Path) -> None:
    airflow.wait_for_dag(DAG)
    shown = airflow.get(f"/dags/{DAG}/details")
    assert (shown["dag_display_name"], shown["bundle_name"]) == ("Words", "yaml-pipelines")
    first = airflow.trigger(DAG)
    assert airflow.task_states(DAG, first) == dict.fromkeys(["reuse", "write", "end"], "success")
    assert "many cars" in airflow.log(DAG, first, "end")
    script = folder / "words" / "end" / "end.py"
    script.write_text(script.read_text().replace("many", "all"))
    edited = airflow.trigger(DAG)
    assert airflow.task_states(DAG, edited) == {"reuse": "success", "write": "skipped", "end": "success"}
    other = airflow.trigger(DAG, ending="ts")
    assert "all carts" in airflow.log(DAG, other, "end")


@pytest.mark.usefixtures("folder")
def test_the_example_is_a_dag_too(airflow: AirflowApi) -> None:
    """Its source folders lie where the link leads."""
    airflow.wait_for_dag("team.automobile")
    tasks = airflow.get("/dags/team.automobile/tasks")["tasks"]
    assert {task["task_id"] for task in tasks} == {"reuse", *STEPS}


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
