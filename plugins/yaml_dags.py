"""Pipelines written as YAML files beside hand-written DAGs: each file is a DAG, and no server is asked.

The steps' source folders are taken as they are on the worker when a task runs, as those of a hand-written DAG are.
What is wrong with a file is found when Airflow parses it, and is the import error of that file alone.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airloom.errors import AirloomError, InvalidGraph
from airloom.graph.canonical import digest_value
from airloom.graph.check_recurrence import check_recurrence
from airloom.graph.model import Definition, PipelineGraph
from airloom.graph.validate import raise_problems, validate_graph
from airloom.graph.yaml import PipelineFile
from airloom.operators.definition import DATASTORE, WORKSPACE, store_address
from airloom.operators.firing import FiredWith
from airloom.pipeline.core._checks import ANY
from airloom.pipeline.core._definition import YamlDefinition
from airloom.pipeline.core._snapshots import Snapshots
from airloom.plugins.dag_factory import build_dag
from airloom.plugins.timetables import RecurrenceTimetable
from airloom.storage.paths import slug

log = logging.getLogger(__name__)

SUFFIXES = (".yml", ".yaml")
_PIPELINE = re.compile(r"^['\"]?pipeline['\"]?\s*:", re.MULTILINE)


class _Folders(Snapshots):
    """Notes the source folders instead of reading them; a digest of its path stands for each in the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.by_digest: dict[str, Path] = {}

    def digest(self, folder: Path, script_name: str, hash_paths: tuple[str, ...]) -> str:
        """What stands for a folder."""
        mark = digest_value(str(folder.resolve()))
        self.by_digest[mark] = folder.resolve()
        return mark


def pipeline_text(file: Path) -> str | None:
    """The text of YAML that has, or was to have, the key `pipeline`. None for all other, which is somebody else's."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        log.warning("%s cannot be read: %s", file, error)
        return None
    return text if _PIPELINE.search(text) else None


def dag_id_of_file(file: Path, folder: Path) -> str:
    """The id of the DAG of a file below a folder: its path, with dots, so that `team/prices.yml` is `team.prices`."""
    return slug(".".join(file.relative_to(folder).with_suffix("").parts), longest=200)


def load_file(file: str, dag_id: str, *, taken_by: str | None = None) -> DAG:
    """The DAG of a pipeline file. Raises InvalidGraph, which begins with the file's name, and the line where it can."""
    if taken_by is not None:
        raise InvalidGraph(
            f"{file}:1: Its DAG would have the id {dag_id!r}, and so has that of {taken_by}.",
            hint="Rename one of the files.",
            target=file,
        )
    path = Path(file).resolve()  # where a link leads, since the paths in it start there
    folders = _Folders()
    found = _read(path, folders)
    by_step = {
        step.id: folders.by_digest.get(step.script.snapshot) for step in found.graph.steps if step.script is not None
    }
    return build_dag(
        _definition(found.graph, found.name or dag_id),
        dag_id,
        folders={step_id: folder for step_id, folder in by_step.items() if folder is not None},
        **_schedule(path, found),
    )


def _schedule(path: Path, found: PipelineFile) -> dict[str, Any]:
    """The timetable of the file's schedule, and what its runs get; both are checked now, rather than when it fires."""
    given = found.schedule
    if given is None:
        return {}
    fired_with = FiredWith(given.pipeline_parameters, given.continue_on_step_failure)
    try:
        timetable = RecurrenceTimetable.of(check_recurrence(given.recurrence))
        fired_with.values(found.graph, datetime.now(UTC))
    except AirloomError as error:
        raise InvalidGraph(f"{path}:{given.line}: {error.message}", hint=error.hint, target=str(path)) from None
    return {"schedule": timetable, "fired_with": fired_with}


def _read(path: Path, folders: _Folders) -> PipelineFile:
    try:
        found = YamlDefinition(None, str(path)).read(folders)
    except InvalidGraph as error:
        # Airflow shows the way to where it was raised, which tells the author of a YAML file nothing.
        raise InvalidGraph(error.message, hint=error.hint, target=error.target) from None
    try:
        raise_problems(validate_graph(found.graph, datastores=ANY, computes=ANY))
    except InvalidGraph as error:
        raise InvalidGraph(f"{path}: {error.message}", hint=error.hint, target=error.target) from None
    return found


def _definition(graph: PipelineGraph, name: str) -> Definition:
    targets = {step.compute_target for step in graph.steps if step.compute_target is not None}
    return Definition(
        workspace=WORKSPACE,
        experiment=name,
        store=store_address(),
        default_datastore=DATASTORE,
        # The names that the server gives to the pools of compute targets. Airflow warns of a pool that there is not.
        pools={target: f"{WORKSPACE}.{target}" for target in sorted(targets)},
        graph=graph,
    )
