"""Schedules as YAML, in v1's form."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from airloom.exceptions import UserErrorException
from airloom.graph.suggest import did_you_mean
from airloom.pipeline.core._recurrence import ScheduleRecurrence
from airloom.pipeline.core._time_zones import TimeZone

_TOP = "Schedule"
_PLAIN = (
    "description",
    "pipeline_parameters",
    "wait_for_provisioning",
    "wait_timeout",
    "polling_interval",
    "data_path_parameter_name",
    "continue_on_step_failure",
    "path_on_datastore",
    "one_run_per",
)
_KEYS = (*_PLAIN, "datastore_name", "recurrence")
_RECURRENCE = ("frequency", "interval", "start_time", "time_zone", "hours", "minutes", "time_of_day", "week_days")
_LISTS = ("hours", "minutes", "week_days")


def read_schedule(file: str | os.PathLike[str], datastore: Callable[[str], Any]) -> dict[str, Any]:
    """The arguments of `Schedule.create` that a YAML file gives. Raises UserErrorException that names the file."""
    fields = _section(_document(file), _TOP, _KEYS, file)
    found = {key: fields[key] for key in _PLAIN if fields.get(key) is not None}
    if fields.get("datastore_name") is not None:
        found["datastore"] = datastore(str(fields["datastore_name"]))
    if fields.get("recurrence") is not None:
        found["recurrence"] = _recurrence(_section(fields, "recurrence", _RECURRENCE, file))
    return found


def _document(file: str | os.PathLike[str]) -> Any:
    try:
        return yaml.safe_load(Path(file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserErrorException(f"The schedule file '{file}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserErrorException(f"The schedule file '{file}' is not YAML: {error}") from error


def _section(document: Any, name: str, known: tuple[str, ...], file: Any) -> Mapping[str, Any]:
    """The mapping below a key, all of whose own keys are known."""
    section = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(section, Mapping):
        raise UserErrorException(f"{file}: There must be a key '{name}' with keys and values below it.")
    for key in section:
        if key not in known:
            raise UserErrorException(f"{file}: '{name}' has no key {key!r}. {did_you_mean(str(key), known)}")
    return section


def _recurrence(fields: Mapping[str, Any]) -> ScheduleRecurrence:
    given = {key: value for key, value in fields.items() if value is not None}
    for key in _LISTS:
        if key in given and not isinstance(given[key], list):
            given[key] = [given[key]]
    if isinstance(given.get("time_of_day"), int):  # YAML 1.1 reads 22:30 as a number to the base of 60
        given["time_of_day"] = "{:02}:{:02}".format(*divmod(given["time_of_day"], 60))
    if given.get("time_zone") in TimeZone.__members__:
        given["time_zone"] = TimeZone[given["time_zone"]]
    recurrence = ScheduleRecurrence(**{"frequency": "", "interval": 1, **given})
    recurrence.validate()
    return recurrence
