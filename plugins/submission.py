"""Starting runs: of a graph that comes with the request, or of a pipeline that was published.

The order makes every instant safe. The definition is stored first: it is immutable, and running nothing by itself it
harms nobody if the server dies here. Once Airflow knows it, our row and Airflow's run are written in one
transaction: a caller sees both or neither.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from airloom.errors import NotFound
from airloom.execution.names import REUSE_PARAM, RUN_KEY
from airloom.graph.model import PipelineGraph, ReuseMode
from airloom.graph.validate import check_parameters, parse_graph
from airloom.plugins import datastores, experiments, workspaces
from airloom.plugins.airflow_gateway import (
    SUBMIT,
    BaseUser,
    Session,
    create_run,
    dag_is_known,
    is_allowed,
    open_session,
    open_session_in_turn,
)
from airloom.plugins.checking import check_snapshots, check_sources_given, define
from airloom.plugins.dataset_references import References
from airloom.plugins.db.models import RunRow, WorkspaceRow
from airloom.plugins.db.published import PipelineRow
from airloom.plugins.errors import Conflict, Denied
from airloom.plugins.idempotency import Once, first_run, once
from airloom.plugins.settings import Settings
from airloom.plugins.visibility import make_known
from airloom.storage.definitions import DefinitionStore, dag_id, digest16_of_dag_id
from airloom.storage.object_store import open_store

ACTIVE = "Active"
DISABLED = "Disabled"


@dataclass(frozen=True)
class RunRequest:
    """What a caller asks of one run, whatever is to be run.

    `endpoint_version` is the version of the endpoint that the caller named, if any. With an `idempotency_key` the same
    request makes no second run.
    """

    experiment: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reuse: ReuseMode = "auto"
    description: str = ""
    display_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    source: str = "SDK"
    endpoint_id: str | None = None
    endpoint_version: str | None = None
    schedule_id: str | None = None
    idempotency_key: str | None = None


def submit(settings: Settings, user: BaseUser, workspace: str, graph: Mapping[str, Any], request: RunRequest) -> str:
    """Check and store the pipeline, make it known to Airflow, and create the run; returns the run's id."""
    experiments.check_experiment_name(request.experiment)
    given = once(request.idempotency_key, graph=graph, **asdict(request))
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        first = first_run(session, row.id, given)
        if first is not None:
            return _repeated(user, first)
        references = References(session, settings, row)
        parsed = parse_graph(references.in_graph(graph))
        definition = define(session, settings, row, request.experiment, parsed)
        parameters = _check_values(session, references, row, parsed, request)
    check_snapshots(parsed, workspaces.open_storage(settings, workspace))
    dag = dag_id(definition)
    check_may_run(user, dag)
    make_known(definition, dag, DefinitionStore(open_store(settings.store)), settings.dag_timeout_seconds)
    return _register(_Run(user, row.id, dag, request, parameters, given))


def start(settings: Settings, user: BaseUser, workspace: str, target: PipelineRow, request: RunRequest) -> str:
    """Create a run of a published pipeline; returns the run's id."""
    check_may_run(user, target.dag_id)
    experiments.check_experiment_name(request.experiment)
    given = once(request.idempotency_key, target=request.endpoint_id or target.id, **asdict(request))
    definitions = DefinitionStore(open_store(settings.store))
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        first = first_run(session, row.id, given)
        if first is not None:
            return _repeated(user, first)
        check_active(target)
        definition = definitions.get(target.definition)
        references = References(session, settings, row)
        parameters = _check_values(session, references, row, definition.graph, request)
    if not dag_is_known(target.dag_id):
        # The server died after it had published the pipeline, or somebody deleted the DAG in Airflow.
        make_known(definition, target.dag_id, definitions, settings.dag_timeout_seconds)
    return _register(_Run(user, row.id, target.dag_id, request, parameters, given, target.id))


def check_may_run(user: BaseUser, dag: str) -> None:
    """Raises Denied if the user may not run the DAG."""
    if not is_allowed(user, SUBMIT, dag):
        raise Denied(f"User {user.get_name()!r} may not run the DAG {dag!r}.", target=dag)


def check_active(pipeline: PipelineRow) -> None:
    """Raises Conflict if the pipeline is disabled."""
    if pipeline.status != ACTIVE:
        raise Conflict(
            f"The pipeline {pipeline.name!r} ({pipeline.id}) is disabled.", hint="Enable it first.", target=pipeline.id
        )


def _check_values(
    session: Session, references: References, workspace: WorkspaceRow, graph: PipelineGraph, request: RunRequest
) -> dict[str, Any]:
    """The value of every parameter of the run."""
    parameters = check_parameters(graph, references.in_values(request.parameters))
    check_sources_given(graph, parameters, datastores.names(session, workspace))
    return parameters


def _repeated(user: BaseUser, first: RunRow) -> str:
    """The run that the first of several equal requests has made."""
    check_may_run(user, first.dag_id)
    return first.id


@dataclass(frozen=True)
class _Run:
    """A run that may be made: all has been checked."""

    user: BaseUser
    workspace_id: int
    dag: str
    request: RunRequest
    parameters: Mapping[str, Any]
    given: Once
    pipeline_id: str | None = None

    def row(self, run_id: str, experiment_id: int) -> RunRow:
        """Our row of it."""
        request = self.request
        return RunRow(
            id=run_id,
            workspace_id=self.workspace_id,
            experiment_id=experiment_id,
            dag_id=self.dag,
            airflow_run_id=run_id,
            definition=digest16_of_dag_id(self.dag),
            pipeline_id=self.pipeline_id,
            endpoint_id=request.endpoint_id,
            schedule_id=request.schedule_id,
            source=request.source,
            idempotency_key=self.given.key,
            idempotency_digest=self.given.digest,
            continue_on_step_failure=request.continue_on_step_failure,
            display_name=request.display_name,
            description=request.description,
            tags=dict(request.tags),
            properties=dict(request.properties),
            parameters=dict(self.parameters),
            reuse=request.reuse,
            created_by=self.user.get_name(),
        )

    def conf(self) -> dict[str, Any]:
        """What its tasks are given: parameters, and what of the request is not in the definition."""
        own: dict[str, Any] = {"experiment": self.request.experiment} if self.pipeline_id is not None else {}
        if self.request.continue_on_step_failure is not None:
            own["continue_on_step_failure"] = self.request.continue_on_step_failure
        return {**self.parameters, REUSE_PARAM: self.request.reuse, **({RUN_KEY: own} if own else {})}


def _register(run: _Run) -> str:
    """Write our row and Airflow's run of a DAG that it knows in one transaction; returns the run's id."""
    run_id = str(uuid.uuid4())
    experiment_id = experiments.id_of(run.workspace_id, run.request.experiment)
    try:
        with open_session_in_turn() as session:
            session.add(run.row(run_id, experiment_id))
            session.flush()
            if run.pipeline_id is not None:
                _check_still_active(session, run.pipeline_id)
            create_run(session, run.dag, run_id, run.conf(), run.user.get_name())
    except IntegrityError:
        with open_session() as session:
            first = first_run(session, run.workspace_id, run.given)
        if first is None:
            raise
        return _repeated(run.user, first)
    return run_id


def _check_still_active(session: Session, pipeline_id: str) -> None:
    """Nobody can disable the pipeline between this and the end of the transaction, which has written already."""
    pipeline = session.scalar(
        select(PipelineRow)
        .where(PipelineRow.id == pipeline_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    if pipeline is None:
        raise NotFound(f"The pipeline {pipeline_id} was deleted at the same moment.", target=pipeline_id)
    check_active(pipeline)
