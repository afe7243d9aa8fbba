"""What a schedule's document has to say, from the rows of the schedule and of what it runs."""

from __future__ import annotations

from sqlalchemy import select

from airloom.errors import NotFound
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import EndpointRow, EndpointVersionRow, PipelineRow, ScheduleRow
from airloom.storage.schedules import ClockTrigger, DataTrigger, ScheduleDocument, ScheduledPipeline


def document_of(session: Session, schedule_id: str) -> ScheduleDocument | None:
    """The document that a schedule should have now; None if there is no such schedule."""
    row = session.get(ScheduleRow, schedule_id)
    workspace = session.get(WorkspaceRow, row.workspace_id) if row is not None else None
    if row is None or workspace is None:
        return None
    pipeline = pipeline_of(session, workspace, row)
    return ScheduleDocument(
        id=row.id,
        dag_id=row.dag_id,
        workspace=workspace.name,
        name=row.name,
        description=row.description,
        created_by=row.created_by,
        status="Active" if row.status == "Active" else "Disabled",
        obstacle=_obstacle(session, row, pipeline),
        pipeline=ScheduledPipeline(id=pipeline.id, dag_id=pipeline.dag_id, endpoint_id=row.endpoint_id),
        experiment=row.experiment,
        parameters=row.parameters,
        continue_on_step_failure=row.continue_on_step_failure,
        clock=ClockTrigger.model_validate(row.recurrence) if row.recurrence is not None else None,
        data=DataTrigger.model_validate(row.data_trigger) if row.data_trigger is not None else None,
    )


def pipeline_of(session: Session, workspace: WorkspaceRow, row: ScheduleRow) -> PipelineRow:
    """The pipeline that a schedule runs now. Raises NotFound, naming what the workspace does not have."""
    pipeline_id = row.pipeline_id
    if row.endpoint_id is not None:
        pipeline_id = _default_of(session, workspace, row.endpoint_id)
    query = select(PipelineRow).where(PipelineRow.id == pipeline_id, PipelineRow.workspace_id == workspace.id)
    found = session.scalar(query)
    if found is None:
        raise _missing(workspace, "published pipeline", pipeline_id or "")
    return found


def _default_of(session: Session, workspace: WorkspaceRow, endpoint_id: str) -> str:
    query = (
        select(EndpointVersionRow.pipeline_id)
        .join(EndpointRow, EndpointRow.id == EndpointVersionRow.endpoint_id)
        .where(
            EndpointRow.id == endpoint_id,
            EndpointRow.workspace_id == workspace.id,
            EndpointVersionRow.version == EndpointRow.default_version,
        )
    )
    found = session.scalar(query)
    if found is None:
        raise _missing(workspace, "pipeline endpoint", endpoint_id)
    return found


def _missing(workspace: WorkspaceRow, what: str, identifier: str) -> NotFound:
    return NotFound(
        f"Workspace {workspace.name!r} has no {what} {identifier[:80]!r}.",
        hint="Check the id.",
        target=identifier[:80],
    )


def _obstacle(session: Session, row: ScheduleRow, pipeline: PipelineRow) -> str:
    if row.endpoint_id is not None:
        endpoint = session.get(EndpointRow, row.endpoint_id)
        if endpoint is not None and endpoint.status != "Active":
            return f"The endpoint {endpoint.name!r} is disabled. Enable it, or disable the schedule {row.name!r}."
    if pipeline.status != "Active":
        return f"The pipeline {pipeline.name!r} is disabled. Enable it, or disable the schedule {row.name!r}."
    return ""
