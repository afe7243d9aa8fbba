"""Handing changes over: each change of a watched folder goes to exactly one run, whoever dies meanwhile.

`hand_over` may be called at any time, by any number of processes at once, and be killed anywhere. See
`airloom.storage.handed_over` for what is written in which order, and why that suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from airloom.execution.names import RUN_KEY
from airloom.graph.model import DataLocation, PathSource
from airloom.storage.handed_over import (
    Batch,
    Changes,
    Check,
    HandedOver,
    HandOverStore,
    RunsPer,
    changes_since,
    utc_text,
)
from airloom.storage.watched import Survey, WatchedPlace

FILES_AT_ONCE = 100
"""How many files one batch has at most if each makes a run: after so many runs, progress is noted."""
PATHS_IN_CONF = 100
LETTERS_IN_CONF = 10_000
"""How many paths, and how much text of them, the configuration of a run may list. The batch has them all."""


class Order(NamedTuple):
    """What runs a schedule wants: of which DAG, with which configuration, and how the changed data reach them."""

    dag_id: str
    conf: dict[str, Any]
    data_path_parameter_name: str | None = None
    one_run_per: RunsPer = "batch"


class PlannedRun(NamedTuple):
    """A run to be started, unless there is one of this DAG and id."""

    dag_id: str
    run_id: str
    conf: dict[str, Any]


Look = Callable[[WatchedPlace], Survey]
Start = Callable[[PlannedRun], None]


def hand_over(store: HandOverStore, place: WatchedPlace, order: Order, look: Look, start: Start) -> list[PlannedRun]:
    """Start the runs for all that has changed, and remember that. Returns the runs, whether or not they were new.

    `start` must do nothing if there is such a run already, and raise if none can be made; then the batch stays open,
    and the next call goes on with it.
    """
    started = list(_deliver(store, store.open_batch(), start))
    if store.state().place != place:  # the schedule was given another, and whoever did that has died since
        store.begin(place, look(place))
    state, seen = _look(store, look)
    while batch := next_batch(store.schedule_id, state, seen, order):
        held = store.promise(batch)
        started += _deliver(store, held, start)
        # Another's batch may rest on a later look than ours.
        state, seen = (state.after(batch), seen) if held == batch else _look(store, look)
    return started


def _look(store: HandOverStore, look: Look) -> tuple[HandedOver, Survey]:
    """The state, and the folder as it is after that: what is seen is never older than the state."""
    state = store.state()
    return state, look(state.place)


def next_batch(schedule_id: str, state: HandedOver, seen: Survey, order: Order) -> Batch | None:
    """The batch that follows a state, or None if nothing has changed that is settled."""
    changes = changes_since(state, seen)
    if not changes.total:
        return None
    chosen = sorted([*changes.added, *changes.changed])
    if order.one_run_per == "file":
        chosen = chosen[:FILES_AT_ONCE]
    return Batch(
        schedule_id=schedule_id,
        number=state.number + 1,
        found_at=utc_text(),
        place=state.place,
        added={path: changes.added[path] for path in chosen if path in changes.added},
        changed={path: changes.changed[path] for path in chosen if path in changes.changed},
        missing=changes.missing,
        **order._asdict(),
    )


def _deliver(store: HandOverStore, batch: Batch | None, start: Start) -> Iterator[PlannedRun]:
    """Start the runs of an open batch, then count it."""
    if batch is None:
        return
    for run in planned_runs(batch, store.batch_key(batch.number)):
        start(run)
        yield run
    store.count(batch)


def planned_runs(batch: Batch, key: str) -> Iterator[PlannedRun]:
    """The runs of a batch. Equal batches make equal runs, with equal ids. `key` is where the batch lies."""
    if batch.one_run_per == "batch":
        yield _run(batch, batch.place.folder, batch.paths, key)
    else:
        for path in batch.paths:
            yield _run(batch, path, [path], key)


def _run(batch: Batch, data_path: str, paths: list[str], key: str) -> PlannedRun:
    conf = dict(batch.conf)
    if batch.data_path_parameter_name:
        source = PathSource(location=DataLocation(datastore=batch.place.datastore, path=data_path))
        conf[batch.data_path_parameter_name] = source.model_dump(mode="json")
    told = {"batch": batch.number, "count": len(paths), "paths": _first(paths), "list": key}
    about = batch.conf.get(RUN_KEY, {})
    # Airloom's pages and API show the properties of a run, and not the rest of its configuration.
    shown = {f"changes.{name}": str(told[name]) for name in ("batch", "count", "list")}
    conf[RUN_KEY] = {**about, "changes": told, "properties": {**about.get("properties", {}), **shown}}
    return PlannedRun(batch.dag_id, batch.run_id(data_path), conf)


def _first(paths: list[str]) -> list[str]:
    """As many paths as a configuration should hold."""
    letters = 0
    for count, path in enumerate(paths[:PATHS_IN_CONF]):
        letters += len(path)
        if letters > LETTERS_IN_CONF:
            return paths[:count]
    return paths[:PATHS_IN_CONF]


# --- what people are told ---------------------------------------------------------------------------------------


def check_of_place(state: HandedOver, place: WatchedPlace) -> Check | None:
    """What a check says that finds another place remembered than it should look at; None if it is the same."""
    if state.place == place:
        return None
    return Check(at=utc_text(), outcome="found", message=f"The schedule begins to watch {place.path!r}.")


def check_of(state: HandedOver, changes: Changes, *, is_open: bool = False) -> Check:
    """What a look at the folder says, before anything is done about it. `is_open`: a hand-over is not finished."""
    gone = f" {_files(len(changes.missing))} that were there are gone." if changes.missing else ""
    waiting = f" {_files(changes.waiting)} changed just now: the next check takes them." if changes.waiting else ""
    if changes.total:
        message = f"{_files(changes.total)} added or changed, to be handed over as batch {state.number + 1}."
        return Check(at=utc_text(), outcome="found", changes=changes.total, message=message + waiting + gone)
    if is_open:
        return Check(at=utc_text(), outcome="found", message=f"Batch {state.number + 1} is not handed over yet." + gone)
    if changes.waiting:
        return Check(at=utc_text(), outcome="waiting", changes=changes.waiting, message=waiting.strip() + gone)
    message = f"No changes since batch {state.number}." if state.number else "No changes since the schedule was made."
    return Check(at=utc_text(), outcome="unchanged", message=message + gone)


def check_of_runs(runs: list[PlannedRun]) -> Check:
    """What a hand-over says that has started these runs."""
    if not runs:
        return Check(at=utc_text(), outcome="unchanged", message="No changes: all were handed over before.")
    told = [run.conf[RUN_KEY]["changes"] for run in runs]
    files = sum(each["count"] for each in told)
    batches = sorted({each["batch"] for each in told})
    span = f"batch {batches[0]}" if len(batches) == 1 else f"batches {batches[0]} to {batches[-1]}"
    count = f"{len(runs)} run{'s' * (len(runs) != 1)}"
    return Check(
        at=utc_text(),
        outcome="handed_over",
        changes=files,
        message=f"{_files(files)} handed over as {span}, in {count}.",
    )


def check_of_failure(error: BaseException) -> Check:
    """What a check says that could not be made, or a hand-over that was not finished. It is tried again."""
    return Check(at=utc_text(), outcome="failed", message=f"{error} It is tried again at the next check.")


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"
