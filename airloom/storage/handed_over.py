"""What a data-change schedule remembers: which files it has handed over, batch by batch, and how its last check went.

Files changed since the last batch make the next one. Three kinds of objects hold all that is known::

    changes/<16 digits of the schedule's id>/state.json          how many batches were handed over, and the files then
    changes/<...>/batches/<number>.json                          one batch: its files, and the runs that they make
    changes/<...>/check.json                                     the last check, for people to read

A batch is written once, before any run of it is started, and never changed: it is the promise that exactly these files
go to exactly these runs. It is open until the state counts it. Whoever finds an open batch, in whatever process, starts
its runs (again), whose ids follow from the batch, and then counts it. So a crash between any two writes is mended by
doing again what the batch says. No file can be in two batches: who makes a batch reads the state first and the folder
after that, and of all who make the next batch of one state, one succeeds.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import Field, ValidationError

from airloom.errors import IntegrityError, InvalidName, NotFound
from airloom.graph.model import Model
from airloom.storage.envelope import seal, unseal
from airloom.storage.object_store import ObjectStore
from airloom.storage.watched import Survey, WatchedPlace

REMEMBERED = timedelta(days=30)
"""How long a file that has gone is remembered. One that comes back within this time, unchanged, is no change: a disk
was mounted again."""

_BATCH_KEY = re.compile(r"changes/[0-9a-f]{16}/batches/[0-9]{8,}\.json")
Document = TypeVar("Document", bound=Model)
RunsPer = Literal["batch", "file"]
Outcome = Literal["unchanged", "waiting", "found", "handed_over", "failed"]


class HandedOver(Model):
    """The state: the batches that were handed over, and the files that are known through them or from the beginning.

    `files` has the mark of each file as it was last handed over, `gone` since when it is missing.
    """

    format: Literal[1] = 1
    place: WatchedPlace
    number: int = 0
    files: dict[str, str] = Field(default_factory=dict)
    gone: dict[str, str] = Field(default_factory=dict)

    def after(self, batch: Batch) -> HandedOver:
        """The state once this batch is handed over."""
        since = {path: self.gone.get(path, batch.found_at) for path in batch.missing}
        forgotten = {path for path, first in since.items() if _age(first, batch.found_at) > REMEMBERED}
        known = {**self.files, **batch.added, **batch.changed}
        return self.model_copy(
            update={
                "number": batch.number,
                "files": {path: mark for path, mark in known.items() if path not in forgotten},
                "gone": {path: first for path, first in since.items() if path not in forgotten},
            }
        )


class Batch(Model):
    """Changes that are handed over together: the marks of the files by path, and what the runs of them get.

    `conf` is the configuration of each run but for what is its own. `missing` are all known files that were not there.
    """

    format: Literal[1] = 1
    schedule_id: str
    number: int
    found_at: str
    place: WatchedPlace
    added: dict[str, str]
    changed: dict[str, str]
    missing: tuple[str, ...] = ()
    dag_id: str
    conf: dict[str, Any]
    data_path_parameter_name: str | None = None
    one_run_per: RunsPer = "batch"

    @property
    def paths(self) -> list[str]:
        """The files that were added or changed, sorted."""
        return sorted([*self.added, *self.changed])

    def run_id(self, path: str = "") -> str:
        """The id of the run of this batch; of the run of one file, where each has its own."""
        name = str(self.number) if self.one_run_per == "batch" else f"{self.number}/{path}"
        return str(uuid.uuid5(uuid.UUID(self.schedule_id), name))

    def paths_of(self, run_id: str) -> list[str]:
        """The files that go to the run of this id; none if it is not one of this batch."""
        if self.one_run_per == "batch":
            return self.paths if run_id == self.run_id() else []
        return [path for path in self.paths if run_id == self.run_id(path)]


class Check(Model):
    """One look at the folder, for people: when, what came of it, how many changes, and a sentence that says so."""

    at: str
    outcome: Outcome
    changes: int = 0
    message: str = ""


class Changes(NamedTuple):
    """How a folder differs from what was handed over. What is young waits, and is in neither of the first two."""

    added: dict[str, str]
    changed: dict[str, str]
    waiting: int
    missing: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many files are to be handed over."""
        return len(self.added) + len(self.changed)


def changes_since(state: HandedOver, seen: Survey) -> Changes:
    """What a look at the folder shows that the state does not."""
    added: dict[str, str] = {}
    changed: dict[str, str] = {}
    waiting = 0
    selects = state.place.selects
    for path, mark in seen.marks.items():
        known = state.files.get(path)
        if known == mark or not selects(path):
            continue
        if path in seen.young:
            waiting += 1
        else:
            (added if known is None else changed)[path] = mark
    return Changes(added, changed, waiting, tuple(sorted(state.files.keys() - seen.marks.keys())))


