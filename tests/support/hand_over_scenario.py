"""A hand-over of changed files as a scenario of crashes: a folder of objects stands in for Airflow and its runs."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import ClassVar

from airloom.execution.hand_over import Order, PlannedRun, hand_over
from airloom.execution.names import RUN_KEY
from airloom.graph.canonical import canonical_json
from airloom.storage.handed_over import HandOverStore
from airloom.storage.local import LocalStore
from airloom.storage.watched import Survey, WatchedPlace


class HandOver:
    """Two files are handed over to a run each. What counts as handed over has its run, and no file has two."""

    place = WatchedPlace(datastore="data", path="in")
    order = Order("prices", {}, "data", "file")
    before: ClassVar = {"in/old": "1"}
    after: ClassVar = {"in/old": "1", "in/a": "2", "in/b": "3"}

    def prepare(self, root: Path) -> None:
        self._store(root).begin(self.place, Survey(self.before))

    def act(self, root: Path) -> None:
        airflow = LocalStore(root / "airflow")

        def start(run: PlannedRun) -> None:
            airflow.put_if_absent(f"runs/{run.run_id}", canonical_json(run.conf))

        hand_over(self._store(root), self.place, self.order, lambda place: Survey(self.after), start)

    def check(self, root: Path, *, finished: bool, acknowledged: int = 0) -> None:
        airflow = LocalStore(root / "airflow")
        confs = [json.loads(airflow.get(key)) for key in airflow.list("runs/")]
        started = sorted(path for conf in confs for path in conf[RUN_KEY]["changes"]["paths"])
        state = self._store(root).state()
        assert set(started) <= {"in/a", "in/b"} and len(started) == len(set(started))
        assert state.files in (self.before, self.after)
        assert state.files == self.before or started == ["in/a", "in/b"]
        # A state that was not synced by one who was killed may be lost: then the same runs are asked for once more.
        assert started == ["in/a", "in/b"] or not finished

    def _store(self, root: Path) -> HandOverStore:
        return HandOverStore(LocalStore(root / "store"), str(uuid.UUID(int=9)))
