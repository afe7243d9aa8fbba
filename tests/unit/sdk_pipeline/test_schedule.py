"""Schedules: by the clock and by data, what they start, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Datastore, Workspace
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from airloom.graph.time_zones import windows_zones
from airloom.pipeline.core import (
    Pipeline,
    PipelineEndpoint,
    PipelineParameter,
    PublishedPipeline,
    Schedule,
    ScheduleRecurrence,
    TimeZone,
)
from tests.unit.sdk_pipeline.builders import a_path, a_step
from tests.unit.sdk_pipeline.server import PipelineState

pytestmark = pytest.mark.usefixtures("scripts")

EVENINGS = ScheduleRecurrence("Day", 2, hours=[22], minutes=[30])


@pytest.fixture
def published(ws: Workspace) -> PublishedPipeline:
    """A pipeline with a number as parameter."""
    return Pipeline(ws, [a_step("train", arguments=[PipelineParameter("rounds", 5)])]).publish("nightly")


@pytest.fixture
def schedule(ws: Workspace, published: PublishedPipeline) -> Schedule:
    """Every second evening."""
    return Schedule.create(ws, "evenings", published.id, "nights", EVENINGS, "at night", {"rounds": 7})


@pytest.fixture
def watching(ws: Workspace, published: PublishedPipeline) -> Schedule:
    """Whenever a folder changes."""
    return Schedule.create(
        ws,
        "arrivals",
        published.id,
        "days",
        datastore=ws.get_default_datastore(),
        path_on_datastore="in",
        data_path_parameter_name="folder",
        polling_interval=2,
    )


class TestByTheClock:
    def test_what_it_is(self, schedule: Schedule, published: PublishedPipeline, state: PipelineState) -> None:
        assert (schedule.name, schedule.description, schedule.status) == ("evenings", "at night", "Active")
        assert (schedule.pipeline_id, schedule.pipeline_endpoint_id) == (published.id, None)
        recurrence = schedule.recurrence
        assert recurrence is not None
        assert (recurrence.frequency, recurrence.interval, recurrence.hours, recurrence.minutes) == (
            "Day",
            2,
            [22],
            [30],
        )
        assert (schedule.datastore_name, schedule.path_on_datastore, schedule.polling_interval) == (None, None, None)
        assert (schedule.data_path_parameter_name, schedule.continue_on_step_failure) == (None, None)
        assert (schedule.last_check, schedule.next_run_at) == (None, "2026-07-01T10:00:00Z")
        assert schedule.get_portal_url().endswith("/dags/evenings")
        kept = state.of("default", "schedules")[schedule.id]
        assert (kept["experiment"], kept["parameters"], kept["data"]) == ("nights", {"rounds": 7}, None)
        assert "When: ScheduleRecurrence(frequency='Day'" in repr(schedule)

    def test_of_an_endpoint(self, ws: Workspace, published: PublishedPipeline) -> None:
        endpoint = PipelineEndpoint.publish(ws, "score", "", published)
        made = Schedule.create_for_pipeline_endpoint(
            ws, "e", endpoint.id, "nights", EVENINGS, continue_on_step_failure=True
        )
        assert (made.pipeline_id, made.pipeline_endpoint_id) == (None, endpoint.id)
        assert made.continue_on_step_failure is True
        assert Schedule.get_schedules_for_pipeline_endpoint_id(ws, endpoint.id) == [made]
        assert f"Endpoint Id: {endpoint.id}" in repr(made)

    def test_finding_them(
        self, ws: Workspace, schedule: Schedule, watching: Schedule, published: PublishedPipeline
    ) -> None:
        assert Schedule.get(ws, schedule.id) == schedule != watching
        assert Schedule.list(ws) == Schedule.get_all(ws) == [watching, schedule]
        schedule.disable()
        assert Schedule.list(ws, pipeline_id=published.id) == [watching]
        assert len(Schedule.get_schedules_for_pipeline_id(ws, published.id)) == 2
        assert Schedule.list(ws, pipeline_id="other") == []
        with pytest.raises(NotFoundException, match="nothing"):
            Schedule.get(ws, "nothing")
        assert len({schedule, watching, Schedule.get(ws, schedule.id)}) == 2

    def test_two_of_one_name(self, ws: Workspace, schedule: Schedule, published: PublishedPipeline) -> None:
        with pytest.raises(AlreadyExistsException, match="'evenings'"):
            Schedule.create(ws, "evenings", published.id, "nights", EVENINGS)

    def test_what_is_given_changes_and_the_rest_stays(self, schedule: Schedule, state: PipelineState) -> None:
        schedule.update(
            name="hourly", recurrence=ScheduleRecurrence("Hour", 2), pipeline_parameters={"folder": a_path()}
        )
        assert (schedule.name, schedule.description, schedule.status) == ("hourly", "at night", "Active")
        assert vars(schedule.recurrence)["hours"] is None
        assert state.of("default", "schedules")[schedule.id]["parameters"]["folder"]["kind"] == "path"
        schedule.update(status="Disabled", continue_on_step_failure=True)
        assert (schedule.status, schedule.continue_on_step_failure) == ("Disabled", True)
        with pytest.raises(UserErrorException, match="The status of a schedule cannot be 'Off'"):
            schedule.update(status="Off")

    def test_enabling_and_disabling(self, ws: Workspace, schedule: Schedule) -> None:
        schedule.disable(wait_for_provisioning=True)
        assert Schedule.get(ws, schedule.id).status == "Disabled"
        schedule.enable(wait_for_provisioning=True)
        assert Schedule.get(ws, schedule.id).status == "Active"

    def test_its_runs(self, ws: Workspace, schedule: Schedule, state: PipelineState) -> None:
        assert (schedule.get_pipeline_runs(), schedule.get_last_pipeline_run()) == ([], None)
        for run_id in ("r1", "r2"):
            state.add_run(run_id, "nights", schedule_id=schedule.id)
        state.add_run("r3", "nights", schedule_id=None)
        runs = schedule.get_pipeline_runs()
        assert [(run.id, run.experiment.name) for run in runs] == [("r2", "nights"), ("r1", "nights")]
        assert schedule.get_last_pipeline_run() == runs[0]

    def test_made_by_hand_as_v1_allows(self, ws: Workspace) -> None:
        none: Any = None
        made = Schedule(ws, "i", "n", none, "p", "Active", EVENINGS, none, none, none, none, none)
        assert (made.id, made.description, made.datastore_name, made.get_portal_url()) == ("i", "", None, ws._endpoint)
        assert vars(made.recurrence)["hours"] == [22]
        made = Schedule(ws, "i", "n", "", none, "Active", none, "store", 5, "folder", True, "in", "e")
        assert (made.datastore_name, made.path_on_datastore, made.polling_interval) == ("store", "in", 5)
        assert hash(made) == hash("i")


class TestOfData:
    def test_what_it_is(self, watching: Schedule, state: PipelineState) -> None:
        assert watching.recurrence is None
        assert (watching.datastore_name, watching.path_on_datastore) == ("workspaceblobstore", "in")
        assert (watching.polling_interval, watching.data_path_parameter_name) == (2, "folder")
        assert state.of("default", "schedules")[watching.id]["data"]["one_run_per"] == "batch"
        assert "When: changes on workspaceblobstore/in" in repr(watching)

    def test_a_run_for_each_file(self, ws: Workspace, published: PublishedPipeline, state: PipelineState) -> None:
        store = ws.get_default_datastore()
        made = Schedule.create(ws, "each", published.id, "days", datastore=store, one_run_per="file")
        data = {"datastore": store.name, "path": "", "polling_interval": 5, "one_run_per": "file"}
        assert state.of("default", "schedules")[made.id]["data"] == data

    def test_part_of_it_may_change(self, watching: Schedule, state: PipelineState) -> None:
        watching.update(polling_interval=0.5, path_on_datastore="other")
        assert (watching.polling_interval, watching.path_on_datastore) == (0.5, "other")
        assert (watching.datastore_name, watching.data_path_parameter_name) == ("workspaceblobstore", "folder")
        assert state.of("default", "schedules")[watching.id]["data"]["one_run_per"] == "batch"


class TestWhatIsRefused:
    def test_both_or_neither_of_clock_and_data(self, ws: Workspace, published: PublishedPipeline) -> None:
        store: Any = ws.get_default_datastore()
        calls: list[tuple[dict[str, Any], str]] = [
            ({}, "either a recurrence or a datastore"),
            ({"recurrence": EVENINGS, "datastore": store}, "either a recurrence or a datastore"),
            ({"recurrence": EVENINGS, "path_on_datastore": "in"}, "are for schedules of data"),
            ({"recurrence": EVENINGS, "data_path_parameter_name": "p"}, "are for schedules of data"),
            ({"datastore": store, "one_run_per": "day"}, "one_run_per cannot be 'day'"),
            ({"datastore": 3}, "must be a Datastore or its name"),
        ]
        for given, complaint in calls:
            with pytest.raises(UserErrorException, match=complaint):
                Schedule.create(ws, "s", published.id, "e", **given)
        assert Schedule.list(ws, active_only=False) == []

    def test_the_clock_for_data_and_the_reverse(self, schedule: Schedule, watching: Schedule) -> None:
        with pytest.raises(UserErrorException, match="'evenings' fires by the clock, and that cannot change"):
            schedule.update(polling_interval=3)
        with pytest.raises(UserErrorException, match="'arrivals' fires as data changes, and that cannot change"):
            watching.update(recurrence=EVENINGS)

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ({"frequency": "Year", "interval": 1}, "cannot be 'Year'"),
            ({"frequency": "Day", "interval": 0}, "whole number from 1"),
            ({"frequency": "Minute", "interval": 1, "hours": [1]}, "hours cannot be given with the frequency Minute"),
            ({"frequency": "Day", "interval": 1, "week_days": ["Monday"]}, "week_days cannot be given"),
            ({"frequency": "Day", "interval": 1, "time_of_day": "1:30", "hours": [1]}, "together with hours"),
            (
                {"frequency": "Day", "interval": 1, "start_time": datetime(2026, 1, 1, tzinfo=UTC)},
                "time zone of its own",
            ),
            ({"frequency": "Day", "interval": 1, "time_zone": "Nowhere"}, "no time zone 'Nowhere'"),
        ],
    )
    def test_recurrences_that_make_no_sense(
        self, ws: Workspace, published: PublishedPipeline, given: dict[str, Any], complaint: str
    ) -> None:
        recurrence = ScheduleRecurrence(**given)
        calls: list[Callable[[], Any]] = [
            recurrence.validate,
            lambda: Schedule.create(ws, "s", published.id, "e", recurrence),
        ]
        for call in calls:
            with pytest.raises(UserErrorException, match=complaint):
                call()
        assert Schedule.list(ws, active_only=False) == []


class TestProvisioning:
    @pytest.fixture
    def slow(self, state: PipelineState, schedule: Schedule) -> dict[str, Any]:
        """What the server says of a schedule that Airflow has not taken in yet."""
        document = state.of("default", "schedules")[schedule.id]
        document["provisioning_status"] = "Provisioning"
        return document

    def test_is_waited_for(self, schedule: Schedule, slow: dict[str, Any], state: PipelineState) -> None:
        looks = []

        def look(workspace: str, kind: str, name: str) -> dict[str, Any]:
            looks.append(name)
            if len(looks) == 3:
                slow["provisioning_status"] = "Completed"
            return PipelineState.one(state, workspace, kind, name)

        state.one = look  # type: ignore[method-assign]
        schedule.enable(wait_for_provisioning=True)
        assert len(looks) == 3

    def test_ends_at_the_timeout(self, schedule: Schedule, slow: dict[str, Any]) -> None:
        with pytest.raises(UserErrorException, match="is not ready after 0 seconds"):
            schedule.enable(wait_for_provisioning=True, wait_timeout=0)

    def test_may_fail(self, schedule: Schedule, slow: dict[str, Any]) -> None:
        slow["provisioning_status"] = "Failed"
        with pytest.raises(UserErrorException, match="could not take in the schedule 'evenings'"):
            schedule.enable(wait_for_provisioning=True)


class TestYaml:
    def load(self, ws: Workspace, text: str) -> dict[str, Any]:
        Path("schedule.yml").write_text(text)
        return Schedule.load_yaml(ws, "schedule.yml")

    def test_by_the_clock(self, ws: Workspace, published: PublishedPipeline) -> None:
        text = """\
