"""Schedules over REST: made, changed, and refused; what they run, and what becomes of them when a server dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from airloom.storage.object_store import open_store
from airloom.storage.schedules import ScheduleDocument, ScheduleStore, short_id
from tests.integration.api.bench import WORKSPACE, Bench
from tests.integration.api.publisher import Publisher

WEEKLY = {"frequency": "Week", "interval": 2, "week_days": ["Monday", "Friday"], "time_of_day": "15:30"}


class Scheduler(Publisher):
    """A plain HTTP client of the routes of schedules too."""

    def schedule(self, pipeline: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        target = {} if "endpoint_id" in fields else {"pipeline_id": (pipeline or self.publish())["id"]}
        body = {"name": f"s-{uuid4().hex}", "experiment": "nightly", "recurrence": WEEKLY, **target, **fields}
        return self.done(self.ask("POST", "schedules", body))

    def change(self, schedule: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return self.done(self.ask("PATCH", f"schedules/{schedule['id']}", fields), 200)

    def document(self, schedule: dict[str, Any]) -> ScheduleDocument:
        """What workers read."""
        return self.documents.get(short_id(schedule["id"]))

    @property
    def documents(self) -> ScheduleStore:
        return ScheduleStore(open_store(self.server.store.as_uri()))

    def dag(self, schedule: dict[str, Any]) -> dict[str, Any]:
        """What Airflow knows of the schedule's DAG."""
        return dict(self.http.get(f"{self.server.url}/api/v2/dags/{schedule['dag_id']}/details").json())

    def versions(self, schedule: dict[str, Any]) -> int:
        answer = self.http.get(f"{self.server.url}/api/v2/dags/{schedule['dag_id']}/dagVersions")
        return int(answer.json()["total_entries"])

    def names(self) -> set[str]:
        return {each["name"] for each in self.read("schedules?active_only=false&limit=1000")["schedules"]}


@pytest.fixture
def scheduler(bench: Bench) -> Scheduler:
    return Scheduler(bench)


def test_create(scheduler: Scheduler) -> None:
    """All that was given is told again, workers can read it, and Airflow has a DAG that says when it fires."""
    pipeline = scheduler.publish()
    made = scheduler.schedule(
        pipeline,
        description="Every other week",
        parameters={"rate": "@dayOfMonth(trigger().scheduledTime)"},
        continue_on_step_failure=True,
        recurrence={**WEEKLY, "time_zone": "W. Europe Standard Time", "start_time": "2026-01-01T00:00:00"},
    )
    assert made == scheduler.read(f"schedules/{made['id']}")
    assert (made["status"], made["provisioning_status"], made["last_check"]) == ("Active", "Completed", None)
    assert (made["pipeline_id"], made["endpoint_id"], made["data"]) == (pipeline["id"], None, None)
    assert made["parameters"] == {"rate": "@dayOfMonth(trigger().scheduledTime)"}
    assert {**made["recurrence"], **WEEKLY} == made["recurrence"]
    next_run = datetime.fromisoformat(made["next_run_at"])
    assert next_run > datetime.now(UTC)
    document = scheduler.document(made)
    assert (document.pipeline.dag_id, document.obstacle) == (pipeline["dag_id"], "")
    assert document.clock is not None
    assert document.clock.rule.after(next_run - timedelta(seconds=1)) == next_run
    dag = scheduler.dag(made)
    assert dag["dag_display_name"] == made["name"]
    assert dag["timetable_summary"] == "Every 2 weeks on Monday and Friday at 15:30, W. Europe Standard Time"
    assert datetime.fromisoformat(dag["next_dagrun_run_after"]) == next_run
    assert not dag["is_paused"]
    assert made["url"] == f"{scheduler.server.url}/dags/{made['dag_id']}"


def test_without_a_start_it_fires_at_once(scheduler: Scheduler) -> None:
    """Airflow's scheduler will find it due; there is none in this test."""
    made = scheduler.schedule(recurrence={"frequency": "Day", "hours": [22], "minutes": [30]})
    due = datetime.fromisoformat(scheduler.dag(made)["next_dagrun_run_after"])
    created = datetime.fromisoformat(made["created_at"])
    assert created - timedelta(seconds=2) < due <= created + timedelta(seconds=2)
    assert datetime.fromisoformat(made["next_run_at"]).strftime("%H:%M:%S") == "22:30:00"


def test_lists(scheduler: Scheduler) -> None:
    one, other = scheduler.publish(), scheduler.publish()
    first, second = scheduler.schedule(one), scheduler.schedule(one)
    third = scheduler.schedule(other)
    scheduler.change(second, status="Disabled")

    def listed(query: str) -> list[str]:
        found = [each["id"] for each in scheduler.read(f"schedules?limit=1000&{query}")["schedules"]]
        return [each for each in found if each in (first["id"], second["id"], third["id"])]

    assert listed("") == [third["id"], first["id"]]
    assert listed("active_only=false") == [third["id"], second["id"], first["id"]]
    assert listed(f"active_only=false&pipeline_id={one['id']}") == [second["id"], first["id"]]
    assert listed(f"endpoint_id={uuid4()}") == []
    assert len(scheduler.read("schedules?limit=1")["schedules"]) == 1


