"""What we know of pipelines, endpoints and runs, as the original service tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airloom.graph.model import ParameterDef
from airloom.graph.recurrence import Recurrence
from airloom.graph.results import OutputRef
from airloom.plugins.airflow_gateway import dag_url, run_url
from airloom.plugins.db.models import RunRow
from airloom.plugins.db.published import EndpointRow, PipelineRow, ScheduleRow, WithUuid
from airloom.plugins.run_states import StepView
from airloom.plugins.runs import RunView
from airloom.plugins.wire import assignments, codes, entities
from airloom.plugins.wire.addresses import Addresses
from airloom.storage.schedules import ClockTrigger, DataTrigger

_FOLDER, _FILE = "AnyDirectory", "AnyFile"


@dataclass(frozen=True)
class GraphFacts:
    """What is told of the graph of a run. Of one that the store has lost, nothing."""

    digest: str = ""
    steps: int = 0
    continues: bool = False


def pipeline(row: PipelineRow, parameters: Iterable[ParameterDef], addresses: Addresses) -> entities.PipelineEntity:
    """A published pipeline. Its assignments are the defaults of its parameters."""
    return entities.PipelineEntity(
        **_common(row),
        entity_status=codes.ENTITY_STATUS[row.status],
        version=row.version,
        graph_id=row.graph_digest,
        total_run_steps=row.total_steps,
        **_assignments(_defaults(parameters)),
        url=addresses.submit_pipeline(row.id),
        portal_url=dag_url(row.dag_id, addresses.server),
        continue_run_on_step_failure=row.continue_on_step_failure,
    )


def endpoint(row: EndpointRow, addresses: Addresses) -> entities.PipelineEndpointEntity:
    """An endpoint."""
    return entities.PipelineEndpointEntity(
        **_common(row),
        entity_status=codes.ENTITY_STATUS[row.status],
        default_version=str(row.default_version),
        pipeline_version_list=[
            entities.PipelineVersion(version=str(each.version), pipeline_id=each.pipeline_id) for each in row.versions
        ],
        url=addresses.submit_endpoint(row.id),
        swagger_url=addresses.description,
    )


def run(view: RunView, graph: GraphFacts, addresses: Addresses) -> entities.PipelineRunEntity:
    """A run of a graph."""
    row = view.row
    own = row.continue_on_step_failure
    return entities.PipelineRunEntity(
        id=row.id,
        created_date=row.created_at,
        last_modified_date=view.ended_at or view.started_at or row.created_at,
        description=row.description,
        tags=row.tags,
        properties=row.properties,
        created_by=entities.CreatedBy(user_name=row.created_by),
        status=_run_status(view),
        graph_id=graph.digest,
        has_errors=view.status == "Failed",
        upload_state=codes.UPLOADED,
        **_assignments(row.parameters),
        run_history_experiment_name=row.experiment.name,
        display_name=row.display_name,
        pipeline_id=row.pipeline_id,
        pipeline_endpoint_id=row.endpoint_id,
        run_source=row.source,
        run_type=codes.RUN_TYPE.get(row.source, codes.RUN_TYPE["HTTP"]),
        total_run_steps=graph.steps,
        schedule_id=row.schedule_id,
        continue_run_on_step_failure=graph.continues if own is None else own,
        reuse=row.reuse,
        run_url=run_url(row.dag_id, row.airflow_run_id, addresses.server),
    )


def step(view: StepView, row: RunRow, addresses: Addresses) -> entities.TaskStatus:
    """A step of a run."""
    return entities.TaskStatus(
        name=view.name,
        status_code=codes.STEP_STATUS[view.status],
        status_detail=view.reason or None,
        reuse_info=_reuse(view, row),
        creation_time=row.created_at,
        schedule_time=view.started_at,
        start_time=view.started_at,
        end_time=view.ended_at,
        request_id=view.result.attempt if view.result is not None else None,
        run_id=row.id,
        real_time_log_path=addresses.log(row.id, view.step_id, "stdout"),
    )


def output(found: OutputRef) -> entities.NodeOutput:
    """An output of a step."""
    place = entities.AzureBlobReference(aml_data_store_name=found.datastore, relative_path=found.path)
    return entities.NodeOutput(
        data_type_id=_FILE if found.is_file else _FOLDER,
        logical_size_in_bytes=found.size,
        physical_size_in_bytes=found.size,
        hash=found.digest,
        data_location=entities.DataLocation(data_reference=entities.DataReference(azure_blob_reference=place)),
    )


def schedule(row: ScheduleRow, provisioned: bool) -> entities.PipelineScheduleEntity:
    """A schedule; `provisioned` once Airflow has its DAG."""
    clock = ClockTrigger.model_validate(row.recurrence) if row.recurrence is not None else None
    data = DataTrigger.model_validate(row.data_trigger) if row.data_trigger is not None else None
    return entities.PipelineScheduleEntity(
        **_common(row),
        entity_status=codes.ENTITY_STATUS[row.status],
        pipeline_id=row.pipeline_id,
        pipeline_endpoint_id=row.endpoint_id,
        provisioning_status=codes.PROVISIONING["Completed" if provisioned else "Provisioning"],
        schedule_type=codes.BY_RECURRENCE if data is None else codes.BY_DATA,
        pipeline_submission_info=entities.ScheduledSubmission(
            experiment_name=row.experiment,
            **_assignments(row.parameters),
            continue_run_on_step_failure=row.continue_on_step_failure,
        ),
        recurrence=_recurrence(clock.recurrence) if clock is not None else None,
        data_store_trigger_info=_data_trigger(data) if data is not None else None,
    )


def _recurrence(rule: Recurrence) -> entities.Recurrence:
    times = entities.RecurrenceSchedule(hours=rule.hours, minutes=rule.minutes, week_days=rule.week_days)
    if rule.time_of_day is not None:
        hour, minute = rule.time_of_day.split(":")
        times = times.model_copy(update={"hours": (int(hour),), "minutes": (int(minute),)})
    return entities.Recurrence(
        frequency=codes.FREQUENCY[rule.frequency],
        interval=rule.interval,
        start_time=rule.start_time,
        time_zone=rule.time_zone,
        schedule=times if rule.has_times else None,
    )


def _data_trigger(trigger: DataTrigger) -> entities.DataStoreTriggerInfo:
    return entities.DataStoreTriggerInfo(
        data_store_name=trigger.datastore,
        path_on_data_store=trigger.path,
        polling_interval=trigger.polling_interval,
        data_path_parameter_name=trigger.data_path_parameter_name,
    )


def _common(row: WithUuid) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "tags": row.tags,
        "properties": row.properties,
        "created_date": row.created_at,
        "last_modified_date": row.modified_at,
        "created_by": entities.CreatedBy(user_name=row.created_by),
    }


def _defaults(parameters: Iterable[ParameterDef]) -> dict[str, Any]:
    return {parameter.name: parameter.model_dump(mode="json")["default"] for parameter in parameters}


def _assignments(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameter_assignments": assignments.scalars(values),
        "data_path_assignments": assignments.data_paths(values),
        "data_set_definition_value_assignments": assignments.datasets(values),
    }


def _run_status(view: RunView) -> entities.PipelineRunStatus:
    return entities.PipelineRunStatus(
        status_code=codes.RUN_STATUS[view.status],
        status_detail=view.error[1] if view.error is not None else None,
        creation_time=view.row.created_at,
        start_time=view.started_at,
        end_time=view.ended_at,
    )


def _reuse(view: StepView, row: RunRow) -> entities.TaskReuseInfo | None:
    origin = view.reused_from
    if not view.reused or origin is None:
        return None
    return entities.TaskReuseInfo(
        experiment_id=row.experiment.name, node_id=origin.step_id, request_id=origin.attempt, run_id=origin.run_id
    )