Schedule:
  description: at night
  pipeline_parameters: {rounds: 3}
  wait_for_provisioning: true
  recurrence:
    frequency: Week
    interval: 1
    start_time: 2026-07-01T10:00:00
    time_zone: PacificStandardTime
    time_of_day: 22:30
    week_days: Monday
"""
        arguments = self.load(ws, text)
        recurrence = arguments["recurrence"]
        assert (recurrence.time_of_day, recurrence.week_days) == ("22:30", ["Monday"])
        assert recurrence.time_zone is TimeZone.PacificStandardTime
        made = Schedule.create(ws, "s", published.id, "e", **arguments)
        assert made.description == "at night"
        again = made.recurrence
        assert again is not None
        assert (again.start_time, again.time_zone) == ("2026-07-01T10:00:00", TimeZone.PacificStandardTime)

    def test_of_data(self, ws: Workspace) -> None:
        text = "Schedule: {datastore_name: workspaceblobstore, path_on_datastore: in, polling_interval: 2}\n"
        arguments = self.load(ws, text)
        assert isinstance(arguments.pop("datastore"), type(Datastore.get(ws, "workspaceblobstore")))
        assert arguments == {"path_on_datastore": "in", "polling_interval": 2}

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("a: 1\n", "a key 'Schedule'"),
            ("[", "is not YAML"),
            ("Schedule: {recurence: {}}\n", "no key 'recurence'. Did you mean 'recurrence'"),
            ("Schedule: {recurrence: 3}\n", "a key 'recurrence'"),
            ("Schedule: {recurrence: {frequency: Day, interval: 0}}\n", "whole number from 1"),
            ("Schedule: {datastore_name: none}\n", "none"),
        ],
    )
    def test_mistakes(self, ws: Workspace, text: str, complaint: str) -> None:
        with pytest.raises(UserErrorException, match=complaint):
            self.load(ws, text)

    def test_a_file_that_is_not_there(self, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match="cannot be read: No such file"):
            Schedule.load_yaml(ws, "nothing.yml")


def test_time_zones_are_those_of_windows() -> None:
    assert {zone.value for zone in TimeZone} == set(windows_zones())
    assert TimeZone.PacificStandardTimeMexico.value == "Pacific Standard Time (Mexico)"


def test_a_time_zone_may_be_given_by_its_name() -> None:
    assert ScheduleRecurrence("Day", 1, time_zone="GMT Standard Time").time_zone is TimeZone.GMTStandardTime
    ScheduleRecurrence("Day", 1, time_zone="Europe/Berlin").validate()