def test_changes(scheduler: Scheduler) -> None:
    """What is given changes, document and DAG with it; what is left out stays."""
    made = scheduler.schedule(parameters={"rate": 3}, continue_on_step_failure=False)
    name = f"renamed {uuid4().hex}"
    changed = scheduler.change(made, name=name, description="x", experiment="other", parameters={})
    assert (changed["name"], changed["description"], changed["experiment"]) == (name, "x", "other")
    assert (changed["parameters"], changed["continue_on_step_failure"]) == ({}, False)
    assert (changed["dag_id"], changed["recurrence"]) == (made["dag_id"], made["recurrence"])
    assert scheduler.change(made, continue_on_step_failure=None)["continue_on_step_failure"] is None
    monthly = {"frequency": "Month", "start_time": "2026-01-31T09:00:00"}
    assert scheduler.change(made, recurrence=monthly)["recurrence"]["week_days"] is None
    dag = scheduler.dag(made)
    assert (dag["dag_display_name"], dag["timetable_summary"]) == (name, "Every month on day 31 at 09:00")
    assert scheduler.document(made).name == name


def test_a_new_recurrence_does_not_fire_at_once(scheduler: Scheduler) -> None:
    made = scheduler.schedule()
    changed = scheduler.change(made, recurrence={"frequency": "Hour", "interval": 5})
    after = datetime.fromisoformat(changed["next_run_at"]) - datetime.now(UTC)
    assert timedelta(hours=4, minutes=50) < after <= timedelta(hours=5)


def test_disabled_and_enabled(scheduler: Scheduler) -> None:
    """Disabled it never fires; enabled it fires for nothing that was due before."""
    made = scheduler.schedule(recurrence={"frequency": "Minute", "start_time": "2026-01-01T00:00:00"})
    disabled = scheduler.change(made, status="Disabled")
    assert (disabled["status"], disabled["next_run_at"]) == ("Disabled", None)
    assert scheduler.document(made).status == "Disabled"
    dag = scheduler.dag(made)
    assert (dag["timetable_summary"], dag["next_dagrun_run_after"]) == ("Disabled (every minute)", None)
    assert not dag["is_paused"]
    before = datetime.now(UTC).replace(microsecond=0)
    enabled = scheduler.change(made, status="Active")
    clock = scheduler.document(made).clock
    assert clock is not None
    assert clock.since >= before
    assert datetime.fromisoformat(enabled["next_run_at"]) >= before
    assert datetime.fromisoformat(scheduler.dag(made)["next_dagrun_run_after"]) >= before


def test_an_endpoint_runs_its_default_version(scheduler: Scheduler) -> None:
    """Workers read the default as it is now; the DAG stays as it is, so that Airflow makes no version of it."""
    first, second = scheduler.publish(), scheduler.publish()
    endpoint = scheduler.done(
        scheduler.ask("POST", "endpoints", {"name": f"e-{uuid4().hex}", "pipeline_id": first["id"]})
    )
    made = scheduler.schedule(endpoint_id=endpoint["id"])
    assert (made["pipeline_id"], made["endpoint_id"]) == (None, endpoint["id"])
    assert scheduler.document(made).pipeline.dag_id == first["dag_id"]
    path = f"endpoints/{endpoint['id']}"
    scheduler.done(scheduler.ask("POST", f"{path}/versions", {"pipeline_id": second["id"], "default": True}))
    assert scheduler.document(made).pipeline.dag_id == second["dag_id"]
    scheduler.done(scheduler.ask("PATCH", path, {"default_version": "0"}), 200)
    assert scheduler.document(made).pipeline.dag_id == first["dag_id"]
    assert scheduler.versions(made) == 1
    listed = scheduler.read(f"schedules?endpoint_id={endpoint['id']}")["schedules"]
    assert [each["id"] for each in listed] == [made["id"]]
    scheduler.done(scheduler.ask("PATCH", path, {"status": "Disabled"}), 200)
    assert "endpoint" in scheduler.document(made).obstacle
    scheduler.done(scheduler.ask("PATCH", path, {"status": "Active"}), 200)
    scheduler.done(scheduler.ask("PATCH", f"pipelines/{first['id']}", {"status": "Disabled"}), 200)
    assert "pipeline 'Prices' is disabled" in scheduler.document(made).obstacle


