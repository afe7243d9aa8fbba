"""Checks of what a schedule is to do, before anything of it is stored."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airloom.errors import InvalidSchedule
from airloom.graph.check_recurrence import check_recurrence
from airloom.graph.expressions import Moment, evaluate_all
from airloom.graph.names import path_fault
from airloom.graph.suggest import did_you_mean
from airloom.graph.validate import check_parameters
from airloom.plugins import datastores
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.checking import check_sources_given
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.db.published import PipelineRow, ScheduleRow
from airloom.plugins.publishing import graph_of
from airloom.plugins.settings import Settings
from airloom.storage.durable import is_private
from airloom.storage.schedules import ClockTrigger, DataTrigger


def check_clock(recurrence: Mapping[str, Any], now: datetime, *, at_once: bool) -> ClockTrigger:
    """The trigger of a recurrence that is given now. Raises InvalidSchedule."""
    clock = ClockTrigger(recurrence=check_recurrence(recurrence), anchor=now, at_once=at_once, since=now)
    if clock.rule.from_(now) is None:
        raise InvalidSchedule(
            "The recurrence has no instant to come, so it can never fire.",
            hint="Give a smaller interval, or an earlier start_time.",
            target="recurrence",
        )
    return clock


def check_data(session: Session, workspace: WorkspaceRow, given: Mapping[str, Any], now: datetime) -> DataTrigger:
    """The trigger of changes below a path. Raises InvalidSchedule."""
    fields = {"since": now, **{name: value for name, value in given.items() if value is not None}}
    trigger = DataTrigger.model_validate(fields)
    known = datastores.names(session, workspace)
    if trigger.datastore not in known:
        raise InvalidSchedule(
            f"Workspace {workspace.name!r} has no datastore {trigger.datastore[:80]!r}.",
            hint=did_you_mean(trigger.datastore[:80], known),
            target="data.datastore",
        )
    fault = path_fault(trigger.path, may_be_empty=True)
    if not fault and any(map(is_private, trigger.path.split("/"))):
        fault = "has a name that Airloom keeps for itself"
    if fault:
        raise InvalidSchedule(
            f"The path {trigger.path[:80]!r} {fault}.",
            hint="Give a path relative to the root of the datastore.",
            target="data.path",
        )
    if not (math.isfinite(trigger.polling_interval) and trigger.polling_interval > 0):
        raise InvalidSchedule(
            f"The polling_interval must be a number of minutes above 0, not {trigger.polling_interval}.",
            target="data.polling_interval",
        )
    return trigger


def check_values(
    session: Session,
    settings: Settings,
    workspace: WorkspaceRow,
    row: ScheduleRow,
    pipeline: PipelineRow,
    now: datetime,
) -> None:
    """The parameters must suit the pipeline, with expressions evaluated as if the schedule fired now."""
    graph = graph_of(settings, pipeline)
    moment = Moment(now, now, str(uuid.UUID(int=0)), row.created_by)
    values = check_parameters(graph, evaluate_all(row.parameters, moment))
    check_sources_given(graph, values, datastores.names(session, workspace))
    name = (row.data_trigger or {}).get("data_path_parameter_name")
    paths = [parameter.name for parameter in graph.parameters if parameter.type == "datapath"]
    if name is not None and name not in paths:
        raise InvalidSchedule(
            f"The pipeline {pipeline.name!r} has no parameter {name[:80]!r} of type DataPath.",
            hint=did_you_mean(name[:80], paths),
            target="data.data_path_parameter_name",
        )
