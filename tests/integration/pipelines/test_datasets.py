"""Registered datasets in real runs: outputs that become them, pipelines that read them, values that name them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Dataset, Experiment, Workspace
from airloom.data import DatasetConsumptionConfig, OutputFileDatasetConfig
from airloom.pipeline.core import Pipeline, PipelineParameter, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.support.server import RunningServer
from tests.support.small_pipeline import ensure_compute

WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1], 'a.txt').write_text({text!r})"
READ = "import pathlib, sys; print(*sorted(p.read_text() for p in pathlib.Path(sys.argv[1]).rglob('*.txt')))"


@pytest.fixture(autouse=True)
def compute(ws: Workspace) -> None:
    ensure_compute(ws)


@pytest.fixture
def name() -> str:
    """A name of a dataset that no other test has."""
    return f"ds-{uuid.uuid4().hex[:10]}"


def a_step(folder: Path, label: str, code: str, **options: Any) -> PythonScriptStep:
    source = folder / label
    source.mkdir(exist_ok=True)
    (source / "main.py").write_text(f"# {folder}\n{code}")
    return PythonScriptStep(
        "main.py", name=label, compute_target="test-cluster", source_directory=str(source), **options
    )


def finished(ws: Workspace, *steps: PythonScriptStep, **options: Any) -> PipelineRun:
    run = Experiment(ws, "datasets").submit(Pipeline(ws, list(steps)), **options)
    run.wait_for_completion(show_output=False)
    return run


def writing(ws: Workspace, folder: Path, name: str, text: str, **options: Any) -> PipelineRun:
    """A run of a step whose output becomes a version of a dataset."""
    output = OutputFileDatasetConfig("out").register_on_complete(name, "what a step wrote", {"text": text})
    return finished(ws, a_step(folder, "write", WRITE.format(text=text), arguments=[output]), **options)


def versions(ws: Workspace, name: str) -> list[tuple[int, str]]:
    """The versions of a dataset, the oldest first, and what their file holds."""
    found = []
    for dataset in reversed(Dataset.get_all_versions(ws, name)):
        (file,) = dataset.download()  # type: ignore[attr-defined]
        found.append((dataset.version, Path(file).read_text()))
    return found


def test_an_output_becomes_a_dataset_and_a_reused_one_does_not_become_another(
    ws: Workspace, tmp_path: Path, name: str
) -> None:
    first = writing(ws, tmp_path, name, "one")
    assert versions(ws, name) == [(1, "one")]
    made = ws._client.get_dataset_version(ws.name, name)
    assert (made["run_id"], made["step_id"]) == (first.id, "write")
    assert (made["description"], made["tags"]) == ("what a step wrote", {"text": "one"})
    assert not Dataset.get_by_name(ws, name).changed_since_registered

    again = writing(ws, tmp_path, name, "one")
    assert again.find_step_run("write")[0].is_reused
    assert versions(ws, name) == [(1, "one")]

    writing(ws, tmp_path, name, "two")
    assert versions(ws, name) == [(1, "one"), (2, "two")]
    reused = writing(ws, tmp_path, name, "one")  # the latest run's data is the latest version, reused or not
    assert reused.find_step_run("write")[0].is_reused
    assert versions(ws, name) == [(1, "one"), (2, "two"), (3, "one")]


def test_an_output_that_is_registered_later_is_not_computed_again(ws: Workspace, tmp_path: Path, name: str) -> None:
    """What becomes of an output is no part of the key of the step."""
    output = OutputFileDatasetConfig("out")
    finished(ws, a_step(tmp_path, "write", WRITE.format(text="x"), arguments=[output]))
    output = OutputFileDatasetConfig("out").register_on_complete(name)
    run = finished(ws, a_step(tmp_path, "write", WRITE.format(text="x"), arguments=[output]))
    assert run.find_step_run("write")[0].is_reused
    assert versions(ws, name) == [(1, "x")]


def test_a_step_that_fails_registers_nothing(ws: Workspace, tmp_path: Path, name: str) -> None:
    output = OutputFileDatasetConfig("out").register_on_complete(name)
    code = WRITE.format(text="x") + "\nraise SystemExit('no')"
    run = Experiment(ws, "datasets").submit(Pipeline(ws, [a_step(tmp_path, "write", code, arguments=[output])]))
    run.wait_for_completion(show_output=False, raise_on_error=False)
    assert run.get_status() == "Failed"
    assert name not in ws.datasets


def test_a_run_reads_the_version_that_it_is_given(
    airloom_server: RunningServer, ws: Workspace, tmp_path: Path, name: str
) -> None:
    store = ws.get_default_datastore()
    for number in ("1", "2"):
        (tmp_path / f"{number}.txt").write_text(number)
        store.upload_files([str(tmp_path / f"{number}.txt")], target_path=f"{name}/{number}", show_progress=False)
        dataset = Dataset.File.from_files(store.path(f"{name}/{number}"))
        dataset.register(ws, name, create_new_version=True)
    parameter = PipelineParameter("data", Dataset.get_by_name(ws, name))
    given = DatasetConsumptionConfig("data", parameter).as_mount()
    published = Pipeline(ws, [a_step(tmp_path, "read", READ, arguments=[given], inputs=[given])]).publish(name)

    def printed(data: Any) -> str:
        body = {"experiment": "datasets", "parameters": {} if data is None else {"data": data}}
        run = PipelineRun(Experiment(ws, "datasets"), ws._client.run_pipeline(ws.name, published.id, body)["id"])
        run.wait_for_completion(show_output=False)
        return run.find_step_run("read")[0].get_stdout_log()

    assert printed(None) == "2\n"
    assert printed({"kind": "dataset", "name": name, "version": 1}) == "1\n"
    assert printed({"kind": "dataset", "name": name}) == "2\n"
    assert printed({"kind": "dataset", "id": Dataset.get_by_name(ws, name, 1).id}) == "1\n"

    (tmp_path / "2.txt").write_text("changed")
    store.upload_files([str(tmp_path / "2.txt")], target_path=f"{name}/2", overwrite=True, show_progress=False)
    assert printed(None) == "changed\n"
    assert Dataset.get_by_name(ws, name).changed_since_registered
    logs = (path.read_text() for path in (airloom_server.home / "logs").rglob("*.log"))
    assert any(f"The content of the dataset '{name}', version 2, has changed" in text for text in logs)
