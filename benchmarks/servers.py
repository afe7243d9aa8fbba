"""A server to measure on, and what is run on it: Airloom's chains of steps, and plain Airflow DAGs."""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import Pipeline, PipelineData, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.support.airflow_api import AirflowApi
from tests.support.server import running_server

_POLL_SECONDS = 0.05

SCRIPT = "import pathlib, sys\npathlib.Path(sys.argv[-1]).write_text('done')\n"
"""The least that a step which hands data on can do."""

_BASH_CHAIN = """\
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

with DAG({dag_id!r}, schedule=None):
    chain(*[BashOperator(task_id=f"task_{{n}}", bash_command={command!r}) for n in range({length})])
"""

_ONE_TASK = """\
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

with DAG({dag_id!r}, schedule=None):
    PythonOperator(task_id="nothing", python_callable=lambda: None)
"""


class Bench(NamedTuple):
    """A running server with a client of its two APIs, and a folder for the sources of steps."""

    ws: Workspace
    airflow: AirflowApi
    folder: Path
    home: Path

    def add_dag(self, dag_id: str, text: str) -> None:
        """Put a DAG file into the server's folder, and wait until Airflow has it."""
        (self.home / "airflow" / "dags" / f"{dag_id}.py").write_text(text.format(dag_id=dag_id))
        self.airflow.wait_for_dag(dag_id)

    def add_bash_chain(self, dag_id: str, length: int) -> None:
        """A plain Airflow DAG: a chain of BashOperators that start Python and do nothing."""
        command = f"{sys.executable} -c pass"
        text = _BASH_CHAIN.replace("{length}", str(length)).replace("{command!r}", repr(command))
        self.add_dag(dag_id, text)

    def add_one_task(self, dag_id: str) -> None:
        """The cheapest Airflow DAG that a worker runs: one PythonOperator that does nothing."""
        self.add_dag(dag_id, _ONE_TASK)

    def timed_dag(self, dag_id: str) -> float:
        """Seconds from the POST of a run of a plain DAG to its end, by Airflow's own clock for the end."""
        start = time.time()
        run_id = self.start_dag(dag_id)
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        while (run := self.airflow.get(path))["state"] not in ("success", "failed"):
            time.sleep(_POLL_SECONDS)
        if run["state"] == "failed":
            raise RuntimeError(f"the DAG {dag_id} failed: {self.airflow.task_states(dag_id, run_id)}")
        return instant(run["end_date"]) - start

    def start_dag(self, dag_id: str, run_conf: dict[str, str] | None = None) -> str:
        """Start a run of a DAG by Airflow's own API; returns its id."""
        body = {"logical_date": None, "conf": run_conf or {}}
        answer = self.airflow.post(f"/dags/{dag_id}/dagRuns", body).raise_for_status()
        return str(answer.json()["dag_run_id"])


@contextmanager
def bench(*options: str, prepare: Callable[[Path], object] | None = None) -> Iterator[Bench]:
    """A server that has run a step of each kind once, so that nothing is done for the first time when it counts.

    `prepare` gets the folder of the store before the server starts.
    """
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as name:
        folder = Path(name)
        if prepare is not None:
            prepare(folder / "home" / "store")
        with running_server(folder / "home", *options) as server, AirflowApi(server) as airflow:
            made = Bench(server.workspace(), airflow, folder, server.home)
            Chain(made, 1).timed()
            yield made


class Chain:
    """A chain of steps that each write one small file, reading that of the step before."""

    def __init__(self, bench: Bench, length: int) -> None:
        self._ws = bench.ws
        self._length = length
        self._source = bench.folder / uuid.uuid4().hex
        self._source.mkdir()
        # A comment of its own keeps the records of one chain apart from those of the others.
        (self._source / "step.py").write_text(f"# {uuid.uuid4()}\n{SCRIPT}")

    def submit(self) -> PipelineRun:
        """Submit the chain as one pipeline."""
        return Experiment(self._ws, "benchmark").submit(self.pipeline())

    def timed(self) -> float:
        """Seconds from the submit call to the end of the run, by Airflow's own clock for the end."""
        start = time.time()
        run = self.submit()
        run.wait_for_completion(show_output=False)
        return instant(run.get_details()["endTimeUtc"]) - start

    def pipeline(self) -> Pipeline:
        """The chain as a pipeline."""
        steps: list[PythonScriptStep] = []
        previous: list[PipelineData] = []
        for number in range(self._length):
            output = PipelineData(f"out_{number}")
            steps.append(
                PythonScriptStep(
                    "step.py",
                    name=f"step_{number}",
                    arguments=[*previous, output],
                    inputs=previous,
                    outputs=[output],
                    source_directory=str(self._source),
                )
            )
            previous = [output]
        return Pipeline(self._ws, steps)


def instant(text: str) -> float:
    """The moment of an ISO 8601 text, in seconds since 1970."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