class HandOverStore:
    """What is remembered of one schedule. `schedule_id` is its UUID."""

    def __init__(self, store: ObjectStore, schedule_id: str) -> None:
        self._store = store
        self.schedule_id = str(_uuid(schedule_id))
        self._folder = f"changes/{_uuid(schedule_id).hex[:16]}"

    def begin(self, place: WatchedPlace, seen: Survey) -> None:
        """Remember what is there now: only what changes from now on is handed over.

        A schedule that is given another place begins again, but its batches are counted on, as ids of runs are made of
        their numbers.
        """
        key = f"{self._folder}/state.json"
        selected = {path: mark for path, mark in seen.marks.items() if place.selects(path)}

        def first(old: bytes | None) -> bytes:
            number = _read(HandedOver, old, key).number if old is not None else 0
            return _write(HandedOver(place=place, number=number, files=selected))

        self._store.update(key, first)

    def state(self) -> HandedOver:
        """What was handed over. NotFound if that was lost: to begin again without a word would repeat everything."""
        key = f"{self._folder}/state.json"
        try:
            return _read(HandedOver, self._store.get(key), key)
        except NotFound:
            raise _lost(key) from None

    def etag(self) -> str | None:
        """A text that is another after each change of the state."""
        return self._store.etag(f"{self._folder}/state.json")

    def batch_key(self, number: int) -> str:
        """Where in the store a batch lies, for runs that want to see the whole of it."""
        return f"{self._folder}/batches/{number:08d}.json"

    def batch(self, number: int) -> Batch | None:
        """A batch, handed over or open; None if there is none of this number yet."""
        key = self.batch_key(number)
        try:
            return _read(Batch, self._store.get(key), key)
        except NotFound:
            return None

    def is_open(self, state: HandedOver) -> bool:
        """True if a batch was written that this state does not count: a hand-over goes on, or was interrupted."""
        return self._store.exists(self.batch_key(state.number + 1))

    def open_batch(self) -> Batch | None:
        """The batch that the state does not count yet, if there is one.

        It is durable: who wrote it may have been killed before that. If it were lost after runs of it have started, a
        batch with other files would take its number, and their runs its ids.
        """
        found = self.batch(self.state().number + 1)
        return self.promise(found) if found is not None else None

    def promise(self, batch: Batch) -> Batch:
        """Write a batch before anything is done about it. Returns the one of this number that holds: perhaps it was
        another's."""
        if self._store.put_if_absent(self.batch_key(batch.number), _write(batch)):
            return batch
        held = self.batch(batch.number)
        if held is None:
            raise _lost(self.batch_key(batch.number))
        return held

    def count(self, batch: Batch) -> None:
        """Enter a batch into the state, once all its runs are there. Counting it again changes nothing."""
        key = f"{self._folder}/state.json"

        def counted(old: bytes | None) -> bytes:
            if old is None:
                raise _lost(key)
            state = _read(HandedOver, old, key)
            return _write(state.after(batch)) if state.number == batch.number - 1 else old

        self._store.update(key, counted)

    def note(self, check: Check) -> None:
        """Leave word of a check."""
        self._store.put(f"{self._folder}/check.json", _write(check))

    def last_check(self) -> Check | None:
        """The last check; None before the first, and if the word of it is not to be read."""
        key = f"{self._folder}/check.json"
        try:
            return _read(Check, self._store.get(key), key)
        except (NotFound, IntegrityError):
            return None


def batch_at(store: ObjectStore, key: str) -> Batch:
    """The batch that lies at a key, which a run was told: it may be anything, but only that of a batch is read."""
    if not _BATCH_KEY.fullmatch(key):
        raise InvalidName(f"{key[:80]!r} is not the key of a batch of changes.", target=key[:80])
    return _read(Batch, store.get(key), key)


def _uuid(schedule_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(schedule_id)
    except ValueError:
        raise InvalidName(
            f"{schedule_id[:80]!r} is not the id of a schedule.", hint="It is a UUID.", target=schedule_id[:80]
        ) from None


def _age(since: str, now: str) -> timedelta:
    return datetime.fromisoformat(now) - datetime.fromisoformat(since)


def utc_text() -> str:
    """Now, as it is written into batches and checks."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _write(document: Model) -> bytes:
    body: Mapping[str, Any] = document.model_dump(mode="json")
    return seal(dict(body))


def _read(kind: type[Document], data: bytes, key: str) -> Document:
    try:
        return kind.model_validate(unseal(data, f"The object {key!r}"))
    except ValidationError as error:
        raise IntegrityError(
            f"The object {key!r} cannot be read by this version of Airloom: {error.errors()[0]['msg']}.",
            hint="Use the version that wrote it.",
            target=key,
        ) from None


def _lost(key: str) -> NotFound:
    return NotFound(
        f"What the schedule has handed over is not known: the store has no object {key!r}.",
        hint="Restore it from a backup; or make another schedule, which begins with what is in the folder now.",
        target=key,
    )
