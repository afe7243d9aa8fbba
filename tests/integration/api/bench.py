"""A workspace with one pipeline, whose runs a test moves on.

The server runs without scheduler and workers. A DAG file written by the test stands in for the bundle, and
`airflow_side` does by hand what tasks would; so every state of a run can be looked at for as long as it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from airloom.client import Client
from airloom.graph.canonical import digest_bytes
from airloom.graph.model import (
    Definition,
    ParameterDef,
    ParameterValue,
    PipelineGraph,
    PythonScriptSettings,
)
from airloom.graph.results import Explanation, Origin, OutputRef, Reason, StepResult
from airloom.plugins.loader_files import loader_file
from airloom.reuse.plan import Plan
from airloom.storage.definitions import dag_id as dag_id_of
from airloom.storage.definitions import digest16_of_dag_id, shard_of
from airloom.storage.object_store import open_store
from airloom.storage.tree import TreeEntry, TreeManifest
from airloom.storage.workspace import WorkspaceStore
from tests.integration.api.server import STAND_IN_BUNDLE, ApiServer
from tests.support.builders import a_graph, a_path, a_step

SCRIPT = b"print('hello')"
WORKSPACE = "runs"
EXPERIMENT = "first try"

DAG_FILE = """
from airflow.sdk import DAG, Param
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG({dag_id!r}, schedule=None, is_paused_upon_creation=False, params={{
    "rate": Param(10, type="integer", maximum=100),
    "airloom.reuse": Param("auto", enum=["auto", "off", "refresh"]),
}}):
    root = EmptyOperator(task_id="reuse")
    prepare = EmptyOperator(task_id="prepare")
    root >> prepare >> EmptyOperator(task_id="train")
"""


def graph(**changes: Any) -> PipelineGraph:
    """Two steps that run one script; `rate` may be anything here, but Airflow takes no more than 100."""
    settings = PythonScriptSettings(script_name="main.py", snapshot=manifest().digest)
    fields: dict[str, Any] = {
        "parameters": (ParameterDef(name="rate", type="int", default=10),),
        "sources": {"raw": a_path("workspaceblobstore/raw")},
    }
    return a_graph(
        a_step("prepare", reads=("raw",), name="Prepare data", settings=settings),
        a_step("train", reads=("prepare.out",), settings=settings, params={"rate": ParameterValue(parameter="rate")}),
    ).model_copy(update={**fields, **changes})


def manifest() -> TreeManifest:
    return TreeManifest(entries=(TreeEntry(path="main.py", size=len(SCRIPT), digest=digest_bytes(SCRIPT)),))


def as_body(pipeline: PipelineGraph, **fields: Any) -> dict[str, Any]:
    return {"graph": pipeline.model_dump(mode="json"), **fields}


@dataclass
class Bench:
    """A workspace whose one pipeline Airflow knows, and all that it takes to move its runs on."""

    server: ApiServer
    client: Client
    dag_id: str
    stand_ins: frozenset[str]

    def submit(self, **fields: Any) -> str:
        return str(self.client.submit_run(WORKSPACE, EXPERIMENT, as_body(graph(), **fields))["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        return self.client.get_run(WORKSPACE, run_id)

    def steps(self, run_id: str) -> dict[str, dict[str, Any]]:
        return {step["step_id"]: step for step in self.client.list_steps(WORKSPACE, run_id)}

    def set(self, run_id: str, run: str | None = None, **tasks: str) -> None:
        self.server.act("set_states", run_id=run_id, tasks=tasks, run=run)

    def push(self, run_id: str, task_id: str, key: str, value: Plan | StepResult) -> None:
        self.server.act("push", run_id=run_id, task_id=task_id, key=key, value=value.model_dump(mode="json"))

    def parse(self, dag: str, times: int) -> None:
        """Let Airflow parse the file of a submitted DAG, as its DAG processor does.

        By chance it may be the file of a stand-in too, which is put back then.
        """
        file = loader_of(dag)
        self.server.act("parse", bundle="airloom", file=file, times=times)
        if file in map(loader_of, self.stand_ins):
            serialize_stand_ins(self.server)

    @property
    def storage(self) -> WorkspaceStore:
        return WorkspaceStore(open_store(self.server.store.as_uri()), WORKSPACE)


def set_up(server: ApiServer) -> Bench:
    """Make the workspace, upload the source folder, and let Airflow have the DAGs."""
    client = server.client("user")
    server.client("admin").create_workspace({"name": WORKSPACE})
    client_upload(client)
    dags = {experiment: expected_dag_id(server, experiment) for experiment in (EXPERIMENT, "secret")}
    for dag_id in dags.values():
        (server.home / "dags" / f"{dag_id.replace('.', '_')}.py").write_text(DAG_FILE.format(dag_id=dag_id))
    serialize_stand_ins(server)
    return Bench(server, client, dags[EXPERIMENT], frozenset(dags.values()))


def serialize_stand_ins(server: ApiServer) -> None:
    """Let Airflow have the DAGs that the tests have written."""
    server.airflow("dags", "reserialize", "--bundle-name", STAND_IN_BUNDLE)


def loader_of(dag: str) -> str:
    """The file of the bundle that holds a DAG."""
    return loader_file(shard_of(digest16_of_dag_id(dag)))


def expected_dag_id(server: ApiServer, experiment: str) -> str:
    """The DAG id that the server will give to the graph."""
    return dag_id_of(
        Definition(
            workspace=WORKSPACE,
            experiment=experiment,
            store=server.store.as_uri(),
            default_datastore="workspaceblobstore",
            graph=graph(),
        )
    )


def client_upload(client: Client, workspace: str = WORKSPACE) -> None:
    list(client.upload_blobs(workspace, [(digest_bytes(SCRIPT), SCRIPT)]))
    client.put_snapshot(workspace, manifest().digest, manifest().model_dump(mode="json"))


def explanation(step_id: str, reason: Reason, **fields: Any) -> Explanation:
    action: Literal["reused", "executed"] = "executed"
    if reason in (Reason.UNCHANGED, Reason.EARLY_CUTOFF):
        action = "reused"
    return Explanation(step_id=step_id, name=step_id, action=action, reason=reason, message=f"{reason}.", **fields)


OUTPUT = OutputRef(datastore="workspaceblobstore", path="azureml/x", digest="1" * 64, size=3, is_file=False)
ORIGIN = Origin(run_id="earlier", step_id="prepare", attempt="1-aaaa")
