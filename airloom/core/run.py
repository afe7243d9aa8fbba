"""Runs: what was submitted, how it goes, what it left."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from airloom.core._artifacts import Artifacts
from airloom.core._compat import refuse_unless_default, unknown_keywords
from airloom.core._console import say
from airloom.core._offline_run import OfflineRun
from airloom.exceptions import ActivityFailedException, RunEnvironmentException, UserErrorException

if TYPE_CHECKING:
    from airloom.core.experiment import Experiment
    from airloom.core.workspace import Workspace

PIPELINE_RUN = "azureml.PipelineRun"
STEP_RUN = "azureml.StepRun"
ENDED = frozenset({"Finished", "Failed", "Canceled"})

RunFactory = Callable[["Experiment", dict[str, Any]], "Run"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0


class Run(Artifacts):
    """A run. Runs of pipelines and of their steps are of classes of their own, in `airloom.pipeline.core`.

    Values are read from the server when the object is made, and anew by `get_status`, `get_details` and the like.
    """

    _types: ClassVar[dict[str, RunFactory]] = {}
    _type: ClassVar[str] = PIPELINE_RUN

    def __init__(self, experiment: Experiment, run_id: str, outputs: Any = None, **kwargs: Any) -> None:
        unknown_keywords(type(self).__name__, kwargs)
        refuse_unless_default(type(self).__name__, {"outputs": (outputs, None)})
        self._experiment = experiment
        self._run_id = run_id
        self._known: dict[str, Any] | None = kwargs.get("_document")

    # --- finding runs ----------------------------------------------------------------------------------------------

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """The run with this id. Raises UserErrorException if the workspace has none."""
        from airloom.core.experiment import Experiment

        document = workspace._client.get_run(workspace.name, run_id)
        return Run._of(Experiment(workspace, document["experiment"], _skip_name_validation=True), document)

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,
        tags: str | dict[str, str] | None = None,
        properties: str | dict[str, str] | None = None,
        status: str | None = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """The runs of an experiment, the newest first; see `Experiment.get_runs` for the filters."""
        for run in experiment.get_runs(type, tags, properties, include_children):
            if status in (None, run.status):
                yield run

    @staticmethod
    def add_type_provider(runtype: str, run_factory: RunFactory) -> None:
        """Let runs of a type be objects of a class of its own: `run_factory(experiment, document)` makes them."""
        Run._types[runtype] = run_factory

    @staticmethod
    def get_context(allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any) -> OfflineRun:
        """What a script reports to when it runs outside Airloom: metrics are printed.

        Inside a step, the script's `Run` is the step's own, and reports to the run.
        """
        if not allow_offline:
            raise RunEnvironmentException()
        return OfflineRun()

    @staticmethod
    def _of(experiment: Experiment, document: dict[str, Any]) -> Run:
        if PIPELINE_RUN not in Run._types:
            importlib.import_module("airloom.pipeline.core")  # adds the types of its runs
        return Run._types.get(document.get("type") or PIPELINE_RUN, _plain)(experiment, document)

    # --- what a run is ---------------------------------------------------------------------------------------------

    @property
    def _document(self) -> dict[str, Any]:
        if self._known is None:
            self._known = self._fetch()
        return self._known

    def _fetch(self) -> dict[str, Any]:
        """What the server says of the run. Subclasses whose runs are elsewhere replace this."""
        workspace = self._experiment.workspace
        document: dict[str, Any] = workspace._client.get_run(workspace.name, self._run_id)
        return document

    def _change(self, **changes: Any) -> None:
        workspace = self._experiment.workspace
        self._known = workspace._client.update_run(workspace.name, self._run_id, changes)

    def _refresh(self) -> dict[str, Any]:
        self._known = self._fetch()
        return self._known

    @property
    def id(self) -> str:
        """Id of the run."""
        return self._run_id

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self._run_id

    @property
    def name(self) -> str:
        """The name shown for the run."""
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name shown for the run; may be set. Without one it is the run's id."""
        return str(self._document.get("display_name") or self._run_id)

    @display_name.setter
    def display_name(self, display_name: str) -> None:
        self._change(display_name=str(display_name))

    @property
    def description(self) -> str:
        """The run's description; may be set."""
        return str(self._document.get("description") or "")

    @description.setter
    def description(self, description: str) -> None:
        self._change(description=str(description))

    @property
    def experiment(self) -> Experiment:
        """The experiment it belongs to."""
        return self._experiment

    @property
    def type(self) -> str:
        """Kind of the run, such as "azureml.PipelineRun"."""
        return self._type

    @property
    def parent(self) -> Run | None:
        """The run that this one is part of; None for a run that was submitted."""
        return None

    @property
    def status(self) -> str:
        """The status when it was last read."""
        return str(self._document["status"])

    @property
    def tags(self) -> dict[str, str]:
        """The tags when they were last read."""
        return dict(self._document.get("tags") or {})

    @property
    def properties(self) -> dict[str, str]:
        """What was fixed about the run when it was submitted."""
        return dict(self._document.get("properties") or {})

    def get_status(self) -> str:
        """The status now: NotStarted, Queued, Running, Finished, Failed or Canceled."""
        return str(self._refresh()["status"])

    def get_tags(self) -> dict[str, str]:
        """The tags now."""
        return dict(self._refresh().get("tags") or {})

    def get_properties(self) -> dict[str, str]:
        """What was fixed about the run when it was submitted."""
        return dict(self._refresh().get("properties") or {})

    def get_details(self) -> dict[str, Any]:
        """All about the run now, with v1's keys: runId, status, startTimeUtc, endTimeUtc, properties, error, ..."""
        document = self._refresh()
        details = {
            "runId": self._run_id,
            "status": document["status"],
            "startTimeUtc": document.get("started_at"),
            "endTimeUtc": document.get("ended_at"),
            "createdBy": document.get("created_by"),
            "properties": document.get("properties") or {},
            "tags": document.get("tags") or {},
            "parameters": document.get("parameters") or {},
            "logFiles": {},
        }
        error = document.get("error")
        return {**details, "error": {"error": error}} if error else details

    @property
    def portal_url(self) -> str:
        """The address of the web page that shows the run."""
        return self.get_portal_url()

    def get_portal_url(self) -> str:
        """The address of the web page that shows the run."""
        return str(self._document.get("url") or self._experiment.workspace._endpoint)

    def get_children(
        self,
        recursive: bool = False,
        tags: str | dict[str, str] | None = None,
        properties: str | dict[str, str] | None = None,
        type: str | None = None,
        status: str | None = None,
    ) -> Iterator[Run]:
        """The runs that this one is made of; a pipeline's are those of its steps."""
        return iter(())

    # --- changing it -----------------------------------------------------------------------------------------------

    def tag(self, key: str, value: str | None = None) -> None:
        """Add one tag, or replace its value."""
        self.set_tags({key: "" if value is None else value})

    def set_tags(self, tags: dict[str, str]) -> None:
        """Add tags; those of the same name are replaced, the others stay."""
        self._change(tags={**self.get_tags(), **{str(key): str(value) for key, value in tags.items()}})

    def remove_tags(self, tags: Names) -> None:
        """Remove the tags of these names."""
        self._change(tags={key: value for key, value in self.get_tags().items() if key not in tags})

    def cancel(self) -> None:
        """Stop the run; steps that run are ended, and those that wait do not start."""
        workspace = self._experiment.workspace
        workspace._client.cancel_run(workspace.name, self._run_id)

    # --- waiting ---------------------------------------------------------------------------------------------------

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> dict[str, Any]:
        """Wait until the run has ended and return its details.

        With `show_output`, changes of status are printed. Raises ActivityFailedException if the run failed, unless
        `raise_on_error` is False. There is no post-processing to wait for.
        """

        def tell(status: str) -> None:
            if show_output:
                say(f"Run {self._run_id}: {status}")

        self._wait(tell)
        return self._outcome(raise_on_error)

    def _wait(self, on_status: Callable[[str], None], timeout_seconds: float | None = None) -> str:
        """Poll until the run has ended; `on_status` hears of every change. Raises UserErrorException at the timeout."""
        started, pause, last = time.monotonic(), _FIRST_PAUSE, ""
        while True:
            status = self.get_status()
            if status != last:
                on_status(status)
                pause, last = _FIRST_PAUSE, status
            if status in ENDED:
                return status
            waited = time.monotonic() - started
            if timeout_seconds is not None and waited > timeout_seconds:
                raise UserErrorException(f"The run {self._run_id} is still {status} after {waited:.0f} seconds.")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _outcome(self, raise_on_error: bool) -> dict[str, Any]:
        details = self.get_details()
        if raise_on_error and details["status"] == "Failed":
            raise ActivityFailedException(error_details=self._failure(details))
        return details

    def _failure(self, details: dict[str, Any]) -> str:
        error = (details.get("error") or {}).get("error") or {}
        reason = error.get("message") or "It gave no reason."
        return f"The run {self._run_id} failed. {reason} More at {self.get_portal_url()}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self._run_id == other._run_id

    def __hash__(self) -> int:
        return hash(self._run_id)

    def __repr__(self) -> str:
        return f"Run(Experiment: {self._experiment.name}, Id: {self._run_id}, Type: {self._type})"


# Named here because inside the class `list` is its method.
Names = list[str]


def get_run(experiment: Experiment, run_id: str, rehydrate: bool = True, clean_up: bool = True) -> Run:
    """The run with this id. `rehydrate` and `clean_up` are of v1, which needed to be told."""
    return Run.get(experiment.workspace, run_id)


def matches(
    document: dict[str, Any],
    type: str | None,
    tags: str | dict[str, str] | None,
    properties: str | dict[str, str] | None,
) -> bool:
    """True if what the server says of a run or experiment passes the filters."""
    return (
        type in (None, document.get("type") or PIPELINE_RUN)
        and _has(document.get("tags") or {}, tags)
        and _has(document.get("properties") or {}, properties)
    )


def _has(present: dict[str, str], wanted: str | dict[str, str] | None) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return wanted in present
    return all(present.get(key) == str(value) for key, value in wanted.items())


def _plain(experiment: Experiment, document: dict[str, Any]) -> Run:
    return Run(experiment, document["id"], _document=document)
