"""What is refused, and in which words: the thing that is wrong, where it is, and what mends it.

Everything is tried on a running server, and nothing of a refused pipeline may be left there: no run, no experiment, no
definition, no DAG. Who may submit at all is the matter of tests/integration/api/test_authorization.py.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.exceptions import AzureMLException
from airloom.pipeline.core import Pipeline, PipelineData, PipelineParameter
from airloom.pipeline.steps import PythonScriptStep
from tests.support.airflow_api import AirflowApi
from tests.support.builders import a_graph, a_step
from tests.support.server import RunningServer
from tests.support.small_pipeline import ensure_compute

pytestmark = pytest.mark.integration

EXPERIMENT = "refused"
SCRIPT = "print('never')\n"


@pytest.fixture(scope="module")
def api(airloom_server: RunningServer) -> Iterator[AirflowApi]:
    with AirflowApi(airloom_server) as api:
        yield api


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source folder with the script main.py, beside a file that no pipeline may take along."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "main.py").write_text(SCRIPT)
    (tmp_path / "secret.py").write_text("secret")
    return folder


@pytest.fixture(autouse=True)
def nothing_is_left(airloom_server: RunningServer, ws: Workspace, api: AirflowApi) -> Iterator[None]:
    """The server knows the same things after a test as before it."""
    ensure_compute(ws)
    before = everything_known(airloom_server, ws, api)
    yield
    assert everything_known(airloom_server, ws, api) == before


def everything_known(server: RunningServer, ws: Workspace, api: AirflowApi) -> dict[str, Any]:
    return {
        "runs": {run["id"] for run in ws._client.list_runs(ws.name)},
        "experiments": {experiment["name"] for experiment in ws._client.list_experiments(ws.name)},
        "definitions": {file.name for file in server.store.glob("definitions/*")},
        "index": {file.name: file.read_bytes() for file in server.store.glob("index/*")},
        "dags": {dag["dag_id"] for dag in api.get("/dags?limit=1000")["dags"]},
        "Airflow's runs": api.get("/dags/~/dagRuns?limit=1")["total_entries"],
    }


def submit(ws: Workspace, *steps: PythonScriptStep, **options: Any) -> None:
    Experiment(ws, EXPERIMENT).submit(Pipeline(ws, list(steps)), **options)


def script_step(source: Path, **changes: Any) -> PythonScriptStep:
    fields = {"script_name": "main.py", "source_directory": str(source), "compute_target": "test-cluster", **changes}
    return PythonScriptStep(name=fields.pop("name", "train"), **fields)


# --- pipelines written with the SDK -----------------------------------------------------------------------------------

Case = tuple[Callable[[Workspace, Path], object], str]


def two_writers(ws: Workspace, source: Path) -> None:
    model = PipelineData("model")
    submit(ws, script_step(source, name="a", outputs=[model]), script_step(source, name="b", outputs=[model]))


def circle(ws: Workspace, source: Path) -> None:
    one, other = PipelineData("one"), PipelineData("other")
    submit(
        ws,
        script_step(source, name="first", inputs=[other], outputs=[one]),
        script_step(source, name="second", inputs=[one], outputs=[other]),
    )


def link_out_of_the_tree(ws: Workspace, source: Path) -> None:
    (source / "helper.py").symlink_to(source.parent / "secret.py")
    submit(ws, script_step(source))


def wrong_value(ws: Workspace, source: Path) -> None:
    rate = PipelineParameter("rate", 0.5)
    submit(ws, script_step(source, arguments=[rate]), pipeline_parameters={"rate": "fast"})


def misspelt_parameter(ws: Workspace, source: Path) -> None:
    rate = PipelineParameter("rate", 0.5)
    submit(ws, script_step(source, arguments=[rate]), pipeline_parameters={"rat": 0.1})


SDK_CASES: dict[str, Case] = {
    "a compute target that the workspace does not have": (
        lambda ws, source: submit(ws, script_step(source, compute_target="tset-cluster")),
        r"'train'.*'tset-cluster'.*Did you mean 'test-cluster'\?",
    ),
    "a script that is not in the source folder": (
        lambda ws, source: submit(ws, script_step(source, script_name="mian.py")),
        r"'mian\.py' of step 'train'.*It holds main\.py",
    ),
    "a script outside of the source folder": (
        lambda ws, source: submit(ws, script_step(source, script_name="../secret.py")),
        r"'train' must lie in .*'\.\./secret\.py'",
    ),
    "a source folder that does not exist": (
        lambda ws, source: submit(ws, script_step(source.parent / "nowhere")),
        "'.*nowhere' of step 'train' does not exist",
    ),
    "a symbolic link that leads out of the source folder": (
        link_out_of_the_tree,
        r"helper\.py leads to .*secret\.py, outside of",
    ),
    "steps that wait for each other": (circle, r"in a circle: 'second' -> 'first' -> 'second'.*Remove one of these"),
    "data in the arguments that is no input or output": (
        lambda ws, source: submit(ws, script_step(source, arguments=["--out", PipelineData("model")])),
        r"Argument 2 of step 'train' is PipelineData\('model'\), which is neither in inputs nor in outputs",
    ),
    "two steps that write the same data": (two_writers, r"Step 'a' and step 'b' both have PipelineData\('model'\)"),
    "a value of the wrong type for a parameter": (wrong_value, r"'rate' expects float .*'fast'"),
    "a value for a parameter that there is not": (misspelt_parameter, r"'rat'.*Did you mean 'rate'\?"),
    "a name of data that v1 refuses": (lambda ws, source: PipelineData("my-model"), "'my-model' of a PipelineData may"),
    "a name of an experiment that v1 refuses": (
        lambda ws, source: Experiment(ws, "a/b").submit(Pipeline(ws, [script_step(source)])),
        "'a/b' cannot be the name of the experiment. Allowed are",
    ),
    "a pipeline without steps": (lambda ws, source: submit(ws), "no steps"),
}


@pytest.mark.parametrize(("attempt", "words"), SDK_CASES.values(), ids=SDK_CASES.keys())
def test_a_pipeline_of_the_sdk(
    ws: Workspace, source: Path, attempt: Callable[[Workspace, Path], object], words: str
) -> None:
    with pytest.raises((AzureMLException, ValueError), match=f"(?s){words}"):
        attempt(ws, source)


@pytest.mark.parametrize(
    ("variable", "limit", "words"),
    [
        ("AIRLOOM_SNAPSHOT_MAX_FILES", "1", r"2 files.*AIRLOOM_SNAPSHOT_MAX_FILES"),
        ("AIRLOOM_SNAPSHOT_MAX_MB", "1", r"MB.*AIRLOOM_SNAPSHOT_MAX_MB"),
    ],
)
def test_a_source_folder_that_is_too_large(
    ws: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch, variable: str, limit: str, words: str
) -> None:
    (source / "large.bin").write_bytes(b"x" * 2_000_000)
    monkeypatch.setenv(variable, limit)
    with pytest.raises(AzureMLException, match=f"(?s){words}"):
        submit(ws, script_step(source))


# --- pipelines written as YAML ----------------------------------------------------------------------------------------

YAML = """\
pipeline:
  name: refused
  data_references:
    raw: {datastore: workspaceblobstore, path_on_datastore: raw}
  steps:
    train:
      type: PythonScriptStep
      script_name: main.py
      source_directory: source
      compute: test-cluster
      inputs: {raw: {source: raw}}
      outputs: {model: {destination: model}}
      arguments: ["input:raw", "output:model"]
