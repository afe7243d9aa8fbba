"""Finding the run that a page is about.

Most runs were submitted to Airloom, or are of a published pipeline, and have a row in its tables. Others were started
in Airflow: of a submitted pipeline with the button "Trigger", or of a hand-written DAG that uses our operators. Of
those, Airflow's tables and the XComs of the tasks tell everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import select

from airloom.errors import AirloomError, NotFound
from airloom.graph.model import Definition, PythonScriptSettings, Step
from airloom.operators.definition import WORKSPACE as HAND_WRITTEN_WORKSPACE
from airloom.plugins import runs
from airloom.plugins.adoption import adopt
from airloom.plugins.airflow_gateway import DAG_RUNS, Session
from airloom.plugins.api.schemas import RunStatus
from airloom.plugins.db.models import RunRow, WorkspaceRow
from airloom.plugins.db.published import PipelineRow
from airloom.plugins.run_states import (
    StepView,
    read_facts,
    run_status,
)
from airloom.plugins.settings import Settings
from airloom.storage.definitions import DefinitionStore, digest16_of_dag_id
from airloom.storage.object_store import open_store


@dataclass(frozen=True)
class FoundRun:
    """A run, whoever started it. `submitted` is False if Airloom has no row of it.

    `run_id` is its id in our addresses, `airflow_run_id` in Airflow's.
    """

    dag_id: str
    run_id: str
    airflow_run_id: str
    title: str
    status: RunStatus
    started_at: datetime | None
    ended_at: datetime | None
    submitted: bool
    workspace: str
    error: str = ""
    description: str = ""
    canceled_at: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


def dag_of(session: Session, run_id: str, dag_id: str | None) -> str | None:
    """The DAG that the run is of; None if there is no such run. Says nothing about who may read it."""
    row = _row(session, run_id, dag_id)
    if row is not None:
        return row.dag_id
    query = select(DAG_RUNS.c.dag_id).where(DAG_RUNS.c.run_id == run_id, DAG_RUNS.c.dag_id == dag_id)
    return session.scalar(query)


def find_run(session: Session, settings: Settings, run_id: str, dag_id: str | None) -> tuple[FoundRun, list[StepView]]:
    """The run and its steps. Raises NotFound."""
    owner = dag_of(session, run_id, dag_id)
    if owner is None:
        raise NotFound(f"There is no run {run_id[:80]!r}.", hint="Check the address; was the run deleted?")
    row = _row(session, run_id, dag_id)
    definition = _definition(settings, row.definition if row is not None else None, owner)
    run = _submitted(session, row) if row is not None else _started_in_airflow(session, owner, run_id, definition)
    return run, _steps(session, run, definition)


def _row(session: Session, run_id: str, dag_id: str | None) -> RunRow | None:
    """Our row of a run, by our id or by its DAG and Airflow's id; a published pipeline's run gets its row here."""
    row = session.scalar(select(RunRow).where(RunRow.id == run_id))
    if row is not None and dag_id in (None, row.dag_id):
        return row
    if dag_id is None:
        return None
    query = select(RunRow).where(RunRow.dag_id == dag_id, RunRow.airflow_run_id == run_id)
    row = session.scalar(query)
    workspace_id = session.scalar(select(PipelineRow.workspace_id).where(PipelineRow.dag_id == dag_id))
    if row is None and workspace_id is not None:
        adopt(workspace_id)
        row = session.scalar(query)
    return row


def _definition(settings: Settings, digest: str | None, dag_id: str) -> Definition | None:
    """The pipeline of a run; None for a hand-written DAG, and if the store no longer has it."""
    try:
        return DefinitionStore(open_store(settings.store)).get(digest or digest16_of_dag_id(dag_id))
    except AirloomError:
        return None


def _submitted(session: Session, row: RunRow) -> FoundRun:
    workspace = session.get_one(WorkspaceRow, row.workspace_id)
    view = runs.find(session, workspace, row.id)
    return FoundRun(
        dag_id=row.dag_id,
        run_id=row.id,
        airflow_run_id=row.airflow_run_id,
        title=row.display_name or row.experiment.name,
        status=view.status,
        started_at=view.started_at,
        ended_at=view.ended_at,
        submitted=True,
        workspace=workspace.name,
        error=view.error[1] if view.error is not None else "",
        description=row.description,
        canceled_at=row.cancel_requested_at,
        facts={
            "Pipeline": _pipeline(session, row),
            "Experiment": row.experiment.name,
            "Workspace": workspace.name,
            "Submitted by": row.created_by,
            "Reuse": row.reuse,
            **{f"Tag {name}": str(value) for name, value in row.tags.items()},
        },
        parameters=row.parameters,
    )


def _pipeline(session: Session, row: RunRow) -> str:
    """Name and version of the published pipeline that it is a run of, if it is one."""
    pipeline = session.get(PipelineRow, row.pipeline_id) if row.pipeline_id is not None else None
    return " · ".join(filter(None, (pipeline.name, pipeline.version))) if pipeline is not None else ""


def _started_in_airflow(session: Session, dag_id: str, run_id: str, definition: Definition | None) -> FoundRun:
    query = select(DAG_RUNS.c.state, DAG_RUNS.c.start_date, DAG_RUNS.c.end_date)
    state, started_at, ended_at = session.execute(
        query.where(DAG_RUNS.c.dag_id == dag_id, DAG_RUNS.c.run_id == run_id)
    ).one()
    facts = {"Experiment": definition.experiment, "Workspace": definition.workspace} if definition else {"DAG": dag_id}
    return FoundRun(
        dag_id=dag_id,
        run_id=run_id,
        airflow_run_id=run_id,
        title=definition.experiment if definition is not None else dag_id,
        status=run_status(state, None),
        started_at=started_at,
        ended_at=ended_at,
        submitted=False,
        workspace=definition.workspace if definition is not None else HAND_WRITTEN_WORKSPACE,
        facts=facts | {"Submitted by": "started in Airflow"},
    )


def _steps(session: Session, run: FoundRun, definition: Definition | None) -> list[StepView]:
    facts = read_facts(session, run.dag_id, run.airflow_run_id)
    told = (facts.plan.decisions, facts.results, facts.failures)
    return facts.views(definition.graph.steps if definition is not None else _told_of(*told), run.canceled_at)


def _told_of(*told: Iterable[str]) -> Sequence[Step]:
    """The steps of a hand-written DAG as far as its tasks have told of them."""
    nothing = PythonScriptSettings(script_name="", snapshot="")
    return [Step(id=name, name=name, settings=nothing) for name in dict.fromkeys(chain(*told))]
