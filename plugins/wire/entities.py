"""What callers get. The fields are those of the original service; those that say so are new."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from airloom.plugins.wire.bodies import Wire

Texts = dict[str, str]


class CreatedBy(Wire):
    """A user. Only the name is known here."""

    user_object_id: str | None = None
    user_tenant_id: str | None = None
    user_name: str


class Entity(Wire):
    """What everything has that is found by its id."""

    id: str
    etag: str | None = None
    created_date: datetime
    last_modified_date: datetime
    entity_status: int = 0
    description: str
    tags: Texts = Field(alias="tags")
    properties: Texts
    created_by: CreatedBy


class PipelineRunStatus(Wire):
    """State of a run. `StatusDetail` says what went wrong, if the run failed."""

    status_code: int
    status_detail: str | None
    creation_time: datetime
    start_time: datetime | None
    end_time: datetime | None


class PipelineRunEntity(Entity):
    """A run. `Status.StartTime`, `Reuse` and `RunUrl`, its page in Airflow, are new."""

    status: PipelineRunStatus
    graph_id: str
    is_submitted: bool = True
    has_errors: bool
    has_warnings: bool = False
    upload_state: int
    parameter_assignments: Texts
    data_path_assignments: dict[str, Texts]
    data_set_definition_value_assignments: dict[str, dict[str, Any]]
    run_history_experiment_name: str
    display_name: str
    pipeline_id: str | None
    pipeline_endpoint_id: str | None
    run_source: str
    run_type: int
    total_run_steps: int
    schedule_id: str | None
    continue_run_on_step_failure: bool
    reuse: str
    run_url: str


class TaskReuseInfo(Wire):
    """The attempt of a step whose outputs were reused."""

    experiment_id: str
    node_id: str
    request_id: str
    run_id: str
    node_start_time: datetime | None = None
    node_end_time: datetime | None = None


class TaskStatus(Wire):
    """State of a step. `Name` is new; `RealTimeLogPath` is the address of its output so far."""

    name: str
    status_code: int
    status_detail: str | None
    reuse_info: TaskReuseInfo | None
    creation_time: datetime
    schedule_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    request_id: str | None
    run_id: str
    real_time_log_path: str
    has_warnings: bool = False


class AzureBlobReference(Wire):
    """A place on a datastore."""

    aml_data_store_name: str
    relative_path: str


class DataReference(Wire):
    """A place in any kind of storage; here always a datastore."""

    type: str = "AzureBlob"
    azure_blob_reference: AzureBlobReference


class DataLocation(Wire):
    """Where an output lies."""

    data_reference: DataReference


class NodeOutput(Wire):
    """An output of a step. `Hash` is the digest of its content."""

    data_type_id: str
    logical_size_in_bytes: int
    physical_size_in_bytes: int
    hash: str
    data_location: DataLocation


class PipelineEntity(Entity):
    """A published pipeline. `Url` is where it is submitted, `PortalUrl`, which is new, its page in Airflow."""

    name: str
    version: str
    graph_id: str
    total_run_steps: int
    parameter_assignments: Texts
    data_path_assignments: dict[str, Texts]
    data_set_definition_value_assignments: dict[str, dict[str, Any]]
    url: str
    portal_url: str
    continue_run_on_step_failure: bool
    enable_notification: bool = False


class PipelineVersion(Wire):
    """One version of an endpoint."""

    version: str
    pipeline_id: str


class PipelineEndpointEntity(Entity):
    """An endpoint. `Url` is where its default version is submitted."""

    name: str
    default_version: str
    pipeline_version_list: list[PipelineVersion]
    url: str
    swagger_url: str


class RecurrenceSchedule(Wire):
    """At which hours, minutes and days of the week."""

    hours: tuple[int, ...] | None
    minutes: tuple[int, ...] | None
    week_days: tuple[str, ...] | None


class Recurrence(Wire):
    """How often, and since when."""

    frequency: int
    interval: int
    start_time: str | None
    time_zone: str | None
    schedule: RecurrenceSchedule | None


class DataStoreTriggerInfo(Wire):
    """Where changes of data are looked for, and how often, in minutes."""

    data_store_name: str
    path_on_data_store: str
    polling_interval: float
    data_path_parameter_name: str | None


class ScheduledSubmission(Wire):
    """What a schedule submits."""

    experiment_name: str
    parameter_assignments: Texts
    data_path_assignments: dict[str, Texts]
    data_set_definition_value_assignments: dict[str, dict[str, Any]]
    continue_run_on_step_failure: bool | None


class PipelineScheduleEntity(Entity):
    """A schedule."""

    name: str
    pipeline_id: str | None
    pipeline_endpoint_id: str | None
    provisioning_status: int
    schedule_type: int
    pipeline_submission_info: ScheduledSubmission
    recurrence: Recurrence | None
    data_store_trigger_info: DataStoreTriggerInfo | None
