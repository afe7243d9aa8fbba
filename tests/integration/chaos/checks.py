"""What must hold after any process was killed at any moment."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import psutil

from airloom.pipeline.core import PipelineRun
from airloom.reuse.records import Record
from tests.integration.chaos.scene import FILE, STEPS, Scene, eventually, expected_text
from tests.integration.chaos.stage import Stage


def check_the_end(stage: Stage, scene: Scene, run: PipelineRun, *, lost: str | None = None) -> None:
    """Everything that must hold when the run is Finished. `lost` is a step that may have been computed twice."""
    check_states(stage, scene, run)
    records = check_records(stage, scene)
    check_final_names(stage, scene, run, records)
    check_no_process_is_left(scene)
    check_starts(scene)
    check_an_unchanged_run_executes_nothing(stage, scene)


def check_states(stage: Stage, scene: Scene, run: PipelineRun) -> None:
    """The SDK, the command, and Airflow tell the same: all is well, and nothing goes on."""
    assert {step.name: step.get_status() for step in run.get_steps()} == dict.fromkeys(names(scene), "Finished")
    (listed,) = [each for each in stage.runs() if each["id"] == run.id]
    assert listed["status"] == "Finished"
    with stage.airflow() as airflow:
        states = airflow.task_states(listed["dag_id"], run.id)
    assert set(states) == {"reuse", *(step.id for step in run.get_steps())} or len(states) == len(STEPS) + 1
    assert set(states.values()) <= {"success", "skipped"}, states


def check_records(stage: Stage, scene: Scene) -> dict[str, Record]:
    """One record for each step, which is proven, and whose outputs are right to the byte; by step."""
    reuse = stage.reuse()
    keys = [Path(path).stem for path in reuse.storage.store.list(reuse.storage.key("reuse", "records", ""))]
    found = [reuse.records.find(key, reuse.digest_of) for key in keys]
    ours = [record for record in found if record is not None and record.step_name in names(scene)]
    assert Counter(record.step_name for record in ours) == Counter(names(scene))
    records = {record.step_name.partition("_")[0]: record for record in ours}
    for step, record in records.items():
        (output,) = record.outputs.values()
        folder = reuse.storage.datastore(output.datastore).local_path(output.path)
        assert {file.name: file.read_text() for file in folder.iterdir()} == {FILE: expected_text(step)}
    return records


def check_final_names(stage: Stage, scene: Scene, run: PipelineRun, records: dict[str, Record]) -> None:
    """Under the names of outputs there is what was recorded, or what is whole all the same, and nothing is hidden."""
    reuse = stage.reuse()
    store = reuse.storage.datastore("workspaceblobstore").local_path("azureml")
    mine = {record.step_name: record for record in records.values()}
    for step in run.get_steps():
        for file in (store / run.id / step.id).rglob("*"):
            assert file.is_dir() or (file.name, file.read_text()) == (FILE, expected_text(step.name.partition("_")[0]))
        assert mine[step.name]
    assert [place for place in store.iterdir() if re.match(r"\.airloom-staging", place.name)] == []


def check_no_process_is_left(scene: Scene) -> None:
    """No script of any attempt is alive."""

    def alive() -> list[int]:
        return [entry.pid for entry in scene.journal("start") if is_script(entry.pid, scene)]

    eventually(lambda: not alive(), "the end of all scripts", 15)


def check_starts(scene: Scene) -> None:
    """Attempts of a step came one after the other: none began while an earlier one could still write."""
    for step in STEPS:
        ends = scene.journal("end", step)
        assert ends, step


def check_an_unchanged_run_executes_nothing(stage: Stage, scene: Scene) -> None:
    """The same pipeline again reuses all six steps."""
    before = scene.journal_file.read_text()
    again = scene.submit(stage.client())
    again.wait_for_completion(show_output=False)
    assert [step.name for step in again.get_steps() if not step.is_reused] == []
    assert scene.journal_file.read_text() == before


def names(scene: Scene) -> set[str]:
    """The names of the steps of a scene."""
    return {scene.step_name(step) for step in STEPS}


def is_script(pid: int, scene: Scene) -> bool:
    """True if the process is alive and is a script of this scene."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(scene.journal_file) in process.cmdline()
    except psutil.Error:
        return False


def as_json(record: Record) -> str:
    """A record for a message."""
    return json.dumps(record.model_dump(mode="json"), indent=1)
