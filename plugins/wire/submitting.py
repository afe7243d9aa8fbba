"""From a body of the original shape to a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airloom.plugins import endpoints, publishing
from airloom.plugins.airflow_gateway import Session, open_session
from airloom.plugins.dataset_references import References
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import EndpointRow, PipelineRow
from airloom.plugins.submission import RunRequest, check_may_run, start
from airloom.plugins.wire import assignments, codes
from airloom.plugins.wire.bodies import PipelineSubmissionInfo
from airloom.plugins.wire.calls import Call
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

FindEndpoint = Callable[[Session, WorkspaceRow], EndpointRow]


def submit_pipeline(call: Call, pipeline_id: str, info: PipelineSubmissionInfo, key: str | None) -> str:
    """Start a run of a published pipeline; returns the run's id."""
    with open_session() as session:
        target = publishing.find(session, call.workspace(session), pipeline_id)
    return start(call.settings, call.user, call.ws, target, _request(call, target, info, idempotency_key=key))


def submit_endpoint(
    call: Call, find: FindEndpoint, version: str | None, info: PipelineSubmissionInfo, key: str | None
) -> str:
    """Start a run of a version of an endpoint, or of the default one; returns the run's id."""
    with open_session() as session:
        endpoint = find(session, call.workspace(session))
        target = endpoints.resolve(session, endpoint, version)
    named = {"endpoint_id": endpoint.id, "endpoint_version": version, "idempotency_key": key}
    return endpoints.submit(call.settings, call.user, call.ws, endpoint, _request(call, target, info, **named))


def _request(call: Call, target: PipelineRow, info: PipelineSubmissionInfo, **named: Any) -> RunRequest:
    check_may_run(call.user, target.dag_id)
    parameters = publishing.contents(call.settings, target).parameters
    with open_session() as session:
        references = References(session, call.settings, call.workspace(session))
        values = assignments.given_values(info, parameters, references)
    return RunRequest(
        experiment=_experiment(call, target) if info.experiment_name is None else info.experiment_name,
        parameters=values,
        reuse=info.reuse,
        description=info.description or "",
        display_name=info.display_name or "",
        tags=info.tags or {},
        properties=info.properties or {},
        continue_on_step_failure=info.continue_run_on_step_failure,
        source=codes.source_of(info.run_source),
        **named,
    )


def _experiment(call: Call, target: PipelineRow) -> str:
    """The experiment of runs that name none."""
    return DefinitionStore(open_store(call.settings.store)).get(target.definition).experiment
