"""What the page of a step's files shows: the files of each output, and those that it left beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airloom.errors import AirloomError, NotFound
from airloom.graph.results import OutputRef
from airloom.plugins import step_files
from airloom.plugins.pages import addresses, words
from airloom.plugins.pages.find import FoundRun
from airloom.plugins.pages.view import Link, Rights
from airloom.plugins.run_states import StepView
from airloom.storage.workspace import WorkspaceStore

MOST_FILES = 1000


@dataclass(frozen=True)
class FileGroup:
    """Files that belong together, and how many more there are than a page should show."""

    id: str
    title: str
    place: str
    files: Sequence[tuple[Link, str]]
    left_out: int
    note: str = ""


@dataclass(frozen=True)
class FilesPart:
    """All that the page of a step's files says."""

    step: str
    back: str
    groups: Sequence[FileGroup]


def make(run: FoundRun, step: StepView, storage: WorkspaceStore, rights: Rights) -> FilesPart:
    """The files that the reader may see."""
    groups = []
    if rights.files:
        groups = [_output(run, storage, port, output) for port, output in step.outputs.items()]
    if rights.logs and run.submitted:
        groups.append(_artifacts(run, step, storage))
    return FilesPart(step.name, addresses.run_page(run.run_id, step.step_id, dag_id=run.dag_id), groups)


def find_step(steps: Sequence[StepView], step_id: str) -> StepView:
    """The step of this id. Raises NotFound."""
    for step in steps:
        if step.step_id == step_id:
            return step
    raise NotFound(f"The run has no step {step_id[:80]!r}.", hint="Check the address.", target=step_id[:80])


def _output(run: FoundRun, storage: WorkspaceStore, port: str, output: OutputRef) -> FileGroup:
    place = f"{output.datastore}/{output.path}"
    try:
        found = storage.datastore(output.datastore).list(output.path)
    except AirloomError as error:
        return FileGroup(f"output-{port}", f"Output {port}", place, [], 0, str(error))
    base = f"{output.path}/"
    files = [
        (
            Link(file.path.removeprefix(base), addresses.file(run.workspace, output.datastore, file.path)),
            words.size(file.size),
        )
        for file in found[:MOST_FILES]
    ]
    note = "" if files else "Nothing is there any more."
    return FileGroup(f"output-{port}", f"Output {port}", place, files, len(found) - len(files), note)


def _artifacts(run: FoundRun, step: StepView, storage: WorkspaceStore) -> FileGroup:
    attempt = step_files.attempt_of(storage, run.run_id, step)
    found = step_files.list_artifacts(storage, attempt)
    files = [
        (Link(path, addresses.artifact(run.workspace, run.run_id, step.step_id, path)), words.size(size))
        for path, size in found[:MOST_FILES]
    ]
    note = "" if files else "The step has left none yet."
    return FileGroup("artifacts", "Logs and other files", "", files, len(found) - len(files), note)
