"""Publishing pipelines: an immutable definition, its DAG in Airflow, and a row that only ever changes its status.

The definition is stored first, and held: it can be read, but is offered to nobody. Then our row and Airflow's DAG are
written in one transaction: nobody sees one without the other, whenever the server dies. What follows, releasing the
definition and listing it for the DAG processor, is made up for when a server starts, and when the pipeline is run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

from sqlalchemy import select

from airloom.errors import AirloomError, NotFound
from airloom.graph.canonical import digest_value
from airloom.graph.model import Definition, ParameterDef, PipelineGraph, Publication
from airloom.graph.validate import parse_graph
from airloom.plugins import runs, schedule_documents, workspaces
from airloom.plugins.airflow_gateway import READ_RUN, BaseUser, Session, is_allowed, open_session
from airloom.plugins.checking import check_name, check_snapshots, define
from airloom.plugins.dataset_references import References
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import PipelineRow
from airloom.plugins.errors import BadRequest, Denied
from airloom.plugins.settings import Settings
from airloom.plugins.submission import ACTIVE, check_may_run
from airloom.plugins.visibility import publish_dag
from airloom.storage.definitions import DefinitionStore, dag_id, digest16_of_dag_id, shard_of
from airloom.storage.object_store import open_store

log = logging.getLogger(__name__)

Status = Literal["Active", "Disabled"]


@dataclass(frozen=True)
class Publishing:
    """What is to be published: a graph, or that of a run.

    `continue_on_step_failure` None leaves it as the graph has it; `experiment` is that of runs which name none.
    """

    name: str
    graph: Mapping[str, Any] | None = None
    run_id: str | None = None
    description: str = ""
    version: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    experiment: str = ""


def publish(settings: Settings, user: BaseUser, workspace: str, publishing: Publishing) -> str:
    """Check and store a pipeline, and make it one that can be run again and again; returns its id."""
    check_name(publishing.name, "a pipeline")
    check_name(publishing.experiment or publishing.name, "an experiment")
    publication = Publication(
        id=str(uuid.uuid4()),
        name=publishing.name,
        description=publishing.description,
        version=publishing.version,
        tags=dict(publishing.tags),
        owner=user.get_name(),
    )
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        graph = _graph(session, settings, user, row, publishing)
        experiment = publishing.experiment or publishing.name
        definition = define(session, settings, row, experiment, graph, publication)
    check_snapshots(graph, workspaces.open_storage(settings, workspace))
    published = _row(row, definition, publication, publishing.properties)
    check_may_run(user, published.dag_id)
    definitions = DefinitionStore(open_store(settings.store))
    publish_dag(definition, published.dag_id, definitions, settings.dag_timeout_seconds, published)
    return publication.id


def find(session: Session, workspace: WorkspaceRow, pipeline_id: str) -> PipelineRow:
    """The published pipeline of this id. Raises NotFound."""
    row = session.scalar(
        select(PipelineRow).where(PipelineRow.id == pipeline_id, PipelineRow.workspace_id == workspace.id)
    )
    if row is None:
        raise NotFound(
            f"Workspace {workspace.name!r} has no published pipeline {pipeline_id[:80]!r}.",
            hint="Check the id.",
            target=pipeline_id[:80],
        )
    return row


def list_some(
    session: Session,
    workspace: WorkspaceRow,
    *,
    active_only: bool = True,
    limit: int = 100,
    may_read: Callable[[str], bool],
) -> list[PipelineRow]:
    """The newest published pipelines whose DAG the caller may read, at most `limit`."""
    query = select(PipelineRow).where(PipelineRow.workspace_id == workspace.id)
    if active_only:
        query = query.where(PipelineRow.status == ACTIVE)
    query = query.order_by(PipelineRow.created_at.desc(), PipelineRow.id)
    rows = session.scalars(query.execution_options(yield_per=100))
    return list(islice((row for row in rows if may_read(row.dag_id)), limit))


def set_status(settings: Settings, workspace: str, pipeline_id: str, status: Status) -> None:
    """Let runs of a published pipeline be made, or no more. Those under way go on."""
    with open_session() as session:
        find(session, workspaces.find(session, settings, workspace), pipeline_id).status = status
    schedule_documents.settle_of_pipeline(settings, pipeline_id)


@dataclass(frozen=True)
class Contents:
    """What a published pipeline consists of, as far as callers are told in a list."""

    steps: Sequence[str] = ()
    parameters: Sequence[ParameterDef] = ()


def contents(settings: Settings, row: PipelineRow) -> Contents:
    """Names of the steps, and the parameters; nothing if the store has lost the definition."""
    try:
        return _contents(settings.store, row.definition)
    except AirloomError as error:
        log.warning("The definition of the published pipeline %s cannot be read: %s", row.id, error)
        return Contents()


def graph_of(settings: Settings, row: PipelineRow) -> PipelineGraph:
    """The pipeline as it was published."""
    return DefinitionStore(open_store(settings.store)).get(row.definition).graph


def mend_index(settings: Settings) -> None:
    """Release and list the definition of every published pipeline: a server may have died before it did so."""
    with open_session() as session:
        published = set(session.scalars(select(PipelineRow.definition)))
    definitions = DefinitionStore(open_store(settings.store))
    listed = {number: set(definitions.shard(number)) for number in {shard_of(digest) for digest in published}}
    for digest in sorted(published):
        if digest not in listed[shard_of(digest)]:
            definitions.release(digest)


@lru_cache(maxsize=4096)
def _contents(store: str, digest: str) -> Contents:
    """Definitions never change, so they are read once."""
    graph = DefinitionStore(open_store(store)).get(digest).graph
    return Contents(tuple(step.name for step in graph.steps), graph.parameters)


def _graph(
    session: Session, settings: Settings, user: BaseUser, workspace: WorkspaceRow, publishing: Publishing
) -> PipelineGraph:
    """What is to be published, from where the caller says that it is."""
    if (publishing.graph is None) == (publishing.run_id is None):
        raise BadRequest("Give either a graph or the id of a run to publish the pipeline of.", target="graph")
    if publishing.graph is not None:
        graph = parse_graph(References(session, settings, workspace).in_graph(publishing.graph))
    else:
        run = runs.find_row(session, workspace, publishing.run_id or "")
        if not is_allowed(user, READ_RUN, run.dag_id):
            raise Denied(f"User {user.get_name()!r} may not read the run {run.id!r}.", target=run.id)
        graph = DefinitionStore(open_store(settings.store)).get(run.definition).graph
    if publishing.continue_on_step_failure is not None:
        graph = graph.model_copy(update={"continue_on_step_failure": publishing.continue_on_step_failure})
    return graph


def _row(
    workspace: WorkspaceRow, definition: Definition, publication: Publication, properties: Mapping[str, str]
) -> PipelineRow:
    dag = dag_id(definition)
    return PipelineRow(
        id=publication.id,
        workspace_id=workspace.id,
        name=publication.name,
        description=publication.description,
        version=publication.version,
        tags=dict(publication.tags),
        properties=dict(properties),
        created_by=publication.owner,
        dag_id=dag,
        definition=digest16_of_dag_id(dag),
        graph_digest=digest_value(definition.graph),
        total_steps=len(definition.graph.steps),
        continue_on_step_failure=definition.graph.continue_on_step_failure,
    )
