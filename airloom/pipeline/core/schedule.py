"""Schedules: published pipelines and endpoints that run by the clock, or as data arrives."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from airloom.core.datastore import Datastore
from airloom.exceptions import UserErrorException
from airloom.pipeline.core._checks import check_choice, datastore_name
from airloom.pipeline.core._entity import SwitchableEntity
from airloom.pipeline.core._recurrence import ScheduleRecurrence
from airloom.pipeline.core._submit import plain_values
from airloom.pipeline.core._time_zones import TimeZone
from airloom.pipeline.core.published_pipeline import ACTIVE, DISABLED
from airloom.pipeline.core.run import PipelineRun, runs_of

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

__all__ = ["Schedule", "ScheduleRecurrence", "TimeZone"]

POLLING_INTERVAL = 5
"""Minutes between two looks at a datastore."""
ONE_RUN_PER = ("batch", "file")
_PAUSE = 0.5
_PROVISIONING, _FAILED = "Provisioning", "Failed"


class Schedule(SwitchableEntity):
    """Runs a published pipeline, or the default version of an endpoint, again and again.

    It fires by the clock (`recurrence`), or when files are added or changed below a path of a datastore. Instants that
    went by while it was disabled, or the server down, are not made up for.
    """

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str,
        description: str | None,
        pipeline_id: str | None,
        status: str,
        recurrence: ScheduleRecurrence | None,
        datastore_name: str | None,
        polling_interval: float | None,
        data_path_parameter_name: str | None,
        continue_on_step_failure: bool | None,
        path_on_datastore: str | None,
        pipeline_endpoint_id: str | None = None,
    ) -> None:
        self._workspace = workspace
        data = {
            "datastore": datastore_name,
            "path": path_on_datastore,
            "polling_interval": polling_interval,
            "data_path_parameter_name": data_path_parameter_name,
        }
        self._document: dict[str, Any] = {
            "id": id,
            "name": name,
            "description": description,
            "pipeline_id": pipeline_id,
            "endpoint_id": pipeline_endpoint_id,
            "status": status,
            "recurrence": None if recurrence is None else recurrence._checked(),
            "data": data if datastore_name else None,
            "continue_on_step_failure": continue_on_step_failure,
        }

    # --- making and finding them -----------------------------------------------------------------------------------

    @staticmethod
    def create(
        workspace: Workspace,
        name: str,
        pipeline_id: str,
        experiment_name: str,
        recurrence: ScheduleRecurrence | None = None,
        description: str | None = None,
        pipeline_parameters: dict[str, Any] | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: float = 3600,
        datastore: Any = None,
        polling_interval: float = POLLING_INTERVAL,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
        one_run_per: str = "batch",
    ) -> Schedule:
        """Run a published pipeline in an experiment, by a recurrence or as data changes on a datastore.

        `pipeline_parameters` sets parameters of every run; text that begins with `@`, such as
        "@trigger().scheduledTime", is worked out when the schedule fires. For data, `path_on_datastore` is the folder
        that is watched, with all below it, every `polling_interval` minutes; `data_path_parameter_name` is the DataPath
        parameter that gets the path. New here: `one_run_per` is "batch" (one run for all changes that one look
        finds, which gets the folder) or "file" (a run for each, which gets the file).
        """
        return _create(workspace, {"pipeline_id": pipeline_id}, locals())

    @staticmethod
    def create_for_pipeline_endpoint(
        workspace: Workspace,
        name: str,
        pipeline_endpoint_id: str,
        experiment_name: str,
        recurrence: ScheduleRecurrence | None = None,
        description: str | None = None,
        pipeline_parameters: dict[str, Any] | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: float = 3600,
        datastore: Any = None,
        polling_interval: float = POLLING_INTERVAL,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
        one_run_per: str = "batch",
    ) -> Schedule:
        """The same for an endpoint: what runs is the version that is its default when the schedule fires."""
        return _create(workspace, {"endpoint_id": pipeline_endpoint_id}, locals())

    @staticmethod
    def get(workspace: Workspace, id: str) -> Schedule:
        """The schedule with this id. Raises NotFoundException if the workspace has none."""
        return Schedule._of(workspace, workspace._client.get_schedule(workspace.name, id))

    @staticmethod
    def list(
        workspace: Workspace,
        active_only: bool = True,
        pipeline_id: str | None = None,
        pipeline_endpoint_id: str | None = None,
    ) -> Schedules:
        """The schedules, of one published pipeline or endpoint if asked; `active_only=False`: also disabled ones."""
        found = workspace._client.list_schedules(
            workspace.name, active_only=active_only, pipeline_id=pipeline_id, endpoint_id=pipeline_endpoint_id
        )
        return [Schedule._of(workspace, document) for document in found]

    @staticmethod
    def get_all(
        workspace: Workspace,
        active_only: bool = True,
        pipeline_id: str | None = None,
        pipeline_endpoint_id: str | None = None,
    ) -> Schedules:
        """The same as `list`."""
        return Schedule.list(workspace, active_only, pipeline_id, pipeline_endpoint_id)

    @staticmethod
    def get_schedules_for_pipeline_id(workspace: Workspace, pipeline_id: str) -> Schedules:
        """All schedules of a published pipeline, also disabled ones."""
        return Schedule.list(workspace, active_only=False, pipeline_id=pipeline_id)

    @staticmethod
    def get_schedules_for_pipeline_endpoint_id(workspace: Workspace, pipeline_endpoint_id: str) -> Schedules:
        """All schedules of an endpoint, also disabled ones."""
        return Schedule.list(workspace, active_only=False, pipeline_endpoint_id=pipeline_endpoint_id)

    @staticmethod
    def load_yaml(workspace: Workspace, filename: str | os.PathLike[str]) -> dict[str, Any]:
        """The arguments of `create` that a YAML file gives, below its key `Schedule`."""
        from airloom.pipeline.core._schedule_yaml import read_schedule  # YAML is read by few

        return read_schedule(filename, lambda name: Datastore.get(workspace, name))

    # --- what it is ------------------------------------------------------------------------------------------------

    @property
    def pipeline_id(self) -> str | None:
        """Id of the published pipeline that it runs; None if it runs an endpoint."""
        value: str | None = self._document["pipeline_id"]
        return value

    @property
    def pipeline_endpoint_id(self) -> str | None:
        """Id of the endpoint that it runs; None if it runs a pipeline."""
        value: str | None = self._document["endpoint_id"]
        return value

    @property
    def recurrence(self) -> ScheduleRecurrence | None:
        """How often it fires; None if data makes it fire."""
        document = self._document["recurrence"]
        return None if document is None else ScheduleRecurrence._of(document)

    @property
    def datastore_name(self) -> str | None:
        """The datastore that it watches; None if it fires by the clock."""
        value: str | None = self._data("datastore")
        return value

    @property
    def path_on_datastore(self) -> str | None:
        """The folder that it watches, with all below it; None if it fires by the clock."""
        value: str | None = self._data("path")
        return value

    @property
    def polling_interval(self) -> float | None:
        """Minutes between two looks at the datastore; None if it fires by the clock."""
        value: float | None = self._data("polling_interval")
        return value

    @property
    def data_path_parameter_name(self) -> str | None:
        """The parameter that gets the path of what has changed; None if none does."""
        value: str | None = self._data("data_path_parameter_name")
        return value

    @property
    def continue_on_step_failure(self) -> bool | None:
        """Whether its runs go on after a failed step; None leaves it to the pipeline."""
        value: bool | None = self._document["continue_on_step_failure"]
        return value

    @property
    def next_run_at(self) -> str | None:
        """When it fires next, as far as it was known when it was last read; new in Airloom."""
        value: str | None = self._document.get("next_run_at")
        return value

    @property
    def last_check(self) -> dict[str, Any] | None:
        """When a schedule of data last looked at the datastore, and what it found; new in Airloom."""
        value: dict[str, Any] | None = self._document.get("last_check")
        return value

    def get_portal_url(self) -> str:
        """The address of its page in Airflow; new in Airloom."""
        return str(self._document.get("url") or self._workspace._endpoint)

    def _data(self, field: str) -> Any:
        return (self._document["data"] or {}).get(field)

    def get_pipeline_runs(self) -> Runs:
        """The runs that it has started, the newest first, at most 1000."""
        client, workspace = self._workspace._client, self._workspace.name
        return runs_of(self._workspace, client.list_schedule_runs(workspace, self.id))

    def get_last_pipeline_run(self) -> PipelineRun | None:
        """The run that it started last; None if it has started none."""
        client, workspace = self._workspace._client, self._workspace.name
        found = runs_of(self._workspace, client.list_schedule_runs(workspace, self.id, limit=1))
        return found[0] if found else None

    # --- changing it -----------------------------------------------------------------------------------------------

    def enable(self, wait_for_provisioning: bool = False, wait_timeout: float = 3600) -> None:
        """Let it fire, from now on."""
        self._change({"status": ACTIVE}, wait_for_provisioning, wait_timeout)

    def disable(self, wait_for_provisioning: bool = False, wait_timeout: float = 3600) -> None:
        """Let it fire no more; runs that it has started go on."""
        self._change({"status": DISABLED}, wait_for_provisioning, wait_timeout)

    def update(
        self,
        name: str | None = None,
        description: str | None = None,
        recurrence: ScheduleRecurrence | None = None,
        pipeline_parameters: dict[str, Any] | None = None,
        status: str | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: float = 3600,
        datastore: Any = None,
        polling_interval: float | None = None,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
    ) -> None:
        """Change what is given; the rest stays. A schedule by the clock cannot become one of data, nor the reverse."""
        data = _data_fields(datastore, polling_interval, data_path_parameter_name, path_on_datastore)
        if (recurrence is not None and self._document["data"]) or (data and not self._document["data"]):
            kind = "fires as data changes" if self._document["data"] else "fires by the clock"
            raise UserErrorException(f"The schedule {self.name!r} {kind}, and that cannot change. Create another one.")
        if status is not None:
            check_choice(status, (ACTIVE, DISABLED), "The status of a schedule")
        changes = {
            "name": name,
            "description": description,
            "recurrence": None if recurrence is None else recurrence._checked(),
            "parameters": None if pipeline_parameters is None else plain_values(pipeline_parameters),
            "status": status,
            "data": {**self._document["data"], **data} if data else None,
            "continue_on_step_failure": continue_on_step_failure,
        }
        given = {key: value for key, value in changes.items() if value is not None}
        self._change(given, wait_for_provisioning, wait_timeout)

    def _change(self, changes: dict[str, Any], wait: bool, timeout: float) -> None:
        self._document = self._workspace._client.update_schedule(self._workspace.name, self.id, changes)
        if wait:
            self._wait(timeout)

    def _wait(self, timeout: float) -> None:
        """Wait until Airflow has taken the schedule in as it is now."""
        until = time.monotonic() + timeout
        while self._document["provisioning_status"] == _PROVISIONING:
            if time.monotonic() >= until:
                raise UserErrorException(f"The schedule {self.name!r} is not ready after {timeout} seconds.")
            time.sleep(_PAUSE)
            self._document = self._workspace._client.get_schedule(self._workspace.name, self.id)
        if self._document["provisioning_status"] == _FAILED:
            raise UserErrorException(f"Airflow could not take in the schedule {self.name!r}. Its log says why.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        target = f"Pipeline Id: {self.pipeline_id}" if self.pipeline_id else f"Endpoint Id: {self.pipeline_endpoint_id}"
        when = self.recurrence or f"changes on {self.datastore_name}/{self.path_on_datastore or ''}"
        return f"Schedule(Name: {self.name}, Id: {self.id}, Status: {self.status}, {target}, When: {when})"


# Named here because inside the class `list` is its method.
Schedules = list[Schedule]
Runs = list[PipelineRun]


def _create(workspace: Workspace, target: dict[str, str], given: dict[str, Any]) -> Schedule:
    """Create a schedule from the arguments of v1's two ways to do so."""
    body = {
        **target,
        "name": given["name"],
        "description": given["description"] or "",
        "experiment": given["experiment_name"],
        "parameters": plain_values(given["pipeline_parameters"] or {}),
        "continue_on_step_failure": given["continue_on_step_failure"],
        **_trigger(given),
    }
    schedule = Schedule._of(workspace, workspace._client.create_schedule(workspace.name, body))
    if given["wait_for_provisioning"]:
        schedule._wait(given["wait_timeout"])
    return schedule


