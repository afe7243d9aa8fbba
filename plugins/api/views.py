"""What is answered of runs, published pipelines and endpoints; several routes answer with the same."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request

from airloom.plugins import publishing, runs, workspaces
from airloom.plugins.airflow_gateway import base_url, dag_url, open_session, run_url
from airloom.plugins.api import schemas
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import EndpointRow, PipelineRow
from airloom.plugins.settings import Settings

V1_WORKSPACE = (
    "/pipelines/v1.0/subscriptions/airloom/resourceGroups/local"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
)
"""Where Azure ML's clients find the pipelines of a workspace. Subscription and resource group mean nothing here."""


def read_run(settings: Settings, workspace: str, run_id: str, request: Request) -> schemas.Run:
    """A run as it is now, read in a session of its own."""
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        return run_view(runs.find(session, row, run_id), row, request)


def run_view(run: runs.RunView, workspace: WorkspaceRow, request: Request) -> schemas.Run:
    """A run as callers see it."""
    row = run.row
    error = schemas.RunError(code=run.error[0], message=run.error[1], steps=list(run.failed)) if run.error else None
    return schemas.Run(
        id=row.id,
        workspace=workspace.name,
        experiment=row.experiment.name,
        display_name=row.display_name,
        status=run.status,
        dag_id=row.dag_id,
        url=run_url(row.dag_id, row.airflow_run_id, _server(request)),
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=run.started_at,
        ended_at=run.ended_at,
        description=row.description,
        tags=row.tags,
        properties=row.properties,
        parameters=row.parameters,
        reuse=row.reuse,
        continue_on_step_failure=row.continue_on_step_failure,
        pipeline_id=row.pipeline_id,
        endpoint_id=row.endpoint_id,
        schedule_id=row.schedule_id,
        source=row.source,
        error=error,
    )


def pipeline_view(
    row: PipelineRow, workspace: WorkspaceRow, settings: Settings, request: Request
) -> schemas.PublishedPipeline:
    """A published pipeline as callers see it."""
    contents = publishing.contents(settings, row)
    return schemas.PublishedPipeline.model_validate(
        {
            **{name: getattr(row, name) for name in _PIPELINE_COLUMNS},
            "steps": list(contents.steps),
            "parameters": [parameter.model_dump(mode="json") for parameter in contents.parameters],
            "endpoint": v1_address(workspace, f"PipelineRuns/PipelineSubmit/{row.id}", request),
            "url": dag_url(row.dag_id, _server(request)),
        }
    )


def endpoint_view(row: EndpointRow, workspace: WorkspaceRow, request: Request) -> schemas.Endpoint:
    """An endpoint as callers see it."""
    versions = [{"version": str(each.version), "pipeline_id": each.pipeline_id} for each in row.versions]
    return schemas.Endpoint.model_validate(
        {
            **{name: getattr(row, name) for name in _COMMON},
            "default_version": str(row.default_version),
            "versions": versions,
            "endpoint": v1_address(workspace, f"PipelineRuns/PipelineEndpointSubmit/Id/{row.id}", request),
        }
    )


def v1_address(workspace: WorkspaceRow, path: str, request: Request) -> str:
    """The absolute address of something in the API that Azure ML's clients know."""
    return f"{base_url(_server(request))}{V1_WORKSPACE.format(workspace=quote(workspace.name))}/{path}"


_COMMON = ("id", "name", "description", "status", "tags", "properties", "created_at", "created_by", "modified_at")
_PIPELINE_COLUMNS = (*_COMMON, "version", "dag_id", "graph_digest", "continue_on_step_failure", "total_steps")


def _server(request: Request) -> str:
    """Where the request came in."""
    return f"{request.url.scheme}://{request.url.netloc}"
