"""A published pipeline on a running server, schedules that watch a folder for it, and what was handed over to runs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.core import RunConfiguration
from airloom.data.datapath import DataPath, DataPathComputeBinding
from airloom.execution.names import RUN_KEY
from airloom.pipeline.core import Pipeline, PipelineParameter
from airloom.pipeline.steps import PythonScriptStep
from airloom.storage.handed_over import HandOverStore
from airloom.storage.local import LocalStore
from tests.support.airflow_api import AirflowApi
from tests.support.server import RunningServer

DATASTORE = "workspaceblobstore"
PARAMETER = "data"
SECONDS = 2.0
POLL_MINUTES = SECONDS / 60
SCRIPT = """\
import os, pathlib, sys

path = os.environ.get("AIRLOOM_CHANGED_FILES")
print(open(path).read() if path else "{}")
print(sorted(file.name for file in pathlib.Path(sys.argv[1]).iterdir()))
"""


@dataclass(frozen=True)
class Watched:
    """One schedule, the pipeline that it runs, and the folder that it watches."""

    server: RunningServer
    airflow: AirflowApi
    folder: Path
    schedule_id: str
    dag_id: str
    schedule_dag_id: str

    @property
    def memory(self) -> HandOverStore:
        """What the schedule remembers, read from the store."""
        return HandOverStore(LocalStore(self.server.store), self.schedule_id)

    def drop(self, names: Iterable[str], text: str = "") -> None:
        """Make or replace files in the folder, each at once and whole, as a careful writer does."""
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".airloom-tmp-{path.name}")
            temporary.write_text(text or name)
            os.replace(temporary, path)

    def ask(self, what: str = "") -> dict[str, Any]:
        """What the API tells of the schedule, or of something below it."""
        found: dict[str, Any] = json.loads(
            _send(self.airflow, "GET", f"schedules/{self.schedule_id}/{what}".rstrip("/"))
        )
        return found

    def set_status(self, status: str) -> None:
        """Enable or disable the schedule."""
        _send(self.airflow, "PATCH", f"schedules/{self.schedule_id}", {"status": status})

    def runs(self) -> list[dict[str, Any]]:
        """What Airflow says of all runs of the pipeline that this schedule has started."""
        found: list[dict[str, Any]] = []
        while True:
            where = f"/dags/{self.dag_id}/dagRuns?limit=100&offset={len(found)}&order_by=id"
            page = self.airflow.get(where)["dag_runs"]
            found += page
            if len(page) < 100:
                break
        return [run for run in found if run["conf"].get(RUN_KEY, {}).get("schedule_id") == self.schedule_id]

    def handed_over(self) -> Counter[str]:
        """How often each file (relative to the folder) was handed over to a run that Airflow has."""
        counted: Counter[str] = Counter()
        for run in self.runs():
            told = run["conf"][RUN_KEY]["changes"]
            paths = told["paths"]
            if told["count"] > len(paths):
                batch = self.memory.batch(told["batch"])
                assert batch is not None
                paths = batch.paths
            assert len(paths) == told["count"]
            counted.update(path.removeprefix(f"{self.folder.name}/") for path in paths)
        return counted


def publish(server: RunningServer, folder: Path, name: str) -> dict[str, Any]:
    """A pipeline of one step that takes a folder or file; it has a run already, of which it is published."""
    ws = server.workspace()
    folder.mkdir()
    (folder / "step.py").write_text(SCRIPT)
    root = Path(ws.get_default_datastore().root)  # type: ignore[attr-defined]
    (root / name).mkdir(parents=True)
    (root / name / "there before").write_text("")
    path = PipelineParameter(name=PARAMETER, default_value=DataPath(ws.get_default_datastore(), name))
    taken = (path, DataPathComputeBinding(mode="mount"))
    step = PythonScriptStep(
        name="take",
        script_name="step.py",
        source_directory=str(folder),
        arguments=[taken],
        inputs=[taken],
        runconfig=RunConfiguration(),
        allow_reuse=False,  # the list of changes does not count for reuse
    )
    run = Pipeline(ws, steps=[step]).submit("watching")
    with AirflowApi(server) as api:
        found: dict[str, Any] = json.loads(_send(api, "POST", "pipelines", {"run_id": run.id, "name": name}))
        return found


@contextmanager
def watch(server: RunningServer, pipeline: dict[str, Any], name: str, path: str, **data: Any) -> Iterator[Watched]:
    """A schedule that looks at a path every two seconds, and a client of its own."""
    body = {
        "name": name,
        "pipeline_id": pipeline["id"],
        "experiment": "watching",
        "data": {
            "datastore": DATASTORE,
            "path": path,
            "polling_interval": POLL_MINUTES,
            "data_path_parameter_name": PARAMETER,
            **data,
        },
    }
    root = Path(server.workspace().datastores[DATASTORE].root)  # type: ignore[attr-defined]
    with AirflowApi(server) as api:
        made = json.loads(_send(api, "POST", "schedules", body))
        yield Watched(server, api, root / path.partition("/")[0], made["id"], pipeline["dag_id"], made["dag_id"])


def pause(server: RunningServer, dag_id: str) -> None:
    """Let the runs of a DAG wait, when it is enough that there are such runs."""
    with AirflowApi(server) as api:
        api.send("PATCH", f"/api/v2/dags/{dag_id}", b'{"is_paused": true}').raise_for_status()


def _send(api: AirflowApi, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    answer = api.send(method, f"/airloom/api/v1/workspaces/default/{path}", content)
    assert answer.is_success, answer.text
    return answer.content
