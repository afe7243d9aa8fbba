"""Drafts: pipelines in the making. A draft may be changed, run and published at any time, and be wrong until then.

What was made from a draft does not depend on it: a run and a published pipeline have definitions of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import select, update

from airloom.errors import AirloomError, NotFound
from airloom.graph.parameters import with_defaults
from airloom.graph.validate import parse_graph
from airloom.plugins import experiments, publishing, runs, submission, workspaces
from airloom.plugins.airflow_gateway import READ_RUN, BaseUser, Session, is_allowed, open_session
from airloom.plugins.checking import check_name
from airloom.plugins.dataset_references import References
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import DraftRow
from airloom.plugins.errors import BadRequest, Denied
from airloom.plugins.publishing import Publishing
from airloom.plugins.settings import Settings
from airloom.plugins.submission import RunRequest
from airloom.plugins.tags import Tag, conditions
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store


@dataclass(frozen=True)
class Origin:
    """What a draft is made from: exactly one of these."""

    graph: Mapping[str, Any] | None = None
    pipeline_id: str | None = None
    run_id: str | None = None
    draft_id: str | None = None


@dataclass(frozen=True)
class Content:
    """All of a draft that its author may set."""

    graph: Mapping[str, Any]
    name: str = ""
    description: str = ""
    experiment: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises an AirloomError for what could not be kept. Whether the graph can run is not asked yet."""
        parse_graph(dict(self.graph))
        check_name(self.name, "a draft")
        if self.experiment:
            experiments.check_experiment_name(self.experiment)


def create(settings: Settings, user: BaseUser, workspace: str, origin: Origin, given: Mapping[str, Any]) -> str:
    """Make a draft; what is not `given` of its content is that of its origin. Returns its id."""
    draft_id = str(uuid.uuid4())
    with open_session() as session:
        row = workspaces.find(session, settings, workspace)
        copied, parents = _copied(session, settings, user, row, origin)
        content = _resolved(replace(copied, **given), References(session, settings, row))
        content.check()
        _keep_snapshots(settings, workspace, content.graph)
        session.add(
            DraftRow(id=draft_id, workspace_id=row.id, created_by=user.get_name(), **_columns(content), **parents)
        )
    return draft_id


def find(session: Session, workspace: WorkspaceRow, draft_id: str) -> DraftRow:
    """The draft of this id. Raises NotFound."""
    row = session.scalar(select(DraftRow).where(DraftRow.id == draft_id, DraftRow.workspace_id == workspace.id))
    if row is None:
        raise NotFound(
            f"Workspace {workspace.name!r} has no draft {draft_id[:80]!r}.", hint="Check the id.", target=draft_id[:80]
        )
    return row


def list_some(session: Session, workspace: WorkspaceRow, tags: Sequence[Tag], limit: int) -> list[DraftRow]:
    """The newest drafts that have all the tags, at most `limit`."""
    query = select(DraftRow).where(DraftRow.workspace_id == workspace.id, *conditions(tags, DraftRow.tags))
    rows = session.scalars(query.order_by(DraftRow.created_at.desc(), DraftRow.id).execution_options(yield_per=50))
    return list(islice((row for row in rows if all(tag.among(row.tags) for tag in tags)), limit))


def change(settings: Settings, session: Session, workspace: str, row: DraftRow, given: Mapping[str, Any]) -> None:
    """Change what is given of a draft; the rest stays."""
    references = References(session, settings, workspaces.find(session, settings, workspace))
    content = _resolved(replace(_content(row), **given), references)
    content.check()
    _keep_snapshots(settings, workspace, content.graph)
    for name, value in _columns(content).items():
        setattr(row, name, value)
    session.flush()


def delete(session: Session, workspace: WorkspaceRow, draft_id: str) -> None:
    """Remove a draft. Raises NotFound."""
    row = find(session, workspace, draft_id)
    session.execute(delete_from(DraftRow).where(DraftRow.id == row.id))


def submit(
    settings: Settings, user: BaseUser, workspace: str, draft_id: str, idempotency_key: str | None = None
) -> str:
    """Run a draft as it is now; returns the run's id, which the draft remembers."""
    with open_session() as session:
        draft = _content(find(session, workspaces.find(session, settings, workspace), draft_id))
    if not draft.experiment:
        raise BadRequest(
            f"The draft {draft.name!r} names no experiment.", hint="Update it with one.", target="experiment"
        )
    request = RunRequest(
        experiment=draft.experiment,
        parameters=draft.parameters,
        description=draft.description,
        display_name=draft.name,
        continue_on_step_failure=draft.continue_on_step_failure,
        idempotency_key=idempotency_key,
    )
    run_id = submission.submit(settings, user, workspace, draft.graph, request)
    with open_session() as session:
        session.execute(update(DraftRow).where(DraftRow.id == draft_id).values(last_submitted_run_id=run_id))
    return run_id


