"""The hand-over of changes: what goes to which run, once, and what people are told of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from airloom.errors import IntegrityError, InvalidName, NotFound
from airloom.execution.hand_over import (
    FILES_AT_ONCE,
    LETTERS_IN_CONF,
    PATHS_IN_CONF,
    Order,
    PlannedRun,
    check_of,
    check_of_failure,
    check_of_place,
    check_of_runs,
    hand_over,
)
from airloom.execution.names import RUN_KEY
from airloom.storage.handed_over import Batch, HandOverStore, changes_since
from airloom.storage.local import LocalStore
from airloom.storage.object_store import ObjectStore
from airloom.storage.watched import Survey, WatchedPlace
from tests.support.crashes import memory_folder
from tests.support.watched_folder import Crash, Folder, Interrupted, Runs, at_step, crash

SCHEDULE = str(uuid.uuid4())
ORDER = Order("pipeline.0123", {"rate": 0.5, RUN_KEY: {"experiment": "nightly", "schedule_id": SCHEDULE}})
PER_FILE = ORDER._replace(data_path_parameter_name="data", one_run_per="file")
FEWEST_STEPS = 11
"""At how many moments something may happen: before and after each of five operations on the store, and each start."""


class Scene:
    """A folder, a schedule that watches it, and the runs that came of it."""

    def __init__(self, root: Path, path: str = "in") -> None:
        self.objects = LocalStore(root)
        self.store = HandOverStore(self.objects, SCHEDULE)
        self.place = WatchedPlace(datastore="data", path=path)
        self.folder = Folder()
        self.runs = Runs()

    def begin(self) -> None:
        self.store.begin(self.place, self.folder.look(self.place))

    def hand_over(self, order: Order = ORDER, hook: Callable[[], None] | None = None) -> list[PlannedRun]:
        if hook is None:
            return hand_over(self.store, self.place, order, self.folder.look, self.runs.start)

        def start(run: PlannedRun) -> None:
            hook()
            self.runs.start(run)
            hook()

        objects = cast(ObjectStore, Interrupted(self.objects, hook))
        return hand_over(HandOverStore(objects, SCHEDULE), self.place, order, self.folder.look, start)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory: nothing here is about durability, so nothing need wait for a disk."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A schedule that was made while one file was there."""
    scene = Scene(tmp_path)
    scene.folder.write("in/old")
    scene.begin()
    return scene


def told(run: PlannedRun) -> dict[str, Any]:
    found: dict[str, Any] = run.conf[RUN_KEY]["changes"]
    return found


# --- what is handed over ----------------------------------------------------------------------------------------


def test_what_was_there_from_the_beginning_is_no_change(scene: Scene) -> None:
    assert scene.hand_over() == []
    assert scene.store.batch(1) is None


def test_added_and_changed_files_make_one_batch_and_one_run(scene: Scene) -> None:
    scene.folder.write("in/new")
    scene.folder.write("in/old")
    (run,) = scene.hand_over(ORDER._replace(data_path_parameter_name="data"))
    assert run.dag_id == ORDER.dag_id
    assert run.conf["rate"] == 0.5
    assert run.conf["data"] == {"kind": "path", "location": {"datastore": "data", "path": "in"}}
    assert run.conf[RUN_KEY] == {
        "experiment": "nightly",
        "schedule_id": SCHEDULE,
        "changes": {"batch": 1, "count": 2, "paths": ["in/new", "in/old"], "list": scene.store.batch_key(1)},
        "properties": {"changes.batch": "1", "changes.count": "2", "changes.list": scene.store.batch_key(1)},
    }
    batch = scene.store.batch(1)
    assert batch is not None and list(batch.added) == ["in/new"] and list(batch.changed) == ["in/old"]
    assert scene.hand_over() == []


def test_each_change_of_a_file_is_handed_over(scene: Scene) -> None:
    for _ in range(3):
        scene.folder.write("in/old")
        (run,) = scene.hand_over()
        assert told(run)["paths"] == ["in/old"]
    assert scene.runs.changes == ["in/old"] * 3