def _trigger(given: dict[str, Any]) -> dict[str, Any]:
    """What makes it fire: exactly one of a recurrence and data."""
    recurrence, datastore = given["recurrence"], given["datastore"]
    path, parameter = given["path_on_datastore"], given["data_path_parameter_name"]
    if (recurrence is None) == (datastore is None):
        raise UserErrorException("A schedule needs either a recurrence or a datastore.")
    if recurrence is not None and (path is not None or parameter is not None):
        raise UserErrorException(
            "path_on_datastore and data_path_parameter_name are for schedules of data. Pass a datastore in place of "
            "the recurrence, or leave them out."
        )
    if recurrence is not None:
        return {"recurrence": recurrence._checked()}
    check_choice(given["one_run_per"], ONE_RUN_PER, "one_run_per")
    data = _data_fields(datastore, given["polling_interval"], parameter, path)
    return {"data": {"path": "", **data, "one_run_per": given["one_run_per"]}}


def _data_fields(datastore: Any, polling: float | None, parameter: str | None, path: str | None) -> dict[str, Any]:
    fields = {
        "datastore": datastore_name(datastore, "the schedule"),
        "polling_interval": polling,
        "data_path_parameter_name": parameter,
        "path": path,
    }
    return {key: value for key, value in fields.items() if value is not None}
