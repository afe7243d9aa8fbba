"""What follows when a step has its outputs: those that are to become datasets are announced to the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airloom.graph.canonical import digest_value
from airloom.graph.model import DataLocation, DatasetRegistration, Step
from airloom.graph.results import OutputRef, StepResult
from airloom.storage.contents import Content
from airloom.storage.registrations import Wish, Wishes
from airloom.storage.workspace import WorkspaceStore


def announce_datasets(
    storage: WorkspaceStore, steps: Iterable[Step], results: Mapping[str, StepResult], run_id: str
) -> list[str]:
    """Ask for the registration of what these steps have written or reused; returns the names of the datasets.

    It may be called again for the same run: the same wishes are left again, and granted once.
    """
    names = []
    for step in steps:
        for port in step.outputs:
            result = results.get(step.id)
            if port.registration is None or result is None or port.name not in result.outputs:
                continue
            wish = _wish(storage, port.registration, result.outputs[port.name], (run_id, step.id, port.name))
            Wishes(storage).add(wish)
            names.append(wish.name)
    return names


def _wish(
    storage: WorkspaceStore, registration: DatasetRegistration, output: OutputRef, where: tuple[str, str, str]
) -> Wish:
    location = DataLocation(datastore=output.datastore, path=output.path)
    files = storage.datastore(output.datastore).list(output.path)
    content = Content(
        # What the step recorded, not what lies there now: should the two differ, the dataset says so.
        digest=digest_value([output.digest]),
        files=len(files),
        size=output.size,
        modified=max((file.modified for file in files), default=None),
    )
    return Wish(
        name=registration.name,
        description=registration.description,
        tags=registration.tags,
        create_new_version=registration.create_new_version,
        source=registration.reading.model_copy(update={"locations": (location,)}),
        content=content,
        workspace=storage.workspace,
        run_id=where[0],
        step_id=where[1],
        port=where[2],
    )