def test_a_run_for_each_file_gets_the_path_of_that_file(scene: Scene) -> None:
    for name in "ab":
        scene.folder.write(f"in/{name}")
    runs = scene.hand_over(PER_FILE)
    assert [run.conf["data"]["location"]["path"] for run in runs] == ["in/a", "in/b"]
    assert [told(run)["paths"] for run in runs] == [["in/a"], ["in/b"]]
    assert len({run.run_id for run in runs}) == 2


def test_many_files_with_a_run_each_come_in_several_batches_at_once(scene: Scene) -> None:
    for number in range(2 * FILES_AT_ONCE + 1):
        scene.folder.write(f"in/{number:04d}")
    runs = scene.hand_over(PER_FILE)
    assert [told(run)["batch"] for run in runs] == [1] * FILES_AT_ONCE + [2] * FILES_AT_ONCE + [3]
    assert scene.hand_over(PER_FILE) == []


def test_a_pattern_hands_over_what_it_matches_and_the_folder_above_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "in/**/*.csv")
    scene.folder.write("in/old.csv")
    scene.begin()
    for path in ("in/a.csv", "in/deep/b.csv", "in/c.txt"):
        scene.folder.write(path)
    (run,) = scene.hand_over(ORDER._replace(data_path_parameter_name="data"))
    assert told(run)["paths"] == ["in/a.csv", "in/deep/b.csv"]
    assert run.conf["data"]["location"]["path"] == "in"


def test_the_configuration_lists_some_paths_and_the_batch_all(scene: Scene) -> None:
    for number in range(PATHS_IN_CONF + 1):
        scene.folder.write(f"in/{number:04d}")
    (run,) = scene.hand_over()
    assert told(run)["count"] == PATHS_IN_CONF + 1 and len(told(run)["paths"]) == PATHS_IN_CONF
    batch = scene.store.batch(1)
    assert batch is not None and len(batch.paths) == PATHS_IN_CONF + 1 and told(run)["list"] == scene.store.batch_key(1)


def test_long_paths_do_not_make_a_long_configuration(scene: Scene) -> None:
    for number in range(10):
        scene.folder.write(f"in/{number}{'x' * (LETTERS_IN_CONF // 4)}")
    (run,) = scene.hand_over()
    assert told(run)["count"] == 10 and len(told(run)["paths"]) == 3


# --- what is not, or not yet ------------------------------------------------------------------------------------


def test_a_young_file_waits_and_holds_up_no_other(scene: Scene) -> None:
    scene.folder.write("in/growing", young=True)
    scene.folder.write("in/done")
    (run,) = scene.hand_over()
    assert told(run)["paths"] == ["in/done"]
    scene.folder.young.clear()
    (run,) = scene.hand_over()
    assert told(run)["paths"] == ["in/growing"]


def test_deleted_files_are_noted_and_not_handed_over(scene: Scene) -> None:
    scene.folder.remove("in/old")
    assert scene.hand_over() == []
    scene.folder.write("in/new")
    scene.hand_over()
    batch = scene.store.batch(1)
    assert batch is not None and batch.missing == ("in/old",)
    assert scene.store.state().gone == {"in/old": batch.found_at}


def test_files_that_come_back_unchanged_are_no_change_and_changed_ones_are(scene: Scene) -> None:
    """As when the disk of a datastore is not mounted for a while."""
    kept = dict(scene.folder.files)
    scene.folder.files.clear()
    scene.folder.write("in/new")
    scene.hand_over()
    scene.folder.files.update(kept)
    assert scene.hand_over() == []
    scene.folder.write("in/old")
    (run,) = scene.hand_over()
    assert told(run)["paths"] == ["in/old"]


