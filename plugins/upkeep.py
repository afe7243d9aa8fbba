"""Upkeep of workspaces: what the collector must know of Airflow's runs, and what the check must know of datastores."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select

from airloom.errors import IntegrityError, InvalidName
from airloom.execution.names import PLAN_KEY, RESULT_KEY
from airloom.graph.model import DataSource, source_locations
from airloom.graph.results import StepResult
from airloom.operators.run_context import run_name
from airloom.plugins import datastores
from airloom.plugins.airflow_gateway import (
    RunFacts,
    Session,
    open_session,
    retire_dag,
    revive_dag,
    runs_ended_since,
    unfinished_runs,
    xcoms,
)
from airloom.plugins.dataset_wishes import grant_wishes
from airloom.plugins.datasets import places
from airloom.plugins.db.models import WorkspaceRow, utc_now
from airloom.plugins.db.published import PipelineRow
from airloom.plugins.drafts import snapshots_in_use
from airloom.plugins.settings import load_settings
from airloom.plugins.workspaces import open_storage
from airloom.reuse.plan import Plan
from airloom.storage.datastore_config import DatastoreConfig, parse_config
from airloom.storage.definitions import digest16_of_dag_id
from airloom.upkeep import RunUse

_SOURCE: TypeAdapter[DataSource] = TypeAdapter(DataSource)


class AirflowRuns:
    """The runs of this deployment, read from Airflow's database in sessions of their own."""

    def uses(self, dag_ids: Collection[str], since: datetime) -> list[RunUse]:
        """All runs that have not ended, with all that they use, and those of these DAGs that ended since.

        What drafts and registered datasets refer to is in use too.
        """
        for workspace_id, name in self._workspaces():
            grant_wishes(workspace_id, open_storage(load_settings(), name))
        with open_session() as session:
            live = [_live_use(session, run) for run in unfinished_runs(session)]
            ended = [_use(run, live=False) for run in runs_ended_since(session, dag_ids, since)]
            drafts = RunUse("drafts", live=True, last_used=utc_now(), snapshots=frozenset(snapshots_in_use(session)))
            kept = RunUse("datasets", live=True, last_used=utc_now(), paths=tuple(places(session)))
        return [*live, *ended, drafts, kept]

    def published(self) -> Collection[str]:
        """The definitions of published pipelines, disabled ones too: they may be enabled again."""
        with open_session() as session:
            return set(session.scalars(select(PipelineRow.definition)))

    def retire(self, dag_id: str) -> bool:
        """See to it that no run of a DAG begins any more. False if one has not ended."""
        with open_session() as session:
            return retire_dag(session, dag_id)

    def revive(self, dag_id: str) -> None:
        """Take the retirement of a DAG back."""
        with open_session() as session:
            revive_dag(session, dag_id)

    def _workspaces(self) -> Collection[tuple[int, str]]:
        with open_session() as session:
            return [(row.id, row.name) for row in session.scalars(select(WorkspaceRow))]

    def workspaces(self) -> Collection[str]:
        """The names of all workspaces."""
        with open_session() as session:
            return list(session.scalars(select(WorkspaceRow.name)))


def registered_datastores(session: Session, workspace: WorkspaceRow) -> Mapping[str, DatastoreConfig]:
    """The datastores as the database has them, by name."""
    rows = datastores.list_all(session, workspace)
    return {row.name: parse_config({"name": row.name, "type": row.type, **row.config}) for row in rows}


def _use(run: RunFacts, *, live: bool, **more: Any) -> RunUse:
    return RunUse(
        run_id=run_name(run.dag_id, run.run_id),
        live=live,
        last_used=run.ended_at or datetime.now(UTC),
        definition=_definition_of(run.dag_id),
        **more,
    )


def _live_use(session: Session, run: RunFacts) -> RunUse:
    results = list(_results(session, run))
    return _use(
        run,
        live=True,
        outputs=tuple(output for result in results for output in result.outputs.values()),
        origins=tuple(result.reused_from for result in results if result.reused_from is not None),
        paths=tuple(_paths(run.conf)),
    )


def _results(session: Session, run: RunFacts) -> Iterator[StepResult]:
    """What the tasks of a run have been given so far: by the plan, and by steps that decided for themselves."""
    try:
        for value in xcoms(session, run.dag_id, run.run_id, PLAN_KEY).values():
            yield from Plan.model_validate(value).reused.values()
        for value in xcoms(session, run.dag_id, run.run_id, RESULT_KEY).values():
            yield StepResult.model_validate(value)
    except ValidationError as error:
        raise IntegrityError(
            f"What run {run.run_id!r} of {run.dag_id!r} uses cannot be read: {error.errors()[0]['msg']}.",
            hint="Another version of Airloom wrote it. Collect once that run has ended.",
            target=run.run_id,
        ) from error


def _paths(conf: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The data that a run was started with, as pairs of datastore and path."""
    for value in conf.values():
        try:
            source = _SOURCE.validate_python(value) if isinstance(value, Mapping) else None
        except ValidationError:
            continue  # an object of another kind, in the conf of a DAG that is not ours
        for location in source_locations(source) if source is not None else ():
            yield location.datastore, location.path


def _definition_of(dag_id: str) -> str | None:
    try:
        return digest16_of_dag_id(dag_id)
    except InvalidName:
        return None
