"""A server of Airloom's own for benchmarks, and pipelines to run on it."""

from __future__ import annotations

import contextlib
import io
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import Pipeline, PipelineData, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.support.airflow_api import AirflowApi, eventually
from tests.support.server import RunningServer, running_server
from tests.support.small_pipeline import ensure_compute

BARE_DAG = "bare_one"
_BARE_FILE = f"""
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG({BARE_DAG!r}, schedule=None):
    BashOperator(task_id="one", bash_command="true")
"""


@dataclass(frozen=True)
class Server:
    """A server that is up, its clients, and a folder for source folders."""

    running: RunningServer
    workspace: Workspace
    airflow: AirflowApi
    folder: Path

    def chain(self, length: int, name: str) -> Pipeline:
        """A pipeline of steps that read what the one before wrote, and do nothing. Equal names, equal pipelines."""
        source = self.folder / name
        source.mkdir(exist_ok=True)
        (source / "main.py").write_text(f"# {name}\n")
        steps: list[PythonScriptStep] = []
        before: list[PipelineData] = []
        for number in range(length):
            out = PipelineData(f"out{number}", is_directory=True)
            steps.append(
                PythonScriptStep(
                    "main.py",
                    name=f"step{number}",
                    source_directory=str(source),
                    compute_target="test-cluster",
                    arguments=[out],
                    inputs=list(before),
                    outputs=[out],
                )
            )
            before = [out]
        return Pipeline(self.workspace, steps)

    def new_chain(self, length: int) -> Pipeline:
        """A chain like no other before."""
        return self.chain(length, uuid.uuid4().hex)

    def submit(self, pipeline: Pipeline) -> PipelineRun:
        """Submit, without the words for people."""
        with contextlib.redirect_stdout(io.StringIO()):
            return Experiment(self.workspace, "benchmark").submit(pipeline)

    def times(self, run: PipelineRun) -> Times:
        """When the parts of a submitted run took place; waits for its end."""
        return self.airflow_times(str(self.workspace._client.get_run(self.workspace.name, run.id)["dag_id"]), run.id)

    def trigger(self, dag: str) -> str:
        """Start a run of a DAG through Airflow's own API."""
        answer = self.airflow.post(f"/dags/{dag}/dagRuns", {"logical_date": None})
        return str(answer.raise_for_status().json()["dag_run_id"])

    def airflow_times(self, dag: str, run: str) -> Times:
        """When the parts of any run took place; waits for its end."""
        self.airflow.wait_for_run(dag, run)
        path = f"/dags/{dag}/dagRuns/{run}"
        tasks = self.airflow.get(f"{path}/taskInstances")["task_instances"]
        started = {task["task_id"]: _seconds(task["start_date"]) for task in tasks if task["start_date"]}
        return Times(started=started, ended=_seconds(self.airflow.get(path)["end_date"]))


@dataclass(frozen=True)
class Times:
    """Seconds since the epoch: when each task of a run started, and when the run ended."""

    started: dict[str, float]
    ended: float


@contextmanager
def embedded(prepare: Callable[[Path], Any] | None = None) -> Iterator[Server]:
    """A warm server in a folder of its own; `prepare` gets the store's folder before the start."""
    with tempfile.TemporaryDirectory(prefix="airloom-benchmark-") as folder:
        home = Path(folder) / "home"
        if prepare is not None:
            prepare(home / "store")
        with running_server(home) as running, AirflowApi(running) as airflow:
            (home / "airflow" / "dags" / "bare.py").write_text(_BARE_FILE)
            workspace = running.workspace()
            ensure_compute(workspace)
            server = Server(running, workspace, airflow, Path(folder))
            airflow.wait_for_dag(BARE_DAG)
            server.times(server.submit(server.new_chain(1)))
            server.airflow_times(BARE_DAG, server.trigger(BARE_DAG))
            yield server


def wait_until(condition: Callable[[], object]) -> None:
    """Return once the condition is true."""
    eventually(condition, 600)


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
