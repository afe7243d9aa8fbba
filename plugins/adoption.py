"""Runs that Airflow made by itself, for a schedule or from its own form: they get a row when somebody looks for runs.

What such a run is comes from its conf, which whoever may trigger the DAG writes as he likes. So what is of the wrong
kind there is passed over, and a schedule or endpoint counts only if it is one of this very pipeline.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from airloom.errors import AirloomError
from airloom.execution.names import REUSE_PARAM, RUN_KEY
from airloom.graph.model import ParameterDef, PipelineGraph, ReuseMode
from airloom.operators.run_context import run_name, typed
from airloom.plugins import experiments
from airloom.plugins.airflow_gateway import BY_HAND, RUN_ORIGINS, Session, open_session
from airloom.plugins.checking import check_name
from airloom.plugins.db.models import RunRow, utc_now
from airloom.plugins.db.published import EndpointVersionRow, PipelineRow, ScheduleRow
from airloom.plugins.settings import load_settings
from airloom.storage.definitions import DefinitionStore
from airloom.storage.object_store import open_store

log = logging.getLogger(__name__)

SOURCES = ("SDK", "HTTP", "Schedule", "Portal")
BATCH = 200
LOOK_AT_ALL_SECONDS = 60.0
AT_THE_SAME_MOMENT = 1000
"""Of so many runs, an older one may become visible after a newer one."""
_LONGEST_TEXT = 10_000
_in_turn = threading.Lock()
"""Many who look at once would all find the same runs, and each would try to insert each of them."""


@dataclass(frozen=True)
class _Found:
    """A run of a published pipeline that Airflow has and we have not."""

    pipeline: PipelineRow
    run_id: str
    conf: Mapping[str, Any]
    created_at: datetime
    by_hand: bool
    user: str

    @property
    def own(self) -> Mapping[str, Any]:
        """What the conf says of the run itself."""
        own = self.conf.get(RUN_KEY)
        return own if isinstance(own, Mapping) else {}


def adopt(workspace_id: int) -> None:
    """Make the rows that runs of this workspace's published pipelines lack.

    Two who do so at once make each row once: the database lets one of them through.
    """
    _adopt(workspace_id, newer_than=0)


_looked_at: dict[int, tuple[float, int]] = {}
"""By workspace: when all of its runs were last looked at, and the number of the newest run then."""


def adopt_new(workspace_id: int) -> None:
    """The same, but mostly looking at new runs only: for those who list runs, of which there may be very many."""
    now = time.monotonic()
    when, newest = _looked_at.get(workspace_id, (-LOOK_AT_ALL_SECONDS, 0))
    if now - when < LOOK_AT_ALL_SECONDS:
        _adopt(workspace_id, newer_than=newest - AT_THE_SAME_MOMENT)
        return
    with open_session() as session:
        newest = session.scalar(select(func.max(RUN_ORIGINS.c.number))) or 0
    _adopt(workspace_id, newer_than=0)
    _looked_at[workspace_id] = now, newest


def _adopt(workspace_id: int, newer_than: int) -> None:
    with _in_turn:
        with open_session() as session:
            found = list(_without_row(session, workspace_id, newer_than))
            if not found:
                return
            made = list(_rows(session, found))
        for begin in range(0, len(made), BATCH):
            _insert(made[begin : begin + BATCH])


def _without_row(session: Session, workspace_id: int, newer_than: int) -> Iterator[_Found]:
    origin = RUN_ORIGINS.c
    query = (
        select(PipelineRow, RUN_ORIGINS)
        .join(RUN_ORIGINS, origin.dag_id == PipelineRow.dag_id)
        .outerjoin(RunRow, (RunRow.dag_id == origin.dag_id) & (RunRow.airflow_run_id == origin.run_id))
        .where(PipelineRow.workspace_id == workspace_id, RunRow.id.is_(None), origin.number > newer_than)
        .order_by(origin.created_at)
    )
    for row in session.execute(query):
        yield _Found(
            pipeline=row.PipelineRow,
            run_id=row.run_id,
            conf=row.conf or {},
            created_at=row.created_at or utc_now(),
            by_hand=row.triggered_by == BY_HAND,
            user=row.user_name or "",
        )


def _rows(session: Session, found: Sequence[_Found]) -> Iterator[dict[str, Any]]:
    """The rows to be inserted; experiments that are new are made."""
    graphs = _Graphs()
    ids: dict[tuple[int, str], int] = {}
    for run in found:
        workspace_id = run.pipeline.workspace_id
        experiment = _experiment(run, graphs)
        key = workspace_id, experiment
        if key not in ids:
            ids[key] = experiments.ensure(session, *key).id
        yield _row(session, run, ids[key], graphs.parameters(run.pipeline))


def _row(session: Session, run: _Found, experiment_id: int, declared: Sequence[ParameterDef]) -> dict[str, Any]:
    own, pipeline = run.own, run.pipeline
    schedule = _schedule(session, pipeline, own.get("schedule_id"))
    keep_going, reuse = own.get("continue_on_step_failure"), run.conf.get(REUSE_PARAM)
    return {
        "id": run_name(pipeline.dag_id, run.run_id),
        "workspace_id": pipeline.workspace_id,
        "experiment_id": experiment_id,
        "dag_id": pipeline.dag_id,
        "airflow_run_id": run.run_id,
        "definition": pipeline.definition,
        "pipeline_id": pipeline.id,
        "endpoint_id": _endpoint(session, pipeline, own.get("endpoint_id")),
        "schedule_id": schedule.id if schedule is not None else None,
        "source": _source(run, schedule),
        "continue_on_step_failure": keep_going if isinstance(keep_going, bool) else None,
        "description": _text(own.get("description")),
        "tags": _texts(own.get("tags")),
        "properties": _texts(own.get("properties")),
        "parameters": {each.name: typed(each, run.conf.get(each.name, _default(each))) for each in declared},
        "reuse": reuse if reuse in get_args(ReuseMode) else "auto",
        "created_at": run.created_at,
        "created_by": run.user or (schedule.created_by if schedule is not None else ""),
    }


def _insert(rows: Sequence[dict[str, Any]]) -> None:
    try:
        with open_session() as session:
            session.execute(insert(RunRow), rows)
    except IntegrityError as error:
        if len(rows) == 1:
            # Somebody else has made it, or the run bears the id of a run of another pipeline.
            log.info("The run %s gets no row: %s", rows[0]["id"], error.orig)
            return
        for row in rows:
            _insert([row])


class _Graphs:
    """What the definitions of the pipelines say, each read once."""

    def __init__(self) -> None:
        self._definitions = DefinitionStore(open_store(load_settings().store))
        self._read: dict[str, tuple[str, PipelineGraph] | None] = {}

    def experiment(self, pipeline: PipelineRow) -> str:
        """The experiment of runs that name none."""
        found = self._of(pipeline)
        return found[0] if found is not None else pipeline.name

    def parameters(self, pipeline: PipelineRow) -> Sequence[ParameterDef]:
        """The parameters; none if the store has lost the definition."""
        found = self._of(pipeline)
        return found[1].parameters if found is not None else ()

    def _of(self, pipeline: PipelineRow) -> tuple[str, PipelineGraph] | None:
        digest = pipeline.definition
        if digest not in self._read:
            try:
                definition = self._definitions.get(digest)
                self._read[digest] = definition.experiment, definition.graph
            except AirloomError as error:
                log.warning("The definition of the published pipeline %s cannot be read: %s", pipeline.id, error)
                self._read[digest] = None
        return self._read[digest]


def _experiment(run: _Found, graphs: _Graphs) -> str:
    named = run.own.get("experiment")
    try:
        if isinstance(named, str):
            check_name(named, "an experiment")
            return named
    except AirloomError:
        log.info("The run %s of %s names an experiment that cannot be.", run.run_id, run.pipeline.dag_id)
    return graphs.experiment(run.pipeline)


def _schedule(session: Session, pipeline: PipelineRow, schedule_id: object) -> ScheduleRow | None:
    """The schedule of this pipeline, or of an endpoint of it, with that id."""
    row = session.get(ScheduleRow, schedule_id) if isinstance(schedule_id, str) else None
    if row is None or row.pipeline_id == pipeline.id or _endpoint(session, pipeline, row.endpoint_id) is not None:
        return row
    return None


def _endpoint(session: Session, pipeline: PipelineRow, endpoint_id: object) -> str | None:
    """The id, if it is that of an endpoint of which this pipeline is a version."""
    if not isinstance(endpoint_id, str):
        return None
    query = select(EndpointVersionRow.endpoint_id).where(
        EndpointVersionRow.endpoint_id == endpoint_id, EndpointVersionRow.pipeline_id == pipeline.id
    )
    return session.scalar(query.limit(1))


def _source(run: _Found, schedule: ScheduleRow | None) -> str:
    if schedule is not None:
        return "Schedule"
    named = run.own.get("source")
    if named in SOURCES and named != "Schedule":
        return str(named)
    return "Portal" if run.by_hand else "HTTP"


def _default(parameter: ParameterDef) -> Any:
    default = parameter.default
    return default if isinstance(default, str | int | float | bool) else default.model_dump(mode="json")


def _text(value: object) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> dict[str, str]:
    """Tags or properties: names and values that are texts."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): text for name, text in value.items() if isinstance(text, str)}