"""
YAML_CASES = {
    "malformed": ("steps:", "steps: [", r"refused\.yml:7: This is not YAML: expected ',' or ']'"),
    "a misspelt key": ("script_name", "script_nam", r"refused.yml:8: .*'script_nam'.*'script_name'"),
    "an unknown datastore": (
        "workspaceblobstore",
        "workspacestore",
        r"'workspacestore'.*Did you mean 'workspacefilestore'",
    ),
    "an unknown source": ("source: raw}", "source: rwa}", r"refused.yml:11: .*'rwa'.*'raw'"),
    "an undeclared output": ("output:model", "output:modl", r"refused.yml:13: .*'output:modl'.*'model'"),
    "an unknown compute target": ("test-cluster", "tset-cluster", r"'tset-cluster'.*'test-cluster'"),
    "a script outside": ("main.py", "../secret.py", r"refused.yml:\d+: .*'\.\./secret.py'"),
    "an unknown type of step": ("PythonScriptStep", "PythonStep", r"refused.yml:7: .*'PythonStep'"),
}


@pytest.mark.parametrize(("old", "new", "words"), YAML_CASES.values(), ids=YAML_CASES.keys())
def test_a_pipeline_file(ws: Workspace, source: Path, old: str, new: str, words: str) -> None:
    assert old in YAML
    file = source.parent / "refused.yml"
    file.write_text(YAML.replace(old, new, 1))
    with pytest.raises(AzureMLException, match=f"(?s){words}"):
        Experiment(ws, EXPERIMENT).submit(Pipeline.load_yaml(ws, str(file)))


def test_the_command_says_it_without_a_traceback_and_with_status_1(airloom_server: RunningServer, source: Path) -> None:
    file = source.parent / "refused.yml"
    file.write_text(YAML.replace("test-cluster", "tset-cluster"))
    told = airloom_server.cli("submit", str(file), check=False)
    assert told.returncode == 1
    assert told.stdout == ""
    assert "Error: " in told.stderr
    assert "'tset-cluster'" in told.stderr
    assert "Traceback" not in told.stderr


# --- graphs by REST ---------------------------------------------------------------------------------------------------


def body(**changes: Any) -> bytes:
    graph = {**a_graph(a_step("train")).model_dump(mode="json"), **changes}
    return json.dumps({"graph": graph}).encode()


REST_CASES = {
    "no JSON": (b'{"graph": {"steps": [}}', 400, "not valid JSON: Expecting value at character 21"),
    "no graph": (b"{}", 400, "body.graph: Field required"),
    "a graph of a later format": (body(format=2), 400, "format 2.*newer version"),
    "a field that there is not": (body(stpes=[]), 400, "'stpes' is not a known field"),
    "steps that are no list": (body(steps="all"), 400, "'steps' is \"all\", but should be list"),
    "a source folder that was not uploaded": (body(), 400, "has not been uploaded"),
    "a body that is too large": (body(description="x" * 9 * 1024 * 1024), 413, "larger than 8 MiB.*max_graph_mb"),
}


@pytest.mark.parametrize(("content", "status", "words"), REST_CASES.values(), ids=REST_CASES.keys())
def test_a_graph_by_rest(api: AirflowApi, content: bytes, status: int, words: str) -> None:
    answer = api.send("POST", f"/airloom/api/v1/workspaces/default/experiments/{EXPERIMENT}/runs", content)
    assert answer.status_code == status
    assert re.search(words, answer.json()["Error"]["Message"])


# --- servers ----------------------------------------------------------------------------------------------------------


def config_for(folder: Path, endpoint: str, password: str) -> str:
    """A config.json that names another server or password."""
    names = {"subscription_id": "airloom", "resource_group": "local", "workspace_name": "default"}
    sign_in = {"endpoint": endpoint, "username": "admin", "password_file": "passwords.json"}
    (folder / "config.json").write_text(json.dumps({**names, "airloom": sign_in}))
    (folder / "passwords.json").write_text(json.dumps({"admin": password}))
    return str(folder / "config.json")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """The address that was tried is named, and how a server is started."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = f"http://127.0.0.1:{other.getsockname()[1]}"
    with pytest.raises(AzureMLException, match=f"{address}.*`airloom up`"):
        Workspace.from_config(config_for(tmp_path, address, "p"))


def test_a_password_that_is_wrong(airloom_server: RunningServer, tmp_path: Path) -> None:
    with pytest.raises(AzureMLException, match="user 'admin'") as refused:
        Workspace.from_config(config_for(tmp_path, airloom_server.url, "wrong-password"))
    assert "wrong-password" not in str(refused.value)
