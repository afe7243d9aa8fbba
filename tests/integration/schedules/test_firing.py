"""Schedules that really fire, under two schedulers: once each, for the default of then, never when disabled."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.schedules.desk import Desk, naive, shortly, until

pytestmark = pytest.mark.postgres


def text(instant: datetime) -> str:
    """An instant as the expression gives it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")


def started_for(run: dict[str, Any]) -> str:
    return str(run["parameters"]["at"])


def test_a_schedule_fires_once_each_time(desk: Desk) -> None:
    """At once when it is made, then as it says; a firing that is cleared or disabled starts nothing."""
    pipeline = desk.publish("prices")
    schedule = desk.schedule(pipeline_id=pipeline["id"], recurrence={"frequency": "Hour", "interval": 5})

    (run,) = desk.wait_for_runs(schedule, 1)
    (firing,) = desk.firings(schedule)
    instant = datetime.fromisoformat(firing["logical_date"])
    assert (run["schedule_id"], run["source"], run["pipeline_id"]) == (schedule["id"], "Schedule", pipeline["id"])
    assert (run["experiment"], started_for(run)) == ("scheduled", text(instant))
    assert run["id"] == str(uuid.uuid5(uuid.UUID(schedule["id"]), instant.isoformat()))

    # Airflow refuses the run that is there, which is as well.
    body = {"dag_run_id": firing["dag_run_id"], "dry_run": False, "only_failed": False}
    desk.airflow("POST", f"dags/{schedule['dag_id']}/clearTaskInstances", body)
    until(lambda: desk.firings(schedule)[0]["state"] == "success" or None, "the cleared firing")
    assert [each["id"] for each in desk.wait_for_runs(schedule, 1)] == [run["id"]]

    desk.change(schedule, status="Disabled")
    started = desk.airflow("POST", f"dags/{schedule['dag_id']}/dagRuns", {"logical_date": None})
    until(lambda: desk.task(schedule, started["dag_run_id"]) == "skipped" or None, "a skipped firing")
    assert len(desk.runs(schedule)) == 1

    start = shortly()
    recurrence = {"frequency": "Minute", "interval": 50, "start_time": naive(start)}
    changed = desk.change(schedule, status="Active", recurrence=recurrence)
    assert datetime.fromisoformat(changed["next_run_at"]) == start
    runs = desk.wait_for_runs(schedule, 2)
    assert started_for(runs[0]) == text(start)
    assert run["id"] in {each["id"] for each in runs}


def test_an_endpoint_is_resolved_when_it_fires(desk: Desk) -> None:
    first, second = desk.publish("version 0"), desk.publish("version 1")
    endpoint = desk.ask("POST", "endpoints", {"name": "stable", "pipeline_id": first["id"]})
    schedule = desk.schedule(endpoint_id=endpoint["id"], recurrence={"frequency": "Day"})
    desk.wait_for_runs(schedule, 1)
    desk.ask("POST", f"endpoints/{endpoint['id']}/versions", {"pipeline_id": second["id"], "default": True})
    desk.change(schedule, recurrence={"frequency": "Day", "start_time": naive(shortly())})
    newer, older = desk.wait_for_runs(schedule, 2)
    assert (older["dag_id"], newer["dag_id"]) == (first["dag_id"], second["dag_id"])
    assert newer["endpoint_id"] == endpoint["id"]


def test_a_restart_loses_nothing_and_fills_nothing_in(desk: Desk) -> None:
    """What was due while the server was down fires once when it is back; it fires for nothing that had been before."""
    pipeline = desk.publish("restarted")
    long_ago = {"frequency": "Hour", "start_time": "2020-01-01T00:00:00"}
    hourly = desk.schedule(pipeline_id=pipeline["id"], recurrence=long_ago)
    due = shortly() + timedelta(seconds=4)
    waiting = desk.schedule(
        pipeline_id=pipeline["id"], recurrence={"frequency": "Minute", "interval": 55, "start_time": naive(due)}
    )
    before = desk.runs(hourly)
    desk.server.cli("down")
    until(lambda: shortly() - timedelta(seconds=6) > due or None, "the instant")
    desk.server.cli("up", "--detach", "--schedulers", "2")
    desk.sign_in()
    (run,) = desk.wait_for_runs(waiting, 1)
    assert started_for(run) == text(due)
    assert len(desk.runs(hourly)) - len(before) in (0, 1)  # 1 if an hour has just begun
    assert desk.ask("GET", f"schedules/{waiting['id']}")["next_run_at"] == f"{naive(due + timedelta(minutes=55))}Z"