def test_data_changes(scheduler: Scheduler) -> None:
    """The part for data is kept and told like the other."""
    path = f"/workspaces/{WORKSPACE}/datastores/workspaceblobstore/files/incoming/a?overwrite=true"
    assert scheduler.http.put(path, content=b"x").status_code == 201
    made = scheduler.schedule(recurrence=None, data={"datastore": "workspaceblobstore", "path": "incoming"})
    wanted = {"polling_interval": 5, "data_path_parameter_name": None, "one_run_per": "batch"}
    assert made["data"] == {"datastore": "workspaceblobstore", "path": "incoming", **wanted}
    assert (made["recurrence"], made["next_run_at"]) == (None, None)
    document = scheduler.document(made)
    assert document.clock is None
    assert document.data is not None
    assert document.data.path == "incoming"


def test_runs_of_a_schedule(scheduler: Scheduler) -> None:
    """A run says in its conf which schedule has started it."""
    pipeline = scheduler.publish()
    made, other = scheduler.schedule(pipeline), scheduler.schedule(pipeline)
    for schedule, number in ((made, 1), (made, 2), (other, 3)):
        conf = {"rate": number, "airloom.run": {"experiment": "nightly", "schedule_id": schedule["id"]}}
        body = {"dag_run_id": str(uuid4()), "logical_date": None, "conf": conf}
        address = f"{scheduler.server.url}/api/v2/dags/{pipeline['dag_id']}/dagRuns"
        assert scheduler.http.post(address, json=body).status_code == 200
    found = scheduler.read(f"schedules/{made['id']}/runs")["runs"]
    assert sorted(run["parameters"]["rate"] for run in found) == [1, 2]
    assert {(run["schedule_id"], run["source"], run["experiment"]) for run in found} == {
        (made["id"], "Schedule", "nightly")
    }
    assert len(scheduler.read(f"schedules/{made['id']}/runs?limit=1")["runs"]) == 1


# --- a server that dies -----------------------------------------------------------------------------------------


def test_what_a_dead_server_left_is_mended(scheduler: Scheduler) -> None:
    """Whatever state the documents are in, a starting server makes them what the rows say."""
    lost, outdated, whole = scheduler.schedule(), scheduler.schedule(), scheduler.schedule()
    wanted = {each["id"]: scheduler.document(each) for each in (lost, outdated, whole)}
    scheduler.documents.delete(short_id(lost["id"]))
    scheduler.server.act("change_schedule", schedule_id=outdated["id"], status="Disabled")
    orphan = wanted[whole["id"]].model_copy(update={"id": str(uuid4()), "dag_id": f"gone.{uuid4().hex[:16]}"})
    scheduler.documents.put(orphan)
    damaged = scheduler.server.store / "schedules" / f"{short_id(whole['id'])}.json"
    damaged.write_bytes(damaged.read_bytes()[:-9])

    scheduler.server.act("mend_schedules")

    assert scheduler.document(lost) == wanted[lost["id"]]
    assert scheduler.document(whole) == wanted[whole["id"]]
    assert scheduler.document(outdated).status == "Disabled"
    assert scheduler.dag(outdated)["timetable_summary"].startswith("Disabled")
    assert orphan.short_id not in set(scheduler.documents.stored())


