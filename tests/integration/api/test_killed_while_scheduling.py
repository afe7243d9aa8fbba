"""A server killed between any two writes of a schedule: when it is back, document and DAG say what the row says."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from airloom.storage.object_store import open_store
from airloom.storage.schedules import ScheduleStore, short_id
from tests.integration.api.bench import WORKSPACE, Bench
from tests.integration.api.publisher import Publisher
from tests.integration.api.test_killed_while_publishing import Do, do, until_it_lives

__all__ = ["do"]

pytestmark = pytest.mark.timeout(900)

DAILY = {"frequency": "Day", "start_time": "2026-01-01T00:00:00"}


@pytest.fixture(scope="module")
def publisher(bench: Bench) -> Publisher:
    return Publisher(bench)


def rows(publisher: Publisher, mark: str) -> list[dict[str, Any]]:
    """The schedules of a test."""
    found = publisher.read("schedules?limit=1000&active_only=false")["schedules"]
    return [each for each in found if each["name"].startswith(mark)]


def dag(publisher: Publisher, schedule: dict[str, Any]) -> dict[str, Any]:
    answer = publisher.http.get(f"{publisher.server.url}/api/v2/dags/{schedule['dag_id']}/details")
    return dict(answer.raise_for_status().json())


def check_whole(publisher: Publisher, schedules: list[dict[str, Any]]) -> None:
    """Workers and Airflow's scheduler see each schedule as callers do."""
    documents = ScheduleStore(open_store(publisher.server.store.as_uri()))
    for schedule in schedules:
        document = documents.get(short_id(schedule["id"]))
        assert (document.name, document.status) == (schedule["name"], schedule["status"])
        known = dag(publisher, schedule)
        assert known["dag_display_name"] == schedule["name"]
        assert known["timetable_summary"].startswith("Disabled") == (schedule["status"] == "Disabled")


def test_creating(do: Do, publisher: Publisher) -> None:
    """There is a row with all that follows from it, or nothing; and then it can be created after all."""
    mark = f"k{uuid4().hex[:8]}"
    pipeline = publisher.publish()
    body = {"workspace": WORKSPACE, "experiment": "e", "pipeline_id": pipeline["id"], "recurrence": DAILY}
    deaths = until_it_lives(do, "schedule", lambda number: {**body, "name": f"{mark}-{number}"})
    assert deaths > 10
    made = rows(publisher, mark)
    stored = set(ScheduleStore(open_store(publisher.server.store.as_uri())).stored())
    assert {short_id(each["id"]) for each in made} - stored, "nobody died before the document, so that is not tried"

    assert do("begin_serving") == 0

    check_whole(publisher, made)
    there = {each["name"] for each in made}
    for number in range(1, deaths + 1):
        if f"{mark}-{number}" not in there:
            assert do("schedule", **{**body, "name": f"{mark}-{number}"}) == 0
    again = rows(publisher, mark)
    assert len(again) == deaths + 1
    check_whole(publisher, again)


def test_changing(do: Do, publisher: Publisher) -> None:
    """A schedule that is disabled, or is not, is so everywhere."""
    mark = f"c{uuid4().hex[:8]}"
    pipeline = publisher.publish()
    body = {"experiment": "e", "pipeline_id": pipeline["id"], "recurrence": DAILY}

    def one_more(number: int) -> dict[str, Any]:
        made = publisher.done(publisher.ask("POST", "schedules", {**body, "name": f"{mark}-{number}"}))
        return {"workspace": WORKSPACE, "schedule_id": made["id"], "status": "Disabled", "name": f"{mark}-{number}-x"}

    deaths = until_it_lives(do, "change_schedule", one_more)
    assert deaths > 10
    made = rows(publisher, mark)
    assert {each["status"] for each in made} == {"Active", "Disabled"}

    assert do("begin_serving") == 0

    assert rows(publisher, mark) == made
    check_whole(publisher, made)
