"""Schedules that watch a folder, by REST: what they begin with, what they show, and what is refused."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from airloom.graph.model import ParameterDef
from airloom.storage.handed_over import Check, HandOverStore
from airloom.storage.local import LocalStore
from tests.integration.api.bench import Bench, graph
from tests.integration.api.test_pipelines import Publisher
from tests.support.builders import a_path

PARAMETERS = (
    ParameterDef(name="rate", type="int", default=10),
    ParameterDef(name="table", type="datapath", default=a_path("workspaceblobstore/raw")),
)


class Watcher(Publisher):
    """Makes schedules on folders of one datastore."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.pipeline = self.publish(graph=graph(parameters=PARAMETERS).model_dump(mode="json"))
        self.folder = f"in-{uuid4().hex[:8]}"
        self.storage = bench.storage
        self.drop("before")

    def drop(self, name: str, folder: str = "") -> None:
        path = self.storage.datastore("workspaceblobstore").local_path(f"{folder or self.folder}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)

    def body(self, **data: Any) -> dict[str, Any]:
        fields = {"datastore": "workspaceblobstore", "path": self.folder, **data}
        return {"name": uuid4().hex, "pipeline_id": self.pipeline["id"], "experiment": "watching", "data": fields}

    def schedule(self, **data: Any) -> dict[str, Any]:
        return self.done(self.ask("POST", "schedules", self.body(**data)))

    def memory(self, schedule: dict[str, Any]) -> HandOverStore:
        return HandOverStore(LocalStore(self.server.store), schedule["id"])


@pytest.fixture
def watcher(bench: Bench) -> Watcher:
    return Watcher(bench)


def test_a_schedule_begins_with_what_is_there(watcher: Watcher) -> None:
    schedule = watcher.schedule(polling_interval=0.5, data_path_parameter_name="table", one_run_per="file")
    assert schedule["data"] == {
        "datastore": "workspaceblobstore",
        "path": watcher.folder,
        "polling_interval": 0.5,
        "data_path_parameter_name": "table",
        "one_run_per": "file",
    }
    assert schedule["recurrence"] is schedule["next_run_at"] is schedule["last_check"] is None
    state = watcher.memory(schedule).state()
    assert list(state.files) == [f"{watcher.folder}/before"]
    assert (state.number, state.place.path) == (0, watcher.folder)


def test_a_folder_that_is_not_there_yet_may_be_watched(watcher: Watcher) -> None:
    schedule = watcher.schedule(path="not/yet/there")
    assert watcher.memory(schedule).state().files == {}


def test_airflow_watches_while_the_schedule_is_active(watcher: Watcher) -> None:
    def assets() -> list[str]:
        answer = watcher.http.get(f"{watcher.server.url}/api/v2/assets", params={"dag_ids": schedule["dag_id"]})
        return [f"{asset['name']} {asset['uri']}" for asset in answer.json()["assets"]]

    schedule = watcher.schedule()
    assert assets() == [f"{schedule['dag_id']} airloom://schedules/{schedule['dag_id'].rpartition('.')[2]}"]
    watcher.done(watcher.ask("PATCH", f"schedules/{schedule['id']}", {"status": "Disabled"}), 200)
    assert assets() == []
    watcher.drop("while disabled")
    watcher.done(watcher.ask("PATCH", f"schedules/{schedule['id']}", {"status": "Active"}), 200)
    assert len(assets()) == 1
    assert list(watcher.memory(schedule).state().files) == [f"{watcher.folder}/before"]  # so the new one is handed over


def test_the_last_check_is_shown(watcher: Watcher) -> None:
    schedule = watcher.schedule()
    check = Check(at="2026-07-01T08:00:00+00:00", outcome="failed", changes=0, message="The disk is gone.")
    watcher.memory(schedule).note(check)
    shown = watcher.read(f"schedules/{schedule['id']}")["last_check"]
    assert shown == {**check.model_dump(), "at": "2026-07-01T08:00:00Z"}
    (listed,) = [each for each in watcher.read("schedules?limit=1000")["schedules"] if each["id"] == schedule["id"]]
    assert listed["last_check"] == shown


def test_another_path_is_begun_with_anew_and_other_changes_are_not(watcher: Watcher) -> None:
    schedule = watcher.schedule()
    watcher.drop("after")
    change = {"name": uuid4().hex, "data": {**schedule["data"], "polling_interval": 1}}
    watcher.done(watcher.ask("PATCH", f"schedules/{schedule['id']}", change), 200)
    assert list(watcher.memory(schedule).state().files) == [f"{watcher.folder}/before"]
    other = f"{watcher.folder}-other"
    watcher.drop("there", other)
    change = {"data": {**schedule["data"], "path": other}}
    watcher.done(watcher.ask("PATCH", f"schedules/{schedule['id']}", change), 200)
    state = watcher.memory(schedule).state()
    assert list(state.files) == [f"{other}/there"] and state.place.path == other


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"datastore": "elsewhere"}, "has no datastore 'elsewhere'"),
        ({"path": "../secrets"}, "path"),
        ({"path": "/etc"}, "path"),
        ({"path": "in/../../x"}, "path"),
        ({"path": ".airloom-tmp-1"}, "keeps for itself"),
        ({"path": "a\u0000b"}, "NUL"),
        ({"polling_interval": 0}, "polling_interval"),
        ({"polling_interval": -1}, "polling_interval"),
        ({"polling_interval": "often"}, "polling_interval"),
        ({"data_path_parameter_name": "missing"}, "has no parameter 'missing' of type DataPath"),
        ({"data_path_parameter_name": "rate"}, "has no parameter 'rate' of type DataPath"),
        ({"one_run_per": "folder"}, "one_run_per"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_what_cannot_be_watched_is_refused_and_nothing_is_made(
    watcher: Watcher, data: dict[str, Any], said: str
) -> None:
    before = watcher.read("schedules?limit=1000")["schedules"]
    remembered = list(LocalStore(watcher.server.store).list("changes/"))
    answer = watcher.ask("POST", "schedules", watcher.body(**data))
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["Error"]["Message"]
    assert watcher.read("schedules?limit=1000")["schedules"] == before
    assert list(LocalStore(watcher.server.store).list("changes/")) == remembered


def test_a_path_that_climbs_out_by_a_link_is_refused(watcher: Watcher) -> None:
    (watcher.storage.datastore("workspaceblobstore").local_path(watcher.folder) / "out").symlink_to("/etc")
    answer = watcher.ask("POST", "schedules", watcher.body(path=f"{watcher.folder}/out"))
    assert answer.status_code == 400, answer.text
    assert "symbolic link" in answer.json()["Error"]["Message"]
