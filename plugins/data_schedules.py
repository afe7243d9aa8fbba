"""Data-change schedules on the server: with what they begin, and how their last check went."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airloom.errors import AirloomError
from airloom.operators.definition import store_address
from airloom.plugins.airflow_gateway import AirflowSecrets
from airloom.plugins.settings import Settings
from airloom.storage.handed_over import HandOverStore
from airloom.storage.object_store import open_store
from airloom.storage.schedules import DataTrigger
from airloom.storage.watched import WatchedPlace
from airloom.storage.workspace import WorkspaceStore

log = logging.getLogger(__name__)


def place_of(trigger: Mapping[str, Any] | None) -> WatchedPlace | None:
    """What the trigger in a schedule's row watches."""
    return DataTrigger.model_validate(trigger).place if trigger is not None else None


def begin_to_watch(settings: Settings, workspace: str, schedule_id: str, trigger: Mapping[str, Any]) -> None:
    """Remember what the folder holds now: only what changes from now on fires. Harmless if nothing comes of it."""
    objects = open_store(settings.store)
    place = DataTrigger.model_validate(trigger).place
    seen = WorkspaceStore(objects, workspace, secrets=AirflowSecrets()).datastore(place.datastore).survey(place.folder)
    HandOverStore(objects, schedule_id).begin(place, seen)


def last_check(schedule_id: str) -> dict[str, Any] | None:
    """How the last check went; None before the first, or if that cannot be read now."""
    try:
        check = HandOverStore(open_store(store_address()), schedule_id).last_check()
    except (AirloomError, OSError) as error:
        log.warning("The last check of schedule %s cannot be read: %s", schedule_id, error)
        return None
    return check.model_dump() if check is not None else None
