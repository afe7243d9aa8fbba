"""Pipeline.load_yaml and save: the YAML of v1 in a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from airloom.core import RunConfiguration, Workspace
from airloom.core.conda_dependencies import CondaDependencies
from airloom.exceptions import UserErrorException
from airloom.graph.model import PipelineGraph
from airloom.pipeline.core import Pipeline, PipelineParameter
from airloom.pipeline.core.graph import Graph
from airloom.pipeline.core.pipeline import save_yaml
from tests.unit.graph.graphs import graphs, text
from tests.unit.sdk_pipeline.builders import STORE, WORKSPACE, a_pipeline, a_reference, a_step, data, write
from tests.unit.sdk_pipeline.server import PipelineState

pytestmark = pytest.mark.usefixtures("scripts")

FILE = """
pipeline:
    data_references:
        raw: {datastore: workspaceblobstore, path_on_datastore: raw.csv}
    steps:
        Train:
            type: PythonScriptStep
            script_name: train.py
            source_directory: src
            runconfig: local.runconfig
            hash_paths: [lib]
            inputs: {raw: {source: raw}}
            arguments: [--in, input:raw]
"""


@pytest.fixture
def file(own_surroundings: Path) -> Path:
    """A pipeline file beside its source folder and its run configuration."""
    configuration = RunConfiguration(conda_dependencies=CondaDependencies.create(pip_packages=["pandas"]))
    configuration.max_run_duration_seconds = 30
    configuration.save(str(own_surroundings / "local.runconfig"))
    return write(own_surroundings / "pipeline.yml", FILE)


def test_a_file_is_a_pipeline(ws: Workspace, state: PipelineState, file: Path) -> None:
    pipeline = Pipeline.load_yaml(ws, file)
    (step,) = pipeline.graph.definition.steps
    assert step.settings.environment.packages == ("pandas",)
    assert step.settings.hash_paths == ("lib", "train.py")
    assert step.timeout_seconds == 30
    assert pipeline.validate() == []
    pipeline.submit("tests", continue_on_step_failure=True)
    assert state.submitted[0]["continue_on_step_failure"] is True
    assert step.settings.snapshot in state.snapshots


def test_paths_start_at_the_file(ws: Workspace, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Pipeline.load_yaml(ws, file).graph
    monkeypatch.chdir(tmp_path)
    assert Pipeline.load_yaml(ws, file).graph == expected


def test_errors_have_the_line(ws: Workspace, file: Path) -> None:
    file.write_text(FILE.replace("train.py", "trian.py"))
    with pytest.raises(UserErrorException, match=r"pipeline\.yml:9: The script 'trian\.py' of the step is not a file"):
        Pipeline.load_yaml(ws, file)
    file.write_text(FILE.replace("datastore: workspaceblobstore, path_on_datastore: raw.csv", "dataset_name: raw"))
    with pytest.raises(UserErrorException, match=r"pipeline\.yml:4: Workspace 'default' has no dataset 'raw'"):
        Pipeline.load_yaml(ws, file)


def test_a_saved_pipeline_is_the_same_pipeline(tmp_path: Path) -> None:
    model = data("model", datastore=STORE)
    a_step("prep", reads=[a_reference()], writes=[model], params={"n": PipelineParameter("n", 1)}, hash_paths=["lib"])
    train = a_step("train", reads=[model.as_download("m")], allow_reuse=False, timeout_seconds=5)
    notify = a_step("notify")
    notify.run_after(train)
    pipeline = a_pipeline(notify, description="all of it")
    saved = pipeline.save(tmp_path / "saved" / "p.yml")
    assert Pipeline.load_yaml(WORKSPACE, saved).graph == pipeline.graph
    assert str(Path("src").resolve()) in Path(saved).read_text()


def test_the_default_name_of_the_file(own_surroundings: Path) -> None:
    assert a_pipeline(a_step()).save() == "pipeline.yml"
    assert (own_surroundings / "pipeline.yml").is_file()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs(), text)
def test_whatever_holds_a_graph_saves_what_load_yaml_reads(tmp_path: Path, graph: PipelineGraph, name: str) -> None:
    """Runs, published pipelines and drafts save the graph that the server gives them in this way."""
    saved = save_yaml(Graph._of(graph, name).generate_yaml(), tmp_path / "saved.yml")
    loaded = Pipeline.load_yaml(WORKSPACE, saved)
    assert loaded.graph.definition == graph
    again = loaded.save(tmp_path / "again.yml")
    assert Pipeline.load_yaml(WORKSPACE, again).graph.definition == graph
