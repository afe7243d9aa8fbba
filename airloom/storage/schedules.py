"""The schedules of a deployment as Airflow's processes need them: one document each, which says all there is to it.

A schedule's rows in the database are the truth, which workers cannot read; the document is made from them whenever
they change. It is replaced as a whole, so a reader sees one state or the next.

There is no index: a loader of Airflow's lists the folder, which it does rarely, and so nothing can get out of step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from airloom.errors import IntegrityError, InvalidName, NotFound
from airloom.graph.model import Model
from airloom.graph.recurrence import Recurrence, Rule
from airloom.storage.definitions import digest16_of_dag_id
from airloom.storage.envelope import seal, unseal
from airloom.storage.object_store import ObjectStore
from airloom.storage.paths import slug
from airloom.storage.watched import WatchedPlace

SHARDS = 4
_FOLDER = "schedules/"
_MEND = "The server writes it anew when it starts, or when the schedule is updated."
_SHORT_ID = re.compile(r"[0-9a-f]{16}")


class ClockTrigger(Model):
    """Firing by the clock.

    `anchor` is when the recurrence was given, `at_once` whether it fires then, and nothing fires before `since`: the
    time at which the schedule was created, changed or enabled.
    """

    recurrence: Recurrence
    anchor: datetime
    at_once: bool
    since: datetime

    @property
    def rule(self) -> Rule:
        """The instants of the recurrence, before and after `since`."""
        return Rule(self.recurrence, self.anchor, self.at_once)


class DataTrigger(Model):
    """Firing when files below a path are added or changed. `polling_interval` is in minutes.

    What was there at `since`, when the schedule was created, is no change.
    """

    datastore: str
    path: str = ""
    polling_interval: float = 5
    data_path_parameter_name: str | None = None
    one_run_per: Literal["batch", "file"] = "batch"
    since: datetime

    @property
    def place(self) -> WatchedPlace:
        """What is watched."""
        return WatchedPlace(datastore=self.datastore, path=self.path)


class ScheduledPipeline(Model):
    """What a schedule runs now: a published pipeline, perhaps as the default version of an endpoint."""

    id: str
    dag_id: str
    endpoint_id: str | None = None


class ScheduleDocument(Model):
    """A schedule, with all that a worker needs to fire it. Exactly one of `clock` and `data` is given.

    `obstacle` says why it cannot fire though it is active, as when its pipeline is disabled; "" if it can.
    """

    format: Literal[1] = 1
    id: str
    dag_id: str
    workspace: str
    name: str
    description: str = ""
    created_by: str = ""
    status: Literal["Active", "Disabled"]
    obstacle: str = ""
    pipeline: ScheduledPipeline
    experiment: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    clock: ClockTrigger | None = None
    data: DataTrigger | None = None

    @property
    def short_id(self) -> str:
        """The 16 digits under which the document is stored, which end the id of its DAG."""
        return short_id(self.id)


def short_id(schedule_id: str) -> str:
    """The first 16 digits of a schedule's id."""
    return schedule_id.replace("-", "")[:16]


def schedule_dag_id(name: str, schedule_id: str) -> str:
    """The id of the Airflow DAG of a new schedule; it stays, whatever name the schedule gets later."""
    return f"{slug(name)}.{short_id(schedule_id)}"


def shard_of(short: str) -> int:
    """The loader file in which Airflow finds a schedule."""
    return int(short[:2], 16) % SHARDS


class ScheduleStore:
    """The documents of all schedules of a deployment, found by the first 16 digits of their ids."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, document: ScheduleDocument) -> None:
        """Make or replace a schedule's document."""
        self._store.put(schedule_key(document.short_id), seal(document.model_dump(mode="json")))

    def get(self, short: str) -> ScheduleDocument:
        """The document of these 16 digits. NotFound if there is none, IntegrityError if it was damaged."""
        if not _SHORT_ID.fullmatch(short):
            raise InvalidName(f"{short[:80]!r} is not the short id of a schedule.", target=short[:80])
        key = schedule_key(short)
        try:
            body = unseal(self._store.get(key), f"The schedule {key!r}")
            document = ScheduleDocument.model_validate(body)
        except NotFound:
            raise NotFound(f"There is no schedule {short}.", hint="It was deleted.", target=short) from None
        except IntegrityError as error:
            raise IntegrityError(error.message, hint=_MEND, target=key) from None
        except ValidationError as error:
            cause = f"The schedule {key!r} cannot be read by this version of Airloom: {error.errors()[0]['msg']}."
            raise IntegrityError(
                cause, hint="Use the version that wrote it, or update the schedule.", target=key
            ) from None
        if document.short_id != short:
            raise IntegrityError(f"The schedule {key!r} is that of {document.short_id}.", hint=_MEND, target=key)
        return document

    def written_at(self, short: str) -> datetime:
        """When a document was written last. NotFound if there is none."""
        info = self._store.info(schedule_key(short))
        if info is None:
            raise NotFound(f"There is no schedule {short}.", hint="It was deleted.", target=short)
        return info.modified

    def of_dag(self, dag_id: str) -> ScheduleDocument:
        """The document of the schedule whose DAG has this id."""
        return self.get(digest16_of_dag_id(dag_id))

    def shard(self, number: int) -> list[str]:
        """The short ids of the schedules in a shard, sorted."""
        return [short for short in self.stored() if shard_of(short) == number]

    def stored(self) -> Iterator[str]:
        """The short ids of all schedules, sorted."""
        names = (key.removeprefix(_FOLDER).removesuffix(".json") for key in self._store.list(_FOLDER))
        return iter(sorted(name for name in names if _SHORT_ID.fullmatch(name)))

    def delete(self, short: str) -> None:
        """Forget a schedule; no error if there is none."""
        self._store.delete(schedule_key(short))


def schedule_key(short: str) -> str:
    """Key of the document of a schedule."""
    return f"{_FOLDER}{short}.json"