def publish(settings: Settings, user: BaseUser, workspace: str, draft_id: str) -> str:
    """Publish a draft as it is now; its parameters are the defaults of the pipeline, whose id is returned."""
    with open_session() as session:
        draft = _content(find(session, workspaces.find(session, settings, workspace), draft_id))
    graph = with_defaults(parse_graph(dict(draft.graph)), draft.parameters)
    asked = Publishing(
        name=draft.name,
        graph=graph.model_dump(mode="json"),
        description=draft.description,
        tags=draft.tags,
        properties=draft.properties,
        continue_on_step_failure=draft.continue_on_step_failure,
        experiment=draft.experiment,
    )
    return publishing.publish(settings, user, workspace, asked)


def _resolved(content: Content, references: References) -> Content:
    """The content with the versions of the datasets that it names, which stay what they are from now on."""
    return replace(
        content, graph=references.in_graph(content.graph), parameters=references.in_values(content.parameters)
    )


def snapshots_in_use(session: Session) -> Iterator[str]:
    """The digests of the source folders of all drafts, which must stay as long as they do."""
    for graph in session.scalars(select(DraftRow.graph).execution_options(yield_per=50)):
        yield from (step.settings.snapshot for step in parse_graph(graph).steps)


def _keep_snapshots(settings: Settings, workspace: str, graph: Mapping[str, Any]) -> None:
    """Let no collector that is under way take the source folders; those that are not there yet may come later."""
    storage = workspaces.open_storage(settings, workspace)
    for digest in {step.settings.snapshot for step in parse_graph(dict(graph)).steps}:
        with suppress(AirloomError):
            storage.use_snapshot(digest)


def _copied(
    session: Session, settings: Settings, user: BaseUser, workspace: WorkspaceRow, origin: Origin
) -> tuple[Content, dict[str, str]]:
    """The content of what a draft is made from, and the column that remembers it."""
    match origin:
        case Origin(graph=dict() as graph, pipeline_id=None, run_id=None, draft_id=None):
            return Content(graph), {}
        case Origin(graph=None, pipeline_id=str() as pipeline_id, run_id=None, draft_id=None):
            return _of_pipeline(session, settings, user, workspace, pipeline_id), {"parent_pipeline_id": pipeline_id}
        case Origin(graph=None, pipeline_id=None, run_id=str() as run_id, draft_id=None):
            return _of_run(session, settings, user, workspace, run_id), {"parent_run_id": run_id}
        case Origin(graph=None, pipeline_id=None, run_id=None, draft_id=str() as draft_id):
            return _content(find(session, workspace, draft_id)), {"parent_draft_id": draft_id}
    raise BadRequest("A draft is made from one of graph, pipeline_id, run_id and draft_id: give one.", target="graph")


def _of_pipeline(
    session: Session, settings: Settings, user: BaseUser, workspace: WorkspaceRow, pipeline_id: str
) -> Content:
    row = publishing.find(session, workspace, pipeline_id)
    _check_may_read(user, row.dag_id, f"the pipeline {pipeline_id}")
    definition = DefinitionStore(open_store(settings.store)).get(row.definition)
    return Content(
        graph=definition.graph.model_dump(mode="json"),
        name=row.name,
        description=row.description,
        experiment=definition.experiment,
        tags=row.tags,
        properties=row.properties,
    )


def _of_run(session: Session, settings: Settings, user: BaseUser, workspace: WorkspaceRow, run_id: str) -> Content:
    row = runs.find_row(session, workspace, run_id)
    _check_may_read(user, row.dag_id, f"the run {run_id}")
    graph = DefinitionStore(open_store(settings.store)).get(row.definition).graph
    defaults = {each["name"]: each["default"] for each in graph.model_dump(mode="json")["parameters"]}
    return Content(
        graph=graph.model_dump(mode="json"),
        name=row.display_name or row.experiment.name,
        description=row.description,
        experiment=row.experiment.name,
        parameters={name: value for name, value in row.parameters.items() if value != defaults.get(name)},
        continue_on_step_failure=row.continue_on_step_failure,
        tags=row.tags,
        properties=row.properties,
    )


def _check_may_read(user: BaseUser, dag_id: str, what: str) -> None:
    if not is_allowed(user, READ_RUN, dag_id):
        raise Denied(f"User {user.get_name()!r} may not read {what}.", target=dag_id)


def _content(row: DraftRow) -> Content:
    return Content(**{name: getattr(row, name) for name in _CONTENT})


def _columns(content: Content) -> dict[str, Any]:
    """What a row of our table takes: plain dictionaries, and none that another row holds."""
    values = {name: getattr(content, name) for name in _CONTENT}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


_CONTENT = (
    "graph",
    "name",
    "description",
    "experiment",
    "parameters",
    "continue_on_step_failure",
    "tags",
    "properties",
)
