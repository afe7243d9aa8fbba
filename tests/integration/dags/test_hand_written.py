"""dags/hand_written.py in the DAG folder of a server: a DAG that Airflow's own means run, clear and show.

The tests build on each other: the first run is made once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.dags.conftest import STEPS, script_of
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer

pytestmark = pytest.mark.integration

DAG = "hand_written"
ROOT = "skip_if_unchanged"


@pytest.fixture(scope="module")
def first_run(airloom_server: RunningServer, airflow: AirflowApi, project: Path) -> str:
    """The id of a first run; the file is linked into the DAG folder as its docstring says."""
    (airloom_server.home / "airflow" / "dags" / "hand_written.py").symlink_to(project / "dags" / "hand_written.py")
    airflow.wait_for_dag(DAG)
    return airflow.trigger(DAG)


def skipped(airflow: AirflowApi, run_id: str) -> set[str]:
    states = airflow.task_states(DAG, run_id)
    assert states.pop(ROOT) == "success"
    return {task for task, state in states.items() if state == "skipped"}


def test_the_first_run_executes_every_step(airflow: AirflowApi, first_run: str) -> None:
    assert airflow.task_states(DAG, first_run) == dict.fromkeys([ROOT, *STEPS], "success")
    assert "ridge: mean absolute error" in airflow.log(DAG, first_run, "train_ridge")


def test_the_second_run_skips_every_step(airflow: AirflowApi, first_run: str) -> None:
    run = airflow.trigger(DAG)
    assert skipped(airflow, run) == set(STEPS)
    assert "4 of 4 steps are unchanged." in airflow.log(DAG, run, ROOT)


def test_airflow_refuses_values_that_the_param_does_not_allow(airflow: AirflowApi, first_run: str) -> None:
    refused = airflow.post(f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": {"test_share": 2}})
    assert refused.status_code == 400
    assert "test_share" in refused.text


def test_clearing_one_reused_task_decides_about_it_again(airflow: AirflowApi, first_run: str) -> None:
    run = airflow.trigger(DAG)
    airflow.clear(DAG, run, "train_ridge")
    assert skipped(airflow, run) == set(STEPS)
    assert "reused from run hand_written.manual" in airflow.log(DAG, run, "train_ridge").lower()

    script = script_of_dag(airflow, "train_ridge")
    script.write_text(script.read_text() + "# edited\n")
    airflow.clear(DAG, run, "train_ridge")
    assert skipped(airflow, run) == {"prepare", "train_forest", "compare"}


def test_editing_a_script_runs_it_and_what_its_output_changes(airflow: AirflowApi, first_run: str) -> None:
    script = script_of_dag(airflow, "train_ridge")
    script.write_text(script.read_text().replace("ALPHA = 1.0", "ALPHA = 25.0"))
    assert skipped(airflow, airflow.trigger(DAG)) == {"prepare", "train_forest"}


def script_of_dag(airflow: AirflowApi, step: str) -> Path:
    file = Path(airflow.get(f"/dags/{DAG}/details")["fileloc"]).resolve()
    return script_of(file.parents[1], step)


MIXED = '''
"""A DAG of airflow in which a task of another kind writes what a step reads."""
import pathlib
from airflow.sdk import DAG, Param, TaskGroup, task
from airloom.graph.model import InputPath, OutputPath, ParameterValue
from airloom.operators import PythonScriptOperator, SkipIfUnchangedSensor

HERE = pathlib.Path(__file__).resolve().parent

with DAG("mixed", schedule=None, params={"text": "one", "mark": 1, "unused": Param([1, 2], type="array")}):
    @task
    def deliver(**context):
        pathlib.Path(__DATA__).write_text(context["params"]["text"])

    with TaskGroup("group"):
        first = PythonScriptOperator(
            task_id="first", script_name="copy.py", source_directory=HERE / "mixed",
            inputs={"raw": "workspaceblobstore/mixed.txt"}, outputs=["out"],
            arguments=[InputPath(port="raw"), OutputPath(port="out")],
        )
    second = PythonScriptOperator(
        task_id="second", script_name="copy.py", source_directory=HERE / "mixed",
        inputs={"raw": first.port("out")}, outputs=["out"],
        arguments=[InputPath(port="raw"), OutputPath(port="out"), ParameterValue(parameter="mark")],
    )
    [SkipIfUnchangedSensor(task_id="root"), deliver()] >> first
'''


def test_steps_stand_beside_tasks_of_other_kinds(airloom_server: RunningServer, airflow: AirflowApi) -> None:
    """A step is not skipped before a task that may change its input has run. Ports order steps, also across groups."""
    dags = airloom_server.home / "airflow" / "dags"
    data = airloom_server.store / "workspaces/default/data/workspaceblobstore/mixed.txt"
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text("one")
    (dags / "mixed").mkdir()
    (dags / "mixed" / "copy.py").write_text("import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])")
    (dags / "mixed.py").write_text(MIXED.replace("__DATA__", repr(str(data))))
    airflow.wait_for_dag("mixed")
    ran = {"root": "success", "deliver": "success", "group.first": "success", "second": "success"}
    assert airflow.task_states("mixed", airflow.trigger("mixed")) == ran
    both_skipped = {**ran, "group.first": "skipped", "second": "skipped"}
    for conf, states in (
        ({}, both_skipped),
        ({"mark": 2}, {**both_skipped, "second": "success"}),
        ({"airloom.reuse": "off"}, ran),
        ({"text": "two"}, ran),
    ):
        assert airflow.task_states("mixed", airflow.trigger("mixed", **conf)) == states, conf


WRONG = """
from airflow.sdk import DAG
from airloom.graph.model import InputPath
from airloom.operators import PythonScriptOperator

with DAG("wrong", schedule=None):
    PythonScriptOperator(
        task_id="step", script_name="copy.py", source_directory=__FOLDER__,
        arguments=[InputPath(port="raw")], inputs={"table": "blobstore/x"},
    )
"""


def test_a_step_that_cannot_run_says_why_at_once(
    airloom_server: RunningServer, airflow: AirflowApi, tmp_path: Path
) -> None:
    (tmp_path / "copy.py").write_text("")
    file = airloom_server.home / "airflow" / "dags" / "wrong.py"
    file.write_text(WRONG.replace("__FOLDER__", repr(str(tmp_path))))
    airflow.wait_for_dag("wrong")
    run = airflow.post("/dags/wrong/dagRuns", {"logical_date": None, "conf": {}}).json()["dag_run_id"]
    eventually(lambda: airflow.get(f"/dags/wrong/dagRuns/{run}")["state"] == "failed")
    assert airflow.get(f"/dags/wrong/dagRuns/{run}/taskInstances/step")["try_number"] == 1
    problems = airflow.get(f"/dags/wrong/dagRuns/{run}/taskInstances/step/logs/1")
    assert "is the path of input 'raw', which the step does not declare" in str(problems)
    assert "'blobstore'" in str(problems)