def test_what_is_gone_for_long_is_forgotten(scene: Scene) -> None:
    def batch(number: int, day: str) -> Batch:
        return Batch(
            schedule_id=SCHEDULE, number=number, found_at=f"2026-{day}T00:00:00+00:00", place=scene.place,
            added={}, changed={}, missing=("in/old",), dag_id="d", conf={},
        )  # fmt: skip

    state = scene.store.state().after(batch(1, "01-01")).after(batch(2, "01-31"))
    assert "in/old" in state.files and state.gone == {"in/old": "2026-01-01T00:00:00+00:00"}
    state = state.after(batch(3, "02-01"))
    assert "in/old" not in state.files and state.gone == {}


# --- once, whatever happens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [ORDER, PER_FILE])
def test_a_crash_before_or_after_any_operation_loses_and_doubles_nothing(tmp_path: Path, order: Order) -> None:
    crashes = 0
    for step in range(200):
        scene = Scene(tmp_path / str(step))
        scene.begin()
        for name in "abc":
            scene.folder.write(f"in/{name}")
        try:
            scene.hand_over(order, at_step(step, crash))
        except Crash:
            crashes += 1
        else:
            break
        scene.folder.write("in/later")
        scene.hand_over(order)
        assert scene.runs.changes == ["in/a", "in/b", "in/c", "in/later"], step
    assert crashes == step >= FEWEST_STEPS


@pytest.mark.parametrize("order", [ORDER, PER_FILE])
def test_another_hand_over_that_comes_between_loses_and_doubles_nothing(tmp_path: Path, order: Order) -> None:
    """Also one that sees more than the first did."""
    for step in range(200):
        scene = Scene(tmp_path / str(step))
        scene.begin()
        for name in "abc":
            scene.folder.write(f"in/{name}")
        came = []

        def other(scene: Scene = scene, came: list[int] = came) -> None:
            scene.folder.write("in/a")
            scene.folder.write("in/later")
            scene.hand_over(order)
            came.append(1)

        scene.hand_over(order, at_step(step, other))
        if not came:
            break
        scene.hand_over(order)
        changes_of_a = min(2, scene.runs.changes.count("in/a"))  # two, unless the second came before anyone had looked
        assert scene.runs.changes == [*["in/a"] * changes_of_a, "in/b", "in/c", "in/later"], step
        assert scene.store.state().files == scene.folder.files
    assert step >= FEWEST_STEPS


def test_an_open_batch_goes_where_it_was_promised_though_the_schedule_has_changed(scene: Scene) -> None:
    scene.folder.write("in/new")

    def refuse(run: PlannedRun) -> None:
        raise RuntimeError("no such DAG")

    with pytest.raises(RuntimeError):
        hand_over(scene.store, scene.place, ORDER, scene.folder.look, refuse)
    assert scene.store.is_open(scene.store.state())
    (run,) = scene.hand_over(ORDER._replace(dag_id="another"))
    assert run.dag_id == ORDER.dag_id
    assert not scene.store.is_open(scene.store.state())


def test_another_place_begins_anew_but_batches_are_counted_on(scene: Scene) -> None:
    scene.folder.write("in/new")
    (first,) = scene.hand_over()
    scene.place = WatchedPlace(datastore="data", path="out")
    scene.store.begin(scene.place, Survey({"out/there": "1"}))
    assert set(scene.store.state().files) == {"out/there"}
    scene.folder.files = {"out/there": "1", "out/added": "2"}
    (run,) = scene.hand_over()
    assert told(run)["batch"] == 2 and run.run_id != first.run_id and told(run)["paths"] == ["out/added"]


def test_another_place_that_was_not_begun_with_is_begun_with_at_the_next_hand_over(scene: Scene) -> None:
    """As when the server has died while it changed the schedule."""
    scene.place = WatchedPlace(datastore="data", path="out")
    check = check_of_place(scene.store.state(), scene.place)
    assert check is not None and check.outcome == "found"
    scene.folder.files = {"out/there": "1"}
    assert scene.hand_over() == []
    assert check_of_place(scene.store.state(), scene.place) is None
    scene.folder.files["out/added"] = "2"
    (run,) = scene.hand_over()
    assert told(run)["paths"] == ["out/added"]


