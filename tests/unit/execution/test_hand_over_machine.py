"""The hand-over of changes in sequences that nobody wrote: files come, change, go and come back, workers are killed
between any two operations, others come between, and the schedule is given other runs to make.

Each change of a file must be in exactly one run, but for those that were changed again before anyone could see them.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from airloom.execution.hand_over import Order, PlannedRun, hand_over
from airloom.execution.names import RUN_KEY
from airloom.storage.handed_over import HandOverStore
from airloom.storage.local import LocalStore
from airloom.storage.object_store import ObjectStore
from airloom.storage.watched import WatchedPlace
from tests.support.watched_folder import Crash, Folder, Interrupted, Runs, at_step, crash

MEMORY = Path("/dev/shm")
SCHEDULE = str(uuid.UUID(int=7))
PLACE = WatchedPlace(datastore="data", path="in")
PATHS = st.sampled_from([f"in/{name}" for name in "abcd"])
STEPS = st.integers(0, 25)
ORDERS = st.sampled_from(
    [
        Order("one", {RUN_KEY: {}}),
        Order("other", {RUN_KEY: {"experiment": "x"}}, "data"),
        Order("one", {}, "data", "file"),
    ]
)


class HandOvers(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="airloom-changes-", dir=MEMORY if MEMORY.is_dir() else None))
        self.store = LocalStore(self.root)
        self.folder = Folder()
        self.runs = Runs()
        self.gone: dict[str, str] = {}
        self.baseline: set[tuple[str, str]] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @initialize(paths=st.sets(PATHS))
    def begin(self, paths: set[str]) -> None:
        for path in sorted(paths):
            self.folder.write(path)
        HandOverStore(self.store, SCHEDULE).begin(PLACE, self.folder.look(PLACE))
        self.baseline = set(self.folder.files.items())

    @rule(path=PATHS, young=st.booleans())
    def write(self, path: str, young: bool) -> None:
        self.folder.write(path, young=young)

    @rule()
    def settle(self) -> None:
        self.folder.young.clear()

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        if path in self.folder.files:
            self.gone[path] = self.folder.files[path]
            self.folder.remove(path)

    @rule(path=PATHS)
    def come_back(self, path: str) -> None:
        if path in self.gone and path not in self.folder.files:
            self.folder.files[path] = self.gone[path]

    @rule(order=ORDERS)
    def work(self, order: Order) -> None:
        self._hand_over(order, lambda: None)

    @rule(order=ORDERS, step=STEPS)
    def be_killed(self, order: Order, step: int) -> None:
        try:
            self._hand_over(order, at_step(step, crash))
        except Crash:
            pass

    @rule(order=ORDERS, other=ORDERS, step=STEPS, path=PATHS)
    def be_overtaken(self, order: Order, other: Order, step: int, path: str) -> None:
        def overtake() -> None:
            self.folder.write(path)
            self._hand_over(other, lambda: None)

        self._hand_over(order, at_step(step, overtake))

    @rule(order=ORDERS, other=ORDERS, step=STEPS, other_step=STEPS)
    def be_overtaken_by_one_that_is_killed(self, order: Order, other: Order, step: int, other_step: int) -> None:
        def overtake() -> None:
            self.be_killed(other, other_step)

        self._hand_over(order, at_step(step, overtake))

    @invariant()
    def nothing_is_handed_over_twice(self) -> None:
        started = Counter(self._handed_over(only_started=True))
        assert max(started.values(), default=0) <= 1
        assert not self.baseline & started.keys()

    @rule(order=ORDERS)
    def all_is_handed_over_in_the_end(self, order: Order) -> None:
        self._hand_over(order, lambda: None)
        state = HandOverStore(self.store, SCHEDULE).state()
        settled = {path: mark for path, mark in self.folder.files.items() if path not in self.folder.young}
        assert settled.items() <= state.files.items()
        handed_over = set(self._handed_over(only_started=True))
        assert set(settled.items()) <= handed_over | self.baseline
        assert handed_over == set(self._handed_over(only_started=False))

    def _hand_over(self, order: Order, hook: Callable[[], None]) -> None:
        def start(run: PlannedRun) -> None:
            hook()
            self.runs.start(run)
            hook()

        objects = cast(ObjectStore, Interrupted(self.store, hook))
        hand_over(HandOverStore(objects, SCHEDULE), PLACE, order, self.folder.look, start)

    def _handed_over(self, *, only_started: bool) -> list[tuple[str, str]]:
        """The changes (paths with their marks) of all batches, or of those runs that were started."""
        store = HandOverStore(self.store, SCHEDULE)
        found = []
        for number in range(1, store.state().number + 2):
            batch = store.batch(number)
            marks = {**batch.added, **batch.changed} if batch is not None else {}
            runs = [conf[RUN_KEY]["changes"] for conf in self.runs.confs.values()]
            started = [path for told in runs if told["batch"] == number for path in told["paths"]]
            assert set(started) <= marks.keys()
            found += [(path, marks[path]) for path in (started if only_started else marks)]
        return found


def test_each_change_is_handed_over_exactly_once(rounds: Callable[[int, int], int]) -> None:
    run_state_machine_as_test(
        HandOvers,
        settings=settings(
            max_examples=rounds(60, 2000),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
