"""Documents and DAGs of schedules, which follow from the rows of the schedules and of what they run.

After each change of a row the document is written from the rows as they are by then, and the rows are read again until
both agree: of two changes at a time, whichever writes last writes what is true. If the server dies in between,
`reconcile` does the same when it comes back.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import ColumnElement, or_, select

from airloom.errors import AirloomError, NotFound
from airloom.plugins.airflow_gateway import Session, open_session
from airloom.plugins.db.models import WorkspaceRow, utc_now
from airloom.plugins.db.published import EndpointRow, EndpointVersionRow, PipelineRow, ScheduleRow
from airloom.plugins.schedule_visibility import forget, make_known
from airloom.plugins.settings import Settings
from airloom.storage.object_store import open_store
from airloom.storage.schedules import (
    ClockTrigger,
    DataTrigger,
    ScheduleDocument,
    ScheduledPipeline,
    ScheduleStore,
    short_id,
)

log = logging.getLogger(__name__)

_DAG_WRITTEN_AFTER = timedelta(minutes=15)
"""The DAG processor parses what it has more often than that."""


def settle(settings: Settings, *schedule_ids: str) -> None:
    """Make the documents and DAGs of schedules those that their rows ask for, whatever others do meanwhile."""
    documents = ScheduleStore(open_store(settings.store))
    for schedule_id in schedule_ids:
        written: object = ...
        while True:
            with open_session() as session:
                document = document_of(session, schedule_id)
            if document == written:
                break
            if document is None:
                documents.delete(short_id(schedule_id))
                forget(short_id(schedule_id))
            else:
                documents.put(document)
                make_known(document)
            written = document


def settle_of_pipeline(settings: Settings, pipeline_id: str) -> None:
    """The same for all schedules that run a pipeline or may do so; called after its status has changed."""
    endpoints = select(EndpointVersionRow.endpoint_id).where(EndpointVersionRow.pipeline_id == pipeline_id)
    _settle_all(settings, or_(ScheduleRow.pipeline_id == pipeline_id, ScheduleRow.endpoint_id.in_(endpoints)))


def settle_of_endpoint(settings: Settings, endpoint_id: str) -> None:
    """The same for all schedules of an endpoint; called after its default version or status has changed."""
    _settle_all(settings, ScheduleRow.endpoint_id == endpoint_id)


def _settle_all(settings: Settings, which: ColumnElement[bool]) -> None:
    with open_session() as session:
        ids = session.scalars(select(ScheduleRow.id).where(which)).all()
    settle(settings, *ids)


def reconcile(settings: Settings) -> None:
    """Mend what a server that died has left: documents that are missing, outdated, or of schedules that are no more."""
    documents = ScheduleStore(open_store(settings.store))
    stored = set(documents.stored())
    with open_session() as session:
        ids = session.scalars(select(ScheduleRow.id)).all()
    for schedule_id in ids:
        try:
            if not (short_id(schedule_id) in stored and _is_settled(documents, schedule_id)):
                settle(settings, schedule_id)
        except (AirloomError, ValueError) as error:  # a row that another version wrote must not keep the others
            log.warning("The schedule %s could not be mended: %s", schedule_id, error)
    for short in stored - {short_id(schedule_id) for schedule_id in ids}:
        _forget_if_unknown(documents, short)


def _is_settled(documents: ScheduleStore, schedule_id: str) -> bool:
    """True if the document says what the rows say, and its DAG must have been written by now.

    A document that was written a moment ago may be one whose server died before it wrote the DAG.
    """
    with open_session() as session:
        wanted = document_of(session, schedule_id)
    try:
        written_at = documents.written_at(short_id(schedule_id))
        return documents.get(short_id(schedule_id)) == wanted and utc_now() - written_at > _DAG_WRITTEN_AFTER
    except AirloomError as error:
        log.warning("The document of the schedule %s is written anew: %s", schedule_id, error)
        return False


def _forget_if_unknown(documents: ScheduleStore, short: str) -> None:
    """Another server may have made the schedule since the rows were read."""
    with open_session() as session:
        rows = session.scalars(select(ScheduleRow.id).where(ScheduleRow.id.startswith(short[:8]))).all()
    if short not in map(short_id, rows):
        documents.delete(short)
        forget(short)


# --- from rows to documents -----------------------------------------------------------------------------------------


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
