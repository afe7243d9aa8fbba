"""Schedules in requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from airloom.plugins.api.schemas import Body, JsonObject

Status = Literal["Active", "Disabled"]


class RecurrenceBody(Body):
    """How often to run. `start_time` is a time on the clocks of `time_zone`, like 2026-07-01T08:00:00."""

    frequency: str
    interval: int = 1
    start_time: str | None = None
    time_zone: str | None = None
    hours: list[int] | None = None
    minutes: list[int] | None = None
    week_days: list[str] | None = None
    time_of_day: str | None = None


class DataTriggerBody(Body):
    """Run when files below a path are added or changed. `polling_interval` is in minutes."""

    datastore: str
    path: str = ""
    polling_interval: float = 5
    data_path_parameter_name: str | None = None
    one_run_per: Literal["batch", "file"] = "batch"


class ScheduleBody(Body):
    """A schedule to be created: of a pipeline or an endpoint, by a recurrence or on changes of data."""

    name: str
    description: str = ""
    pipeline_id: str | None = None
    endpoint_id: str | None = None
    experiment: str
    parameters: JsonObject = Field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    recurrence: RecurrenceBody | None = None
    data: DataTriggerBody | None = None


class SchedulePatch(Body):
    """What may change of a schedule; what is left out stays. `parameters` are replaced as a whole."""

    name: str | None = None
    description: str | None = None
    status: Status | None = None
    experiment: str | None = None
    parameters: JsonObject | None = None
    continue_on_step_failure: bool | None = None
    recurrence: RecurrenceBody | None = None
    data: DataTriggerBody | None = None


class LastCheck(BaseModel):
    """When data was last looked at for changes, and with what outcome."""

    at: datetime
    outcome: str
    changes: int
    message: str


class Schedule(BaseModel):
    """A schedule. `next_run_at` is None if it is disabled, or waits for data."""

    id: str
    name: str
    description: str
    status: Status
    pipeline_id: str | None
    endpoint_id: str | None
    experiment: str
    parameters: JsonObject
    continue_on_step_failure: bool | None
    recurrence: RecurrenceBody | None
    data: DataTriggerBody | None
    dag_id: str
    url: str
    next_run_at: datetime | None
    last_check: LastCheck | None
    provisioning_status: Literal["Provisioning", "Completed"]
    created_at: datetime
    modified_at: datetime


class ScheduleList(BaseModel):
    """Schedules, the newest first."""

    schedules: list[Schedule]