def test_a_batch_is_counted_once(scene: Scene) -> None:
    for path in ("in/a", "in/b"):
        scene.folder.write(path)
        scene.hand_over()
    first, after = scene.store.batch(1), scene.store.state()
    assert first is not None
    scene.store.count(first)
    assert scene.store.state() == after


def test_changes_are_handed_over_through_any_store(any_store: ObjectStore) -> None:
    store, folder, runs = HandOverStore(any_store, SCHEDULE), Folder(), Runs()
    place = WatchedPlace(datastore="data", path="in")
    folder.write("in/old")
    store.begin(place, folder.look(place))
    for path in ("in/a", "in/b"):
        folder.write(path)
        hand_over(store, place, ORDER, folder.look, runs.start)
    assert runs.changes == ["in/a", "in/b"]
    before = store.etag()
    assert hand_over(store, place, ORDER, folder.look, runs.start) == [] and store.etag() == before


# --- what is lost or damaged ------------------------------------------------------------------------------------


def test_a_lost_state_is_an_error_and_not_an_empty_one(scene: Scene) -> None:
    scene.objects.delete(next(key for key in scene.objects.list("changes/") if key.endswith("state.json")))
    with pytest.raises(NotFound, match="is not known"):
        scene.hand_over()
    assert scene.runs.confs == {}


@pytest.mark.parametrize("damage", [b"{}", b'{"body": {"format": 9}}'])
def test_a_damaged_state_is_an_error_that_names_it(scene: Scene, damage: bytes) -> None:
    (key,) = [key for key in scene.objects.list("changes/") if key.endswith("state.json")]
    scene.objects.put(key, damage)
    with pytest.raises(IntegrityError, match=key):
        scene.hand_over()


def test_what_is_no_id_of_a_schedule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidName):
        HandOverStore(LocalStore(tmp_path), "../..")


# --- what people are told ---------------------------------------------------------------------------------------


def test_checks_tell_what_was_seen(scene: Scene) -> None:
    def look() -> tuple[str, int, str]:
        state = scene.store.state()
        check = check_of(
            state, changes_since(state, scene.folder.look(scene.place)), is_open=scene.store.is_open(state)
        )
        return check.outcome, check.changes, check.message

    assert look() == ("unchanged", 0, "No changes since the schedule was made.")
    scene.folder.write("in/young", young=True)
    assert look() == ("waiting", 1, "1 file changed just now: the next check takes them.")
    scene.folder.write("in/a")
    scene.folder.write("in/b")
    scene.folder.remove("in/old")
    assert look() == (
        "found",
        2,
        "2 files added or changed, to be handed over as batch 1. 1 file changed just now: the next check takes them."
        " 1 file that were there are gone.",
    )
    runs = scene.hand_over()
    assert check_of_runs(runs).message == "2 files handed over as batch 1, in 1 run."
    assert check_of_runs(runs).outcome == "handed_over"
    scene.folder.remove("in/young")
    assert look() == ("unchanged", 0, "No changes since batch 1. 1 file that were there are gone.")
    assert check_of_runs([]).outcome == "unchanged"


def test_an_open_batch_is_told_of_though_its_files_are_gone(scene: Scene) -> None:
    scene.folder.write("in/new")
    with pytest.raises(Crash):
        scene.hand_over(hook=at_step(8, crash))
    scene.folder.remove("in/new")
    state = scene.store.state()
    check = check_of(state, changes_since(state, scene.folder.look(scene.place)), is_open=scene.store.is_open(state))
    assert (check.outcome, check.message) == ("found", "Batch 1 is not handed over yet.")


def test_the_last_check_is_kept_and_a_damaged_one_is_none(scene: Scene) -> None:
    assert scene.store.last_check() is None
    check = check_of_failure(RuntimeError("The disk is gone."))
    scene.store.note(check)
    assert scene.store.last_check() == check
    assert check.message == "The disk is gone. It is tried again at the next check."
    (key,) = [key for key in scene.objects.list("changes/") if key.endswith("check.json")]
    scene.objects.put(key, b"{")
    assert scene.store.last_check() is None