def test_schedules_go_with_their_workspace(scheduler: Scheduler) -> None:
    admin = Scheduler.__new__(Scheduler)
    admin.server, admin.http = scheduler.server, scheduler.server.http("admin")
    assert admin.http.delete(f"/workspaces/{uuid4().hex[:9]}").status_code == 404
    name = f"ws-{uuid4().hex[:9]}"
    assert admin.http.post("/workspaces", json={"name": name}).status_code == 201
    made = scheduler.schedule()
    document = scheduler.document(made)
    scheduler.server.act("move_schedule", schedule_id=made["id"], workspace=name)
    assert admin.http.delete(f"/workspaces/{name}").status_code == 204
    assert document.short_id not in set(scheduler.documents.stored())


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"recurrence": {"frequency": "Minute", "hours": [1]}}, 400, "hours cannot be given"),
        ({"recurrence": {"frequency": "Day", "start_time": "2026-01-01T00:00:00+01:00"}}, 400, "without an offset"),
        ({"recurrence": {"frequency": "Week", "week_days": []}}, 400, "can never fire"),
        ({"recurrence": {"frequency": "Month", "interval": 10**9}}, 400, "can never fire"),
        ({"recurrence": {"frequency": "Day", "time_zone": "Nowhere"}}, 400, "no time zone"),
        ({"recurrence": {"frequency": "Day", "interval": 1.5}}, 400, "interval"),
        ({"recurrence": {"frequency": "Day", "every": 2}}, 400, "every"),
        ({"recurrence": None}, 400, "either recurrence or data; the request has neither"),
        ({"data": {"datastore": "workspaceblobstore"}}, 400, "the request has both"),
        ({"pipeline_id": None}, 400, "either pipeline_id or endpoint_id"),
        ({"pipeline_id": "none"}, 404, "no published pipeline 'none'"),
        ({"pipeline_id": None, "endpoint_id": "none"}, 404, "no pipeline endpoint 'none'"),
        ({"parameters": {"speed": 1}}, 400, "no pipeline parameter 'speed'"),
        ({"parameters": {"rate": "fast"}}, 400, "Parameter 'rate' expects int"),
        ({"parameters": {"rate": "@utcNow()"}}, 400, "Parameter 'rate' expects int"),
        ({"parameters": {"rate": "@dayOfMonth(utcNow('d')"}}, 400, "at character 24"),
        ({"name": " "}, 400, "cannot be the name of a schedule"),
        ({"experiment": ""}, 400, "cannot be the name of an experiment"),
        ({"recurrence": None, "data": {"datastore": "none"}}, 400, "no datastore 'none'"),
        ({"recurrence": None, "data": {"datastore": "workspaceblobstore", "path": "../x"}}, 400, "path"),
        ({"recurrence": None, "data": {"datastore": "workspaceblobstore", "polling_interval": 0}}, 400, "above 0"),
        (
            {"recurrence": None, "data": {"datastore": "workspaceblobstore", "data_path_parameter_name": "rate"}},
            400,
            "no parameter 'rate' of type DataPath",
        ),
    ],
    ids=lambda part: str(part)[:60],
)
def test_refused(scheduler: Scheduler, fields: dict[str, Any], status: int, message: str) -> None:
    """Each in the one form of errors, and nothing is made."""
    body = {"name": "refused", "experiment": "e", "recurrence": WEEKLY, "pipeline_id": scheduler.publish()["id"]}
    before = scheduler.names()
    answer = scheduler.ask("POST", "schedules", {**body, **fields})
    assert answer.status_code == status, answer.text
    assert message in answer.json()["Error"]["Message"]
    assert scheduler.names() == before


def test_a_name_is_given_once(scheduler: Scheduler) -> None:
    made, other = scheduler.schedule(), scheduler.schedule()
    body = {"experiment": "e", "recurrence": WEEKLY, "pipeline_id": made["pipeline_id"]}
    for answer in (
        scheduler.ask("POST", "schedules", {**body, "name": made["name"]}),
        scheduler.ask("PATCH", f"schedules/{other['id']}", {"name": made["name"]}),
    ):
        assert (answer.status_code, answer.json()["Error"]["Code"]) == (409, "AlreadyExists")
    assert scheduler.change(made, name=made["name"])["name"] == made["name"]


def test_a_schedule_stays_of_its_kind(scheduler: Scheduler) -> None:
    made = scheduler.schedule()
    answer = scheduler.ask("PATCH", f"schedules/{made['id']}", {"data": {"datastore": "workspaceblobstore"}})
    assert (answer.status_code, answer.json()["Error"]["Code"]) == (409, "Conflict")
    assert scheduler.read(f"schedules/{made['id']}") == made


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("GET", "/runs")])
def test_a_schedule_that_there_is_not(scheduler: Scheduler, method: str, path: str) -> None:
    answer = scheduler.ask(method, f"schedules/{uuid4()}{path}", {} if method == "PATCH" else None)
    assert (answer.status_code, answer.json()["Error"]["Code"]) == (404, "NotFound")


def test_rights_are_those_on_the_pipeline(bench: Bench, scheduler: Scheduler) -> None:
    """Who may not run the pipeline makes no schedule of it; who may not read it sees none."""
    admin = Scheduler(bench, "admin")
    secret = admin.publish(name="secret")
    made = admin.schedule(secret)
    body = {"name": "mine", "experiment": "e", "recurrence": WEEKLY, "pipeline_id": secret["id"]}
    refusals: list[httpx.Response] = [
        scheduler.ask("POST", "schedules", body),
        scheduler.ask("GET", f"schedules/{made['id']}"),
        scheduler.ask("PATCH", f"schedules/{made['id']}", {"status": "Disabled"}),
        scheduler.ask("GET", f"schedules/{made['id']}/runs"),
        Scheduler(bench, "viewer").ask("PATCH", f"schedules/{scheduler.schedule()['id']}", {"status": "Disabled"}),
    ]
    assert [answer.status_code for answer in refusals] == [403] * 5
    assert made["name"] not in scheduler.names()
    assert made["name"] in admin.names()
    assert admin.document(made).status == "Active"


def test_everything_is_of_one_workspace(scheduler: Scheduler, bench: Bench) -> None:
    made = scheduler.schedule()
    answer = scheduler.http.get(f"/workspaces/default/schedules/{made['id']}")
    assert answer.status_code == 404
    assert WORKSPACE != "default"
