"""The table of changes: for each kind of change to a pipeline, exactly which of its steps run again.

clean -> train -> score, on real Airflow. Each case is a first run, a change, and a second run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airloom.core import RunConfiguration, Workspace
from airloom.core.conda_dependencies import CondaDependencies
from airloom.pipeline.core import PipelineRun
from tests.support.server import RunningServer
from tests.support.small_pipeline import SmallPipeline, executed

ALL = {"clean", "train", "score"}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def output_file(server: RunningServer, run: PipelineRun, step: str, port: str) -> Path:
    reference = run.find_step_run(step)[0].get_output_data(port)
    (file,) = (server.store / "workspaces/default/data/workspaceblobstore" / reference.path_on_datastore).iterdir()
    return file


class Change:
    """What a case changes: files and data by a function, the pipeline by new values, the submit by options."""

    def __init__(self, *reruns: str, do: Callable[..., Any] | None = None, **pipeline: Any) -> None:
        self.reruns = set(reruns)
        self.do = do
        self.pipeline = pipeline


def on_files(function: Callable[[SmallPipeline], Any]) -> Callable[..., Any]:
    return lambda pipeline, server, run: function(pipeline)


def corrupt(server: RunningServer, run: PipelineRun, step: str, port: str) -> None:
    """Other bytes of the same length under the old modification time."""
    file = output_file(server, run, step, port)
    before = file.stat()
    file.write_bytes(b"X" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def corrupt_record(server: RunningServer, run: PipelineRun, step: str) -> None:
    """Cut the record of a step in half."""
    records = [
        path
        for path in (server.store / "workspaces/default/reuse/records").rglob("*.json")
        if f'"run_id":"{run.id}"' in path.read_text() and f'"step_name":"{step}"' in path.read_text()
    ]
    (record,) = records
    record.write_bytes(record.read_bytes()[: record.stat().st_size // 2])


CHANGES: dict[str, Change] = {
    "nothing": Change(),
    "a byte of a script": Change(
        "train", "score", do=on_files(lambda p: edit(p.script("train"), "model of", "a model of"))
    ),
    "a comment in a script, same output": Change(
        "train", do=on_files(lambda p: edit(p.script("train"), "# ", "# more "))
    ),
    "another file in the source folder": Change(
        "train", do=on_files(lambda p: (p.source("train") / "helper.py").write_text("X = 2\n"))
    ),
    "a new file in the source folder": Change(
        "train", do=on_files(lambda p: (p.source("train") / "new.py").write_text("Y = 1\n"))
    ),
    "a file that .amlignore excludes": Change(
        do=on_files(lambda p: (p.source("train") / "notes.md").write_text("other notes\n"))
    ),
    "a file outside of hash_paths": Change(
        do=on_files(lambda p: (p.source("train") / "helper.py").write_text("X = 2\n")),
        train={"hash_paths": ["train.py"]},
    ),
    "an argument": Change("train", train={"more_arguments": ["--verbose"]}),
    "a pipeline parameter's value": Change("train", "score", submit={"pipeline_parameters": {"seed": 2}}),
    "a param of a step": Change("train", train={"params": {"level": "2"}}),
    "an environment variable": Change("train", variables={"LEVEL": "2"}),
    "input bytes under the same path": Change(*ALL, do=on_files(lambda p: p.upload("other data"))),
    "an input that is touched but equal": Change(do=on_files(lambda p: p.upload("Some Data"))),
    "input bytes that the first step evens out": Change("clean", do=on_files(lambda p: p.upload("  SOME DATA "))),
    "the mode of an input": Change("train", mode="download"),
    "the name of an output": Change("train", "score", model_name="trained"),
    "the version of a step": Change("train", train={"version": "2"}),
    "the compute target": Change(compute="other-cluster"),
    "the description": Change(description="another description"),
    "allow_reuse off": Change("train", train={"allow_reuse": False}),
    "reuse of one step off": Change("train", train={"reuse": "off"}),
    "reuse of one step refresh": Change("train", train={"reuse": "refresh"}),
    "reuse of the run off": Change(*ALL, submit={"reuse": "off"}),
    "reuse of the run refresh": Change(*ALL, submit={"reuse": "refresh"}),
    "regenerate_outputs": Change(*ALL, submit={"regenerate_outputs": True}),
    "a deleted output": Change("train", do=lambda p, server, run: output_file(server, run, "train", "model").unlink()),
    "a corrupted output": Change("train", do=lambda p, server, run: corrupt(server, run, "train", "model")),
    "a corrupted record": Change("train", do=lambda p, server, run: corrupt_record(server, run, "train")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_exactly_the_steps_that_a_change_concerns_run_again(
    ws: Workspace, airloom_server: RunningServer, tmp_path: Path, change: Change
) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    standing = {"train": change.pipeline["train"]} if change.do and "train" in change.pipeline else {}
    first = pipeline.run(**standing)
    assert executed(first) == ALL
    if change.do is not None:
        change.do(pipeline, airloom_server, first)
    assert executed(pipeline.run(**change.pipeline)) == change.reruns


def test_an_upstream_step_that_runs_again_with_equal_bytes_cuts_the_run_short(ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    pipeline.run()
    edit(pipeline.script("clean"), "# ", "# another comment ")
    run = pipeline.run()
    assert executed(run) == {"clean"}
    explanations = {explanation.step_id: explanation.message for explanation in run.explain()}
    assert "source (clean.py)" in explanations["clean"]
    assert "same bytes as before" in explanations["train"]


def test_a_different_package_in_the_environment_runs_the_step_again(ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()

    def with_package(package: str) -> dict[str, Any]:
        configuration = RunConfiguration()
        configuration.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=[package])
        return {"environment_configuration": configuration}

    assert executed(pipeline.run(**with_package("iniconfig==2.0.0"))) == ALL
    assert executed(pipeline.run(**with_package("iniconfig==2.0.0"))) == set()
    assert executed(pipeline.run(**with_package("iniconfig==2.1.0"))) == {"train"}
