"""Submitted pipelines as DAGs of a running Airflow: versions, parameters, and workers that are lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import Pipeline, PipelineData, PipelineParameter, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from airloom.plugins.loader_files import loader_file
from airloom.storage.definitions import digest16_of_dag_id, shard_of
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer
from tests.support.small_pipeline import ensure_compute

pytestmark = pytest.mark.integration

PIDS_AND_ONE_LONG_SLEEP = """
import os, pathlib, sys, time
pids = pathlib.Path(sys.argv[1])
first = not pids.exists()
with pids.open("a") as file:
    file.write(f"{os.getpid()}\\n")
for out in sys.argv[2:]:
    pathlib.Path(out).write_text("unfinished")
time.sleep(600 if first else 0)
"""


def start(ws: Workspace, folder: Path, code: str, *arguments: object) -> PipelineRun:
    """Submit a pipeline of one step."""
    ensure_compute(ws)
    source = folder / "source"
    source.mkdir()
    (source / "main.py").write_text(code)
    step = PythonScriptStep(
        "main.py",
        name="step",
        source_directory=str(source),
        compute_target="test-cluster",
        arguments=list(arguments),
        outputs=[argument for argument in arguments if isinstance(argument, PipelineData)],
        allow_reuse=False,
    )
    return Experiment(ws, "submitted").submit(Pipeline(ws, [step]))


def dag_of(ws: Workspace, run: PipelineRun) -> str:
    return str(ws._client.get_run(ws.name, run.id)["dag_id"])


def hidden_files(server: RunningServer) -> set[Path]:
    """Outputs in the making, of all steps that are on their way."""
    return set(server.store.glob("workspaces/default/data/workspaceblobstore/azureml/.*"))


def test_parsing_again_makes_no_new_version(
    airloom_server: RunningServer, ws: Workspace, airflow: AirflowApi, tmp_path: Path
) -> None:
    """Each parse is by another process, with another order of hashes."""
    run = start(ws, tmp_path, "")
    run.wait_for_completion(show_output=False)
    dag = dag_of(ws, run)
    loader = airloom_server.home / "airflow" / "bundles" / "airloom" / loader_file(shard_of(digest16_of_dag_id(dag)))
    for _ in range(3):
        before = airflow.get(f"/dags/{dag}")["last_parsed_time"]
        os.utime(loader)
        eventually(lambda before=before: airflow.get(f"/dags/{dag}")["last_parsed_time"] != before)
    assert airflow.get(f"/dags/{dag}/dagVersions")["total_entries"] == 1


def test_airflow_itself_shows_checks_and_passes_on_parameters(
    ws: Workspace, airflow: AirflowApi, tmp_path: Path
) -> None:
    """As its form does it: a run that is triggered there is like one that is submitted."""
    run = start(ws, tmp_path, "import sys; print(sys.argv[1:])", PipelineParameter("depth", 3))
    dag = dag_of(ws, run)
    shown = airflow.get(f"/dags/{dag}/details")["params"]
    assert (shown["depth"]["value"], shown["depth"]["schema"]["type"]) == (3, "integer")
    assert shown["airloom.reuse"]["schema"]["enum"] == ["auto", "off", "refresh"]
    for wrong, word in (({"depth": "deep"}, "depth"), ({"airloom.reuse": "sometimes"}, "airloom.reuse")):
        refused = airflow.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": wrong})
        assert refused.status_code == 400
        assert word in refused.text
    triggered = airflow.trigger(dag, depth=5)
    assert triggered.startswith("manual__"), "an id that is no name of a folder"
    assert "['5']" in airflow.log(dag, triggered, "step")


def test_a_step_whose_task_is_killed_is_tried_again_and_leaves_nothing(
    airloom_server: RunningServer, ws: Workspace, tmp_path: Path
) -> None:
    """The script ends with the task that runs it, so that never two attempts of a step run at a time."""
    before = hidden_files(airloom_server)
    pids = tmp_path / "pids"
    run = start(ws, tmp_path, PIDS_AND_ONE_LONG_SLEEP, str(pids), PipelineData("out"))
    eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
    script = psutil.Process(int(pids.read_text()))
    guardian, task, *_ = script.parents()
    assert "guardian.py" in " ".join(guardian.cmdline())
    os.kill(task.pid, signal.SIGKILL)
    psutil.wait_procs([script, guardian], timeout=10)
    assert not script.is_running()
    run.wait_for_completion(show_output=False)
    assert run.get_status() == "Finished"
    assert len(pids.read_text().splitlines()) == 2
    assert hidden_files(airloom_server) <= before


def test_a_script_that_is_killed_is_not_tried_again(ws: Workspace, airflow: AirflowApi, tmp_path: Path) -> None:
    """It has mostly taken too much memory, and would again."""
    pids = tmp_path / "pids"
    run = start(ws, tmp_path, PIDS_AND_ONE_LONG_SLEEP, str(pids))
    eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
    os.kill(int(pids.read_text()), signal.SIGKILL)
    run.wait_for_completion(show_output=False, raise_on_error=False)
    assert run.get_status() == "Failed"
    assert len(pids.read_text().splitlines()) == 1
    assert "SIGKILL" in run.find_step_run("step")[0].get_job_log()
