"""The schedule beside a pipeline in a YAML file, for the file that becomes a DAG by itself; in the form of v1's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airloom.graph._yaml_nodes import Node
from airloom.graph._yaml_sources import read_source

Fields = dict[str, Node]
_BESIDE_A_PIPELINE = ("description", "recurrence", "pipeline_parameters", "continue_on_step_failure")
_OF_PUBLISHED = (
    "wait_for_provisioning",
    "wait_timeout",
    "datastore_name",
    "polling_interval",
    "data_path_parameter_name",
    "path_on_datastore",
    "one_run_per",
)
_RECURRENCE = ("frequency", "interval", "start_time", "time_zone", "hours", "minutes", "week_days", "time_of_day")


@dataclass(frozen=True)
class Schedule:
    """When the pipeline of a file runs by itself, and with which parameters. `line` is where the file says so.

    `recurrence` has the arguments of v1's ScheduleRecurrence; what they mean is not checked here.
    """

    recurrence: dict[str, Any]
    line: int
    pipeline_parameters: dict[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None


def read_schedule(node: Node) -> Schedule:
    """The key `schedule` of a pipeline file."""
    what = "The schedule"
    for name, part in node.items(what).items():
        if name in _OF_PUBLISHED:
            part.fail(
                f"The schedule beside a pipeline cannot have '{name}'.",
                "Publish the pipeline, and make a schedule of it that looks at its data.",
            )
    fields = node.fields(what, _BESIDE_A_PIPELINE)
    if "recurrence" not in fields:
        node.fail("The schedule has no recurrence.", "Add one, such as 'recurrence: {frequency: Day, interval: 1}'.")
    read = _read(fields)
    read.pop("description", None)
    return Schedule(line=node.line, **read)


def _read(fields: Fields) -> dict[str, Any]:
    return {name: _value(name, node) for name, node in fields.items() if not node.is_null()}


def _value(name: str, node: Node) -> Any:
    what = f"{name} of the schedule"
    match name:
        case "recurrence":
            return {key: _rule(key, part) for key, part in node.fields("The recurrence", _RECURRENCE).items()}
        case "pipeline_parameters":
            return {key: _parameter(key, part) for key, part in node.items(what).items()}
        case "continue_on_step_failure":
            return node.flag(what)
    return node.text(what)


def _rule(name: str, node: Node) -> Any:
    what = f"{name} of the recurrence"
    match name:
        case "interval":
            return node.whole_number(what)
        case "hours" | "minutes":
            return [item.whole_number(what) for item in node.elements(what)]
        case "week_days":
            return [item.text(what) for item in node.elements(what)]
    return node.text(what)


def _parameter(name: str, node: Node) -> Any:
    what = f"Parameter '{name}' of the schedule"
    return read_source(node, what).model_dump(mode="json") if node.is_mapping() else node.scalar(what)
