"""What a task learns from Airflow's context, turned into the terms of a pipeline run."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airloom.errors import InvalidGraph
from airloom.execution import RunInfo, utc_now
from airloom.execution.names import REUSE_PARAM, RUN_KEY
from airloom.graph.canonical import digest_value
from airloom.graph.model import Definition, ParameterDef, ReuseMode
from airloom.storage.paths import slug

REUSE_MODES: tuple[ReuseMode, ...] = ("auto", "off", "refresh")


def run_info(context: Mapping[str, Any], definition: Definition) -> RunInfo:
    """The run that a task belongs to. Parameter values keep the types they were submitted with."""
    given = dict(context["params"])
    own = _own(given.pop(RUN_KEY, None) or {})
    reuse = given.pop(REUSE_PARAM, "auto")
    if reuse not in REUSE_MODES:
        raise InvalidGraph(f"{REUSE_PARAM} must be one of {', '.join(REUSE_MODES)}, got {reuse!r}.", target=REUSE_PARAM)
    return RunInfo(
        workspace=definition.workspace,
        experiment=own.get("experiment") or definition.experiment,
        run_id=run_name(context["dag_run"].dag_id, context["dag_run"].run_id),
        parameters={each.name: typed(each, given.get(each.name, each.default)) for each in definition.graph.parameters},
        reuse=reuse,
        started_at=_iso(context["dag_run"].start_date),
        continue_on_step_failure=own.get("continue_on_step_failure"),
        changes=(own.get("changes") or {}).get("list"),
    )


def typed(parameter: ParameterDef, value: Any) -> Any:
    """A whole number as one: to the JSON schema by which Airflow's own form checks, 3.0 is an integer too."""
    if parameter.type == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _own(said: Any) -> Mapping[str, Any]:
    """What the conf says of the run itself. Whoever may trigger the DAG in Airflow may write anything there."""
    if not isinstance(said, Mapping) or not isinstance(said.get("experiment", ""), str):
        raise InvalidGraph(f"{RUN_KEY} must be an object, and its experiment a text.", target=RUN_KEY)
    going_on = said.get("continue_on_step_failure")
    if going_on is not None and not isinstance(going_on, bool):
        raise InvalidGraph(
            f"continue_on_step_failure of {RUN_KEY} must be true or false, got {going_on!r}.", target=RUN_KEY
        )
    if not isinstance(said.get("changes") or {}, Mapping):
        raise InvalidGraph(f"changes of {RUN_KEY} must be an object.", target=RUN_KEY)
    return said


def new_attempt(context: Mapping[str, Any]) -> str:
    """A name for this attempt that no other attempt has, not even a second process of the same try."""
    return f"{context['ti'].try_number}-{uuid.uuid4().hex[:8]}"


def run_name(dag_id: str, run_id: str) -> str:
    """The name under which a run keeps its files: the id that a submit gave it.

    Airflow's own ids ("manual__2026-07-01T08:00:00+00:00") are unique in their DAG only, and no names of folders.
    """
    try:
        return str(uuid.UUID(run_id))
    except ValueError:
        mark = digest_value([dag_id, run_id])[:8]
        return f"{slug(dag_id, longest=100)}.{slug(run_id, longest=100)}.{mark}"


def _iso(instant: datetime | None) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds") if instant is not None else utc_now()
