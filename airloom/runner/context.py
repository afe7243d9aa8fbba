"""The run folder: how the runner and the stand-in, which lives in the script's interpreter, tell each other things."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import airloom
from airloom.runner.failures import ScriptFailed
from airloom.runner.inputs import ReadyInput
from airloom.runner.outputs import OpenOutput
from airloom.runner.spec import StepSpec
from airloom.runner.variables import RESOURCE_GROUP, SUBSCRIPTION
from airloom.storage.handed_over import batch_at
from airloom.storage.object_store import ObjectStore
from airloom.tabular.parts import chosen, full_names

CONTEXT = "context.json"
CHANGES = "changes.json"
EVENTS = "run.jsonl"


def write_context(
    spec: StepSpec,
    run_folder: Path,
    working_folder: Path,
    inputs: Iterable[ReadyInput],
    outputs: Iterable[OpenOutput],
) -> None:
    """Write down what `Run.get_context()` tells the script."""
    context = {
        "run_id": spec.step_run_id,
        "root_run_id": spec.run_id,
        "step_id": spec.step_id,
        "step_name": spec.step_name,
        "attempt": spec.attempt,
        "experiment": spec.experiment,
        "workspace": spec.workspace,
        "subscription_id": SUBSCRIPTION,
        "resource_group": RESOURCE_GROUP,
        "working_directory": str(working_folder),
        "parameters": spec.pipeline_parameters,
        "inputs": [_input(ready) for ready in inputs],
        "outputs": {output.spec.name: str(output.path) for output in outputs},
    }
    (run_folder / CONTEXT).write_text(json.dumps(context), encoding="utf-8")


def write_changes(spec: StepSpec, objects: ObjectStore, run_folder: Path) -> Path | None:
    """Write down which files have changed, for a run that was started because of that. None for other runs.

    Whoever starts a run may name any batch in its configuration, as when a run is started again with the same one. So
    a batch is shown to its own runs only.
    """
    if spec.changes is None:
        return None
    batch = batch_at(objects, spec.changes)
    own = set(batch.paths_of(spec.run_id))
    if not own:
        return None
    changes = {
        "datastore": batch.place.datastore,
        "batch": batch.number,
        "added": sorted(own & batch.added.keys()),
        "changed": sorted(own & batch.changed.keys()),
        "missing": list(batch.missing),
    }
    path = run_folder / CHANGES
    path.write_text(json.dumps(changes), encoding="utf-8")
    return path


def check_not_marked_failed(spec: StepSpec, run_folder: Path) -> None:
    """Raise ScriptFailed if the script called `Run.fail()`, even if it then ended as if all were well."""
    try:
        events = (run_folder / EVENTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for event in map(json.loads, events):
        if event["event"] == "fail" and event["run"] == spec.step_run_id:
            details = event["value"]["details"] or "no details"
            raise ScriptFailed(
                f"The script of step {spec.step_name!r} marked its run as failed: {details}.",
                reason="failed",
                exit_code=0,
                target=spec.step_name,
            )


def _input(ready: ReadyInput) -> dict[str, object]:
    entry: dict[str, object] = {
        **ready.spec.model_dump(mode="json", include={"name", "mode", "kind"}),
        "digest": ready.spec.dataset_id,
        "path": str(ready.path),
        "files": [[name, str(path)] for name, path in ready.files.items()],
    }
    return {**entry, **_table(ready)} if ready.spec.kind == "tabular" else entry


def _table(ready: ReadyInput) -> dict[str, object]:
    """How the table is read, and the Python that can read it: that of the worker, not of the script."""
    if ready.spec.is_query:
        table = ready.spec.tabular.model_copy(update={"format": "parquet"})
    else:
        table = ready.spec.tabular
    files = chosen(ready.spec.tabular, list(ready.files.items()), lambda file: file[0])
    names = full_names(ready.spec.paths, [name for name, _ in files])
    return {
        "tabular": table.model_dump(mode="json"),
        "table_files": [[name, str(path)] for name, (_, path) in zip(names, files, strict=True)],
        "engine": {"python": sys.executable, "root": str(Path(airloom.__file__).parents[1])},
    }
