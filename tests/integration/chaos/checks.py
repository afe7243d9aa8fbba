"""What must hold after any process was killed at any moment."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from airloom.graph.canonical import digest_value
from airloom.pipeline.core import PipelineRun
from airloom.reuse.records import Record
from tests.integration.chaos.scene import FILE, STEPS, Scene, eventually, expected_text
from tests.integration.chaos.stage import Stage

ENDED = ("Finished", "Failed", "Canceled")


def check_the_end(stage: Stage, scene: Scene, *runs: PipelineRun) -> None:
    """Everything that must hold when all runs of a scene are Finished."""
    records = check_records(stage, scene)
    for run in runs:
        check_states(stage, scene, run, records)
        check_final_names(stage, run)
    check_attempts(scene)
    check_no_process_is_left(scene)
    check_an_unchanged_run_executes_nothing(stage, scene)


def wait_for_end(stage: Stage, run_id: str, seconds: float = 240) -> str:
    """The last status of a run, asked for until a server that was killed answers again."""

    def status() -> str:
        return str(stage.ask(f"runs/{run_id}").get("status", "no answer"))

    eventually(lambda: status() in ENDED, f"the end of run {run_id}", seconds)
    return status()


def check_records(stage: Stage, scene: Scene) -> dict[str, Record]:
    """One record for each step, which is proven, and whose outputs are right to the byte; by step."""
    reuse = stage.reuse()
    keys = [Path(path).stem for path in reuse.storage.store.list(reuse.storage.key("reuse", "records", ""))]
    found = [reuse.records.find(key, reuse.digest_of) for key in keys]
    ours = [record for record in found if record is not None and record.step_name in names(scene)]
    assert Counter(record.step_name for record in ours) == Counter(names(scene))
    for record in ours:
        (output,) = record.outputs.values()
        folder = reuse.storage.datastore(output.datastore).local_path(output.path)
        written = {file.name: file.read_text() for file in folder.iterdir()}
        assert written == {FILE: expected_text(plain(record.step_name))}
    return {record.step_name: record for record in ours}


def check_states(stage: Stage, scene: Scene, run: PipelineRun, records: dict[str, Record]) -> None:
    """The command, Airloom's API and Airflow's tell the same: all is well, and the outputs are those recorded."""
    (listed,) = [each for each in stage.runs() if each["id"] == run.id]
    assert listed["status"] == "Finished"
    steps = stage.ask(f"runs/{run.id}/steps")["steps"]
    assert {step["name"]: step["status"] for step in steps} == dict.fromkeys(names(scene), "Finished")
    for step in steps:
        recorded = records[step["name"]].outputs
        assert step["outputs"] == {port: output.model_dump(mode="json") for port, output in recorded.items()}
    with stage.airflow() as airflow:
        states = airflow.task_states(listed["dag_id"], run.id)
    assert len(states) == len(STEPS) + 1, "a task for each step, and the plan"
    assert set(states.values()) <= {"success", "skipped"}, states


def check_final_names(stage: Stage, run: PipelineRun) -> None:
    """What has the name of an output is whole, and dead attempts have left nothing hidden.

    One that was killed between publishing and recording may leave its outputs; they are whole, and nobody refers to
    them.
    """
    outputs = stage.reuse().storage.datastore("workspaceblobstore").local_path("azureml")
    for step in stage.ask(f"runs/{run.id}/steps")["steps"]:
        found = [file for file in (outputs / run.id / step["step_id"]).rglob("*") if not file.is_dir()]
        assert {(file.name, file.read_text()) for file in found} <= {(FILE, expected_text(plain(step["name"])))}
        hidden = outputs.glob(f".airloom-staging-{digest_value([run.id, step['step_id']])[:16]}-*")
        assert [place.name for place in hidden] == []


def check_attempts(scene: Scene) -> None:
    """Every step was done, and no attempt began while an earlier one of the same step was alive."""
    assert {entry.step for entry in scene.journal("end")} == set(STEPS)
    assert scene.journal("overlap") == []


def check_no_process_is_left(scene: Scene) -> None:
    """No script of any attempt is alive."""
    eventually(
        lambda: not [entry.pid for entry in scene.journal("start") if is_script(entry.pid, scene)],
        "the end of all scripts",
        seconds=15,
    )


def check_an_unchanged_run_executes_nothing(stage: Stage, scene: Scene) -> None:
    """The same pipeline again reuses all six steps."""
    before = scene.journal_file.read_text()
    again = scene.submit(stage.client())
    assert wait_for_end(stage, again.id) == "Finished"
    steps: list[dict[str, Any]] = stage.ask(f"runs/{again.id}/steps")["steps"]
    assert [step["name"] for step in steps if not step["reused"]] == []
    assert scene.journal_file.read_text() == before


def names(scene: Scene) -> set[str]:
    """The names of the steps of a scene."""
    return {scene.step_name(step) for step in STEPS}


def plain(name: str) -> str:
    """The step of a step's name."""
    return name.partition("_")[0]


def is_script(pid: int, scene: Scene) -> bool:
    """True if the process is alive and is a script of this scene."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(scene.journal_file) in process.cmdline()
    except psutil.Error:
        return False
