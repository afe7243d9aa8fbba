"""What the task of a data-change schedule does: it hands over what has changed in the folder that is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airloom.execution.hand_over import Order, PlannedRun, check_of_failure, check_of_runs, hand_over
from airloom.operators.secrets import TaskSecrets
from airloom.storage.handed_over import HandOverStore
from airloom.storage.object_store import ObjectStore
from airloom.storage.schedules import ScheduleDocument
from airloom.storage.watched import Survey, WatchedPlace
from airloom.storage.workspace import WorkspaceStore


def hand_over_changes(
    objects: ObjectStore,
    document: ScheduleDocument,
    run_conf: Callable[[], dict[str, Any]],
    start: Callable[[PlannedRun], None],
) -> list[PlannedRun]:
    """Hand over all that has changed, and leave word of what came of it. Returns the runs, new or not.

    `run_conf` gives what all runs have in common; `start` starts one unless there is one of its id. A failure is left
    as word, too, and raised: the task is tried again, and after that the trigger signals again.
    """
    store = HandOverStore(objects, document.id)
    storage = WorkspaceStore(objects, document.workspace, secrets=TaskSecrets())

    def look(place: WatchedPlace) -> Survey:
        return storage.datastore(place.datastore).survey(place.folder)

    data = document.data
    assert data is not None
    try:
        order = Order(document.pipeline.dag_id, run_conf(), data.data_path_parameter_name, data.one_run_per)
        runs = hand_over(store, data.place, order, look, start)
    except Exception as error:
        store.note(check_of_failure(error))
        raise
    store.note(check_of_runs(runs))
    return runs


def leave_word(objects: ObjectStore, document: ScheduleDocument, obstacle: str) -> None:
    """Let people see why a data-change schedule hands nothing over; others have no such word."""
    if document.data is not None:
        HandOverStore(objects, document.id).note(check_of_failure(RuntimeError(obstacle)))
