"""Submitting a pipeline: from a graph to a run that Airflow's scheduler sees.

The order makes every instant safe. The definition is stored first: it is immutable, and running nothing by itself it
harms nobody if the server dies here. Once Airflow knows it, our row and Airflow's run are written in one
transaction: a caller sees both or neither.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from airloom.errors import InvalidGraph, NotFound
from airloom.execution.names import REUSE_PARAM
from airloom.graph.model import DataSource, Definition, PipelineGraph, ReuseMode, source_locations
from airloom.graph.validate import GraphProblem, check_parameters, parse_graph, validate_graph
from airloom.plugins import computes, datastores, experiments, workspaces
from airloom.plugins.airflow_gateway import (
    SUBMIT,
    BaseUser,
    Session,
    create_run,
    is_allowed,
    open_session,
)
from airloom.plugins.db.models import RunRow, WorkspaceRow
from airloom.plugins.errors import Denied, RejectedGraph
from airloom.plugins.settings import Settings
from airloom.plugins.visibility import make_known
from airloom.storage.definitions import DefinitionStore, dag_id, digest16_of_dag_id
from airloom.storage.object_store import open_store
from airloom.storage.workspace import WorkspaceStore

_SOURCE: TypeAdapter[DataSource] = TypeAdapter(DataSource)


@dataclass(frozen=True)
class Submission:
    """What a caller asks to be run."""

    graph: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reuse: ReuseMode = "auto"
    description: str = ""
    display_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


def submit(settings: Settings, user: BaseUser, workspace: str, experiment: str, submission: Submission) -> str:
    """Check and store the pipeline, make it known to Airflow, and create the run; returns the run's id."""
    experiments.check_experiment_name(experiment)
    graph = parse_graph(dict(submission.graph))
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        definition = _define(session, settings, row, experiment, graph)
        known_datastores = datastores.names(session, row)
    parameters = check_parameters(graph, submission.parameters)
    _check_sources_given(graph, parameters, known_datastores)
    _check_snapshots(graph, workspaces.open_storage(settings, workspace))
    dag = dag_id(definition)
    if not is_allowed(user, SUBMIT, dag):
        raise Denied(f"User {user.get_name()!r} may not run the DAG {dag!r}.", target=dag)
    make_known(definition, dag, DefinitionStore(open_store(settings.store)), settings.dag_timeout_seconds)
    return _register(user, row.id, experiment, dag, submission, parameters)


def problems_of(session: Session, workspace: WorkspaceRow, graph: PipelineGraph) -> list[GraphProblem]:
    """All that is wrong with a graph in this workspace."""
    return validate_graph(
        graph,
        datastores=datastores.names(session, workspace),
        computes=list(computes.pools(session, workspace)),
    )


def _define(
    session: Session, settings: Settings, workspace: WorkspaceRow, experiment: str, graph: PipelineGraph
) -> Definition:
    """The definition of a graph that has no problems. Raises RejectedGraph."""
    problems = problems_of(session, workspace, graph)
    if problems:
        raise RejectedGraph(problems)
    used = {step.compute_target for step in graph.steps}
    return Definition(
        workspace=workspace.name,
        experiment=experiment,
        store=settings.store,
        default_datastore=workspace.default_datastore,
        pools={name: pool for name, pool in computes.pools(session, workspace).items() if name in used},
        graph=graph,
    )


def _check_sources_given(graph: PipelineGraph, parameters: Mapping[str, Any], known: list[str]) -> None:
    """Data that a run gives for a parameter must be on a datastore of the workspace, like all other data."""
    for parameter in graph.parameters:
        if parameter.type not in ("datapath", "dataset"):
            continue
        source = _SOURCE.validate_python(parameters[parameter.name])
        for location in source_locations(source):
            if location.datastore not in known:
                raise InvalidGraph(
                    f"Parameter {parameter.name!r} is on the datastore {location.datastore!r}, "
                    "which the workspace does not have.",
                    hint=f"It has: {', '.join(known)}.",
                    target=f"parameter {parameter.name}",
                )


def _check_snapshots(graph: PipelineGraph, storage: WorkspaceStore) -> None:
    """Every step's source folder must be in the store, whole."""
    for digest in dict.fromkeys(step.settings.snapshot for step in graph.steps):
        try:
            manifest = storage.use_snapshot(digest)
        except NotFound:
            step = next(step for step in graph.steps if step.settings.snapshot == digest)
            raise InvalidGraph(
                f"The source folder {digest} of step {step.name!r} has not been uploaded.",
                hint="Submit with the SDK, which uploads it, or PUT the snapshot first.",
                target=f"step {step.id}",
            ) from None
        for step in graph.steps:
            if step.settings.snapshot == digest and not _has_script(manifest.entries, step.settings.script_name):
                raise InvalidGraph(
                    f"The source folder of step {step.name!r} has no script {step.settings.script_name!r}.",
                    hint="script_name is relative to source_directory; is the file excluded by .amlignore?",
                    target=f"step {step.id}",
                )


def _has_script(entries: Any, script: str) -> bool:
    return any(entry.path == script for entry in entries)


def _register(
    user: BaseUser,
    workspace_id: int,
    experiment: str,
    dag: str,
    submission: Submission,
    parameters: dict[str, Any],
) -> str:
    """Write our row and Airflow's run in one transaction."""
    run_id = str(uuid.uuid4())
    with open_session() as session:
        row = RunRow(
            id=run_id,
            workspace_id=workspace_id,
            experiment_id=experiments.ensure(session, workspace_id, experiment).id,
            dag_id=dag,
            airflow_run_id=run_id,
            definition=digest16_of_dag_id(dag),
            display_name=submission.display_name,
            description=submission.description,
            tags=dict(submission.tags),
            properties=dict(submission.properties),
            parameters=parameters,
            reuse=submission.reuse,
            created_by=user.get_name(),
        )
        session.add(row)
        session.flush()
        create_run(session, dag, run_id, {**parameters, REUSE_PARAM: submission.reuse}, user.get_name())
    return run_id
