"""The trigger behind data-change schedules: it looks at a folder now and then, and says when something is to be done.

It only signals, at least once, that the folder differs from what was handed over. What that is, and which runs follow,
is found out anew by the task that the signal starts (`airloom.operators.hand_over`). So a signal that is lost, doubled
or late does no harm: whatever was not handed over is signalled again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airloom.execution.hand_over import check_of, check_of_failure, check_of_place
from airloom.operators.definition import store_address
from airloom.operators.secrets import TaskSecrets
from airloom.operators.triggers.pace import Pace
from airloom.storage.handed_over import Check, HandOverStore, changes_since, utc_text
from airloom.storage.object_store import open_store
from airloom.storage.watched import Survey, WatchedPlace
from airloom.storage.workspace import WorkspaceStore

log = logging.getLogger(__name__)

REPEAT_AFTER_SECONDS = 60.0
LONGEST_REPEAT_SECONDS = 900.0
"""When a signal is given again though nothing more has changed; the pause doubles up to the second of these."""

_pace = Pace()


class Look(NamedTuple):
    """What one poll of a folder has found, or why it has found nothing; `due` are those for whom it was made."""

    due: frozenset[object]
    seen: Survey | None
    fault: Exception | None = None


class FolderChangesTrigger(BaseEventTrigger):
    """Fires when files were added or changed at a place that a schedule watches. See `airloom.storage.watched`.

    All triggers of one folder share one poll of it. `polling_interval` is in minutes.
    """

    def __init__(self, schedule_id: str, workspace: str, datastore: str, path: str, polling_interval: float) -> None:
        super().__init__()
        self.schedule_id = schedule_id
        self.workspace = workspace
        self.place = WatchedPlace(datastore=datastore, path=path)
        self.polling_interval = polling_interval
        self._signalled = Signalled()
        self._quiet: tuple[Survey, str | None, Check] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow keeps them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "schedule_id": self.schedule_id,
                "workspace": self.workspace,
                "datastore": self.place.datastore,
                "path": self.place.path,
                "polling_interval": self.polling_interval,
            },
        )

    def shared_stream_key(self) -> tuple[str, str, str]:
        """What is polled, whoever asks for it and how often."""
        return (self.workspace, self.place.datastore, self.place.folder)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        """Look at the folder each time that someone is due. It never ends, and never fails for what it finds."""
        key = cls(**kwargs).shared_stream_key()
        last: Survey | None = None
        while True:
            due = await _pace.turn(key)
            try:
                last = await asyncio.to_thread(_latest, last, *key)
            except Exception as error:
                log.warning("The folder %r on %r cannot be looked at: %s", key[2], key[1], error)
                yield Look(due, None, error)
                continue
            yield Look(due, last)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Look]) -> AsyncIterator[TriggerEvent]:
        """Compare what was seen with what was handed over, and signal a difference."""
        with _pace.part(self.shared_stream_key(), self.polling_interval * 60) as participant:
            async for look in shared_stream:
                if participant not in look.due:
                    continue
                check = await asyncio.to_thread(self._check, look)
                if check is not None and check.outcome == "found" and self._signalled.is_due(check):
                    yield TriggerEvent({"schedule_id": self.schedule_id, "changes": check.changes})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the folder alone, where nothing is shared."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def _check(self, look: Look) -> Check | None:
        """Compare, and leave word of it; None if even that fails, for then the store is out of reach."""
        try:
            store = HandOverStore(open_store(store_address()), self.schedule_id)
            check = self._compare(store, look)
            store.note(check)
        except Exception as error:
            log.warning("The schedule %s cannot be checked: %s", self.schedule_id, error)
            return None
        return check

    def _compare(self, store: HandOverStore, look: Look) -> Check:
        if look.seen is None:
            return check_of_failure(look.fault or RuntimeError("The folder was not looked at."))
        try:
            return self._compared(store, look.seen)
        except Exception as error:
            log.warning("The schedule %s cannot be checked: %s", self.schedule_id, error)
            return check_of_failure(error)

    def _compared(self, store: HandOverStore, seen: Survey) -> Check:
        """The difference; it is not worked out again while neither side has changed."""
        etag = store.etag()
        if self._quiet is not None and self._quiet[0] is seen and self._quiet[1] == etag:
            return self._quiet[2].model_copy(update={"at": utc_text()})
        state = store.state()
        check = check_of_place(state, self.place) or check_of(
            state, changes_since(state, seen), is_open=store.is_open(state)
        )
        self._quiet = (seen, etag, check) if check.outcome == "unchanged" else None
        return check


class Signalled:
    """What was signalled last. The same is signalled again only after a pause, which grows."""

    def __init__(self) -> None:
        self._message = ""
        self._at = 0.0
        self._pause = REPEAT_AFTER_SECONDS

    def is_due(self, check: Check) -> bool:
        """True if this is to be signalled now, which is then taken for done."""
        now = time.monotonic()
        again = check.message == self._message
        if again and now < self._at + self._pause:
            return False
        self._pause = min(2 * self._pause, LONGEST_REPEAT_SECONDS) if again else REPEAT_AFTER_SECONDS
        self._message, self._at = check.message, now
        return True


def _latest(last: Survey | None, *key: str) -> Survey:
    """The files of a folder now; the same object as the last time tells that nothing has changed."""
    seen = _survey(*key)
    return last if last == seen else seen


def _survey(workspace: str, datastore: str, folder: str) -> Survey:
    """The files of a folder, listed in whatever thread this is called."""
    storage = WorkspaceStore(open_store(store_address()), workspace, secrets=TaskSecrets())
    return storage.datastore(datastore).survey(folder)
