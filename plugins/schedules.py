"""Schedules: made, changed, enabled and disabled, each in one transaction; document and DAG follow from the rows."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import select

from airloom.errors import AlreadyExists, NotFound
from airloom.plugins import workspaces
from airloom.plugins.airflow_gateway import BaseUser, Session, open_session
from airloom.plugins.checking import check_name
from airloom.plugins.creation import lock
from airloom.plugins.data_schedules import begin_to_watch, place_of
from airloom.plugins.dataset_references import References
from airloom.plugins.db.models import WorkspaceRow, utc_now
from airloom.plugins.db.published import ScheduleRow
from airloom.plugins.errors import BadRequest, Conflict
from airloom.plugins.schedule_checks import check_clock, check_data, check_values
from airloom.plugins.schedule_documents import pipeline_of, settle
from airloom.plugins.settings import Settings
from airloom.plugins.submission import ACTIVE, check_may_run
from airloom.storage.schedules import ClockTrigger, DataTrigger, schedule_dag_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scheduling:
    """What a caller asks to be run, and when. Exactly one of each of the two pairs of `None`s is given."""

    name: str
    experiment: str
    description: str = ""
    pipeline_id: str | None = None
    endpoint_id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    recurrence: Mapping[str, Any] | None = None
    data: Mapping[str, Any] | None = None


def create(settings: Settings, user: BaseUser, workspace: str, asked: Scheduling) -> str:
    """Make a schedule, which fires from now on; returns its id."""
    check_name(asked.experiment, "an experiment")
    check_name(asked.name, "a schedule")
    with open_session() as session:
        home = workspaces.find(session, settings, workspace)
        _check_one_of("pipeline_id", asked.pipeline_id, "endpoint_id", asked.endpoint_id)
        _check_one_of("recurrence", asked.recurrence, "data", asked.data)
        row = ScheduleRow(
            id=str(uuid.uuid4()),
            workspace_id=home.id,
            name=asked.name,
            description=asked.description,
            pipeline_id=asked.pipeline_id,
            endpoint_id=asked.endpoint_id,
            experiment=asked.experiment,
            parameters=References(session, settings, home).in_values(asked.parameters),
            status=ACTIVE,
            continue_on_step_failure=asked.continue_on_step_failure,
            created_by=user.get_name(),
        )
        row.dag_id = schedule_dag_id(row.name, row.id)
        target = pipeline_of(session, home, row)
        check_may_run(user, target.dag_id)
        now = utc_now().replace(microsecond=0)
        if asked.recurrence is not None:
            row.recurrence = _stored(check_clock(asked.recurrence, now, at_once=True))
        else:
            row.data_trigger = _stored(check_data(session, home, asked.data or {}, now))
        check_values(session, settings, home, row, target, now)
        _check_name_free(session, home, row)
        if row.data_trigger is not None:
            begin_to_watch(settings, home.name, row.id, row.data_trigger)
        session.add(row)
        schedule_id = row.id
    settle(settings, schedule_id)
    return schedule_id


CHANGEABLE = ("name", "description", "experiment", "parameters", "continue_on_step_failure")


def change(settings: Settings, user: BaseUser, workspace: str, schedule_id: str, changes: Mapping[str, Any]) -> None:
    """Change what is given of a schedule: its plain fields, `status`, `recurrence` or `data`."""
    with open_session() as session:
        home = workspaces.find(session, settings, workspace)
        row = find(session, home, schedule_id)
        if changes.get("parameters") is not None:
            resolved = References(session, settings, home).in_values(changes["parameters"])
            changes = {**changes, "parameters": resolved}
        lock(session, row)
        watched = row.data_trigger
        target = pipeline_of(session, home, row)
        check_may_run(user, target.dag_id)
        for name in CHANGEABLE:
            if name in changes:
                setattr(row, name, changes[name])
        check_name(row.name, "a schedule")
        check_name(row.experiment, "an experiment")
        _check_name_free(session, home, row)
        now = utc_now().replace(microsecond=0)
        _change_trigger(session, home, row, changes, now)
        _change_status(row, changes.get("status", row.status), now)
        check_values(session, settings, home, row, target, now)
        if row.data_trigger is not None and place_of(row.data_trigger) != place_of(watched):
            begin_to_watch(settings, home.name, row.id, row.data_trigger)
    settle(settings, schedule_id)


def _change_trigger(
    session: Session, home: WorkspaceRow, row: ScheduleRow, changes: Mapping[str, Any], now: datetime
) -> None:
    """A new recurrence counts from now if it names no start, and does not fire at once."""
    recurrence, data = changes.get("recurrence"), changes.get("data")
    if (recurrence is not None and row.recurrence is None) or (data is not None and row.data_trigger is None):
        raise Conflict(
            f"The schedule {row.name!r} fires {'by the clock' if row.data_trigger is None else 'on changes of data'}, "
            "and stays of that kind.",
            hint="Create another schedule for the other kind, and disable this one.",
            target=row.name,
        )
    if recurrence is not None:
        row.recurrence = _stored(check_clock(recurrence, now, at_once=False))
    if data is not None:
        row.data_trigger = _stored(check_data(session, home, {**(row.data_trigger or {}), **data}, now))


def _change_status(row: ScheduleRow, status: str, now: datetime) -> None:
    """Enabling lets nothing fire that was due meanwhile."""
    if status == ACTIVE and row.status != ACTIVE and row.recurrence is not None:
        clock = ClockTrigger.model_validate(row.recurrence)
        row.recurrence = _stored(clock.model_copy(update={"since": now}))
    row.status = status


def find(session: Session, workspace: WorkspaceRow, schedule_id: str) -> ScheduleRow:
    """The schedule of this id. Raises NotFound."""
    query = select(ScheduleRow).where(ScheduleRow.id == schedule_id, ScheduleRow.workspace_id == workspace.id)
    row = session.scalar(query)
    if row is None:
        raise NotFound(
            f"Workspace {workspace.name!r} has no schedule {schedule_id[:80]!r}.",
            hint="Check the id; the list of schedules has them all.",
            target=schedule_id[:80],
        )
    return row


def list_some(
    session: Session,
    workspace: WorkspaceRow,
    *,
    active_only: bool,
    pipeline_id: str | None,
    endpoint_id: str | None,
    limit: int,
    may_read: Callable[[str], bool],
) -> list[ScheduleRow]:
    """The schedules whose pipeline the caller may read, the newest first, at most `limit`."""
    query = select(ScheduleRow).where(ScheduleRow.workspace_id == workspace.id)
    query = query.order_by(ScheduleRow.created_at.desc(), ScheduleRow.id)
    if active_only:
        query = query.where(ScheduleRow.status == ACTIVE)
    if pipeline_id is not None:
        query = query.where(ScheduleRow.pipeline_id == pipeline_id)
    if endpoint_id is not None:
        query = query.where(ScheduleRow.endpoint_id == endpoint_id)
    return list(islice(_readable(session, workspace, session.scalars(query).all(), may_read), limit))


def _readable(
    session: Session, workspace: WorkspaceRow, rows: Sequence[ScheduleRow], may_read: Callable[[str], bool]
) -> Iterator[ScheduleRow]:
    allowed: dict[str, bool] = {}
    for row in rows:
        dag = pipeline_of(session, workspace, row).dag_id
        if dag not in allowed:
            allowed[dag] = may_read(dag)
        if allowed[dag]:
            yield row


# --- checks -----------------------------------------------------------------------------------------------------


def _check_name_free(session: Session, workspace: WorkspaceRow, row: ScheduleRow) -> None:
    query = select(ScheduleRow.id).where(
        ScheduleRow.workspace_id == workspace.id, ScheduleRow.name == row.name, ScheduleRow.id != row.id
    )
    with session.no_autoflush:
        if session.scalar(query) is not None:
            raise AlreadyExists(
                f"Workspace {workspace.name!r} has a schedule {row.name!r} already.",
                hint="Update it, or choose another name.",
                target=row.name,
            )


def _check_one_of(one: str, value: object, other: str, other_value: object) -> None:
    if (value is None) == (other_value is None):
        given = "both" if value is not None else "neither"
        raise BadRequest(
            f"A schedule has either {one} or {other}; the request has {given}.", hint="Give one of them.", target=one
        )


def _stored(trigger: ClockTrigger | DataTrigger) -> dict[str, Any]:
    return trigger.model_dump(mode="json")
