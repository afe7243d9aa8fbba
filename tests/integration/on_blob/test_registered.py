"""A registered datastore in a real run: steps, and the trigger of a schedule, get its credentials from Airflow."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

from airloom.core import Datastore, Experiment, Workspace
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.data_reference import DataReference
from airloom.data.datapath import DataPath, DataPathComputeBinding
from airloom.pipeline.core import Pipeline, PipelineData, PipelineParameter, PipelineRun, Schedule
from airloom.pipeline.steps import PythonScriptStep
from tests.integration.on_blob.conftest import OnBlob
from tests.support.azurite import ACCOUNT
from tests.support.small_pipeline import ensure_compute

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

SCRIPT = """
import pathlib, sys
found, out = map(pathlib.Path, sys.argv[1:3])
text = found.read_text() if found.is_file() else "".join(file.read_text() for file in sorted(found.iterdir()))
(out / "loud.txt").write_text(text.upper())
"""
WRONG_KEY = base64.b64encode(b"not the key").decode()


def register(ws: Workspace, on_blob: OnBlob, name: str, key: str, prefix: str, **options: bool) -> AbstractDatastore:
    return Datastore.register_azure_blob_container(
        ws,
        name,
        on_blob.address.container,
        ACCOUNT,
        account_key=key,
        endpoint=on_blob.azurite.endpoint,
        prefix=prefix,
        **options,
    )


def pipeline(ws: Workspace, folder: Path, source: object, out: PipelineData) -> Pipeline:
    ensure_compute(ws, "test-cluster")
    folder.mkdir(exist_ok=True)
    (folder / "loud.py").write_text(SCRIPT)
    step = PythonScriptStep(
        name="loud",
        script_name="loud.py",
        source_directory=str(folder),
        arguments=[source, out],
        inputs=[source],
        outputs=[out],
        compute_target="test-cluster",
    )
    return Pipeline(ws, steps=[step])


def text_of(on_blob: OnBlob, run: PipelineRun, prefix: str) -> str:
    reference = run.find_step_run("loud")[0].get_output_data("out")
    (name,) = on_blob.names(f"{prefix}/{reference.path_on_datastore}/")
    return on_blob.read(name).decode()


def test_a_step_reads_and_writes_with_the_credentials_of_the_registration(
    on_blob: OnBlob, ws: Workspace, tmp_path: Path
) -> None:
    mine = register(ws, on_blob, "mine", on_blob.azurite.key, "elsewhere")
    on_blob.write("elsewhere/in/a.txt", b"quiet ")
    on_blob.write("elsewhere/in/b.txt", b"words")
    source = DataReference(mine, data_reference_name="found", path_on_datastore="in")
    graph = pipeline(ws, tmp_path / "src", source, PipelineData("out", datastore=mine, is_directory=True))
    experiment = Experiment(ws, "registered")

    # With another key nothing can be read, although the environment has one that would open the container.
    register(ws, on_blob, "mine", WRONG_KEY, "elsewhere", overwrite=True, skip_validation=True)
    refused = experiment.submit(graph)
    refused.wait_for_completion(show_output=False, raise_on_error=False)
    assert refused.get_status() == "Failed"

    register(ws, on_blob, "mine", on_blob.azurite.key, "elsewhere", overwrite=True)
    run = experiment.submit(graph)
    assert run.wait_for_completion(show_output=False) == "Finished"
    assert text_of(on_blob, run, "elsewhere") == "QUIET WORDS"
    again = experiment.submit(graph)
    again.wait_for_completion(show_output=False)
    assert again.find_step_run("loud")[0].is_reused
    logs = "".join(file.read_text(errors="replace") for file in on_blob.server.home.glob("logs/**/*.log"))
    assert "refuses the credentials" in logs
    assert on_blob.azurite.key not in logs and WRONG_KEY not in logs


def test_a_schedule_watches_it(on_blob: OnBlob, ws: Workspace, tmp_path: Path) -> None:
    watched = register(ws, on_blob, "watched", on_blob.azurite.key, "arrivals")
    parameter = PipelineParameter("path", DataPath(watched, "in"))
    source = (parameter, DataPathComputeBinding(mode="mount"))
    out = PipelineData("out", datastore=watched, is_directory=True)
    published = pipeline(ws, tmp_path / "src", source, out).publish("loud", "on arrival")
    schedule = Schedule.create(
        ws,
        "arrivals",
        published.id,
        "arrivals",
        datastore=watched,
        path_on_datastore="in",
        data_path_parameter_name="path",
        polling_interval=0.02,
    )
    try:
        on_blob.write("arrivals/in/new.txt", b"here")
        deadline = time.monotonic() + 120
        while not (runs := schedule.get_pipeline_runs()) and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        schedule.disable()
    (run,) = runs
    assert run.wait_for_completion(show_output=False) == "Finished"
    assert text_of(on_blob, run, "arrivals") == "HERE"
