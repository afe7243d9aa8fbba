"""The run of one step of a pipeline."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core._console import say
from airloom.core.datastore import Datastore
from airloom.core.experiment import Experiment
from airloom.core.run import ENDED, STEP_RUN, Run
from airloom.data.data_reference import DataReference
from airloom.exceptions import NotFoundException, UserErrorException
from airloom.graph.suggest import did_you_mean
from airloom.pipeline.core.graph import PortDataReference

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core.run import PipelineRun

_LOGS = {"logs/stdout.txt": "stdout", "logs/stderr.txt": "stderr", "logs/job.txt": "job"}
_PAUSE = 0.5


class StepRun(Run):
    """The run of one step. `step_id` is its id in the pipeline, `name` the name that its author gave it.

    A step whose earlier outputs were used is Finished with `is_reused` True, and `reused_from` names the run that made
    them; logs and outputs are then those of that run.
    """

    _type = STEP_RUN

    def __init__(
        self,
        experiment: Experiment,
        step_run_id: str,
        pipeline_run_id: str,
        node_id: str,
        _is_reused: bool = False,
        _current_node_id: str | None = None,
        _reused_run_id: str | None = None,
        _reused_node_id: str | None = None,
        _reused_pipeline_run_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        document = kwargs.pop("_document", None)
        super().__init__(experiment, step_run_id or f"{pipeline_run_id}.{node_id}", **kwargs)
        self._pipeline_run_id = pipeline_run_id
        self._node_id = node_id
        self._known = None if document is None else _with_v1_keys(document)

    def _fetch(self) -> dict[str, Any]:
        workspace = self._experiment.workspace
        steps = workspace._client.list_steps(workspace.name, self._pipeline_run_id)
        found = next((step for step in steps if step["step_id"] == self._node_id), None)
        if found is None:
            known = [step["step_id"] for step in steps]
            raise NotFoundException(
                f"The run {self._pipeline_run_id} has no step '{self._node_id}'. {did_you_mean(self._node_id, known)}"
            )
        return _with_v1_keys(found)

    def _change(self, **changes: Any) -> None:
        raise UserErrorException("The run of a step has no tags and no name of its own; change the pipeline's run.")

    # --- what it is ------------------------------------------------------------------------------------------------

    @property
    def pipeline_run_id(self) -> str:
        """Id of the pipeline's run that it is part of."""
        return self._pipeline_run_id

    @property
    def step_id(self) -> str:
        """Id of the step in the pipeline; also the Airflow task's."""
        return self._node_id

    @property
    def parent(self) -> PipelineRun:
        """The pipeline's run that it is part of."""
        from airloom.pipeline.core.run import PipelineRun

        return PipelineRun(self._experiment, self._pipeline_run_id)

    @property
    def is_reused(self) -> bool:
        """True if outputs of an earlier run are used instead of running the step."""
        return bool(self._document["reused"])

    @property
    def reused_from(self) -> StepRun | None:
        """The run of the step that made the outputs; None if this one did."""
        origin = self._document.get("reused_from")
        return None if origin is None else StepRun(self._experiment, "", origin["run_id"], origin["step_id"])

    @property
    def seconds(self) -> float | None:
        """How long the step took in this run; None before its end, and for a step that was not started."""
        value = self._document.get("seconds")
        return None if value is None else float(value)

    def get_portal_url(self) -> str:
        """The address of the web page that shows the pipeline's run."""
        return self.parent.get_portal_url()

    # --- logs ------------------------------------------------------------------------------------------------------

    def get_job_log(self) -> str:
        """What Airloom did around the script: staging, environment, exit code."""
        return self._log("job")

    def get_stdout_log(self) -> str:
        """What the script wrote to standard output, so far."""
        return self._log("stdout")

    def get_stderr_log(self) -> str:
        """What the script wrote to standard error, so far."""
        return self._log("stderr")

    def get_details_with_logs(self) -> dict[str, Any]:
        """`get_details()`, with the texts of the logs under the key logFiles."""
        return {**self.get_details(), "logFiles": {name: self._log(stream) for name, stream in _LOGS.items()}}

    def get_all_logs(self, destination: str | None = None) -> list[str]:
        """Copy the logs into a folder (default: the working folder) and return the paths of the files."""
        folder = Path(destination or ".")
        written = []
        for name, stream in _LOGS.items():
            target = folder / self._node_id / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self._log(stream), encoding="utf-8")
            written.append(str(target))
        return written

    def _log(self, stream: str) -> str:
        return self._log_from(stream, 0)[0]

    def _log_from(self, stream: str, offset: int) -> tuple[str, int]:
        """What a log holds from an offset on, and where it ends now. A step that has not started has no log."""
        workspace = self._experiment.workspace
        pieces: list[str] = []
        while True:
            try:
                text, following = workspace._client.read_log(
                    workspace.name, self._pipeline_run_id, self._node_id, stream, offset
                )
            except NotFoundException:
                return "".join(pieces), offset
            pieces.append(text)
            if following <= offset:
                return "".join(pieces), offset
            offset = following

    def _last_lines(self, count: int) -> str:
        """The end of what says most about a failure: standard error, else standard output, else the job log."""
        for stream in ("stderr", "stdout", "job"):
            lines = self._log(stream).rstrip().splitlines()
            if lines:
                return f"The end of its {stream}:\n" + "\n".join(f"    {line}" for line in lines[-count:])
        return str(self._document.get("reason") or "It left no log.")

    # --- outputs ---------------------------------------------------------------------------------------------------

    def get_outputs(self) -> dict[str, StepRunOutput]:
        """The outputs by port name; none until the step has finished."""
        workspace = self._experiment.workspace
        return {
            name: StepRunOutput(workspace, self._pipeline_run_id, self, name, output)
            for name, output in self._refresh()["outputs"].items()
        }

    def get_output(self, name: str) -> StepRunOutput:
        """One output. Raises UserErrorException if there is no such port or the step has not finished."""
        outputs = self.get_outputs()
        if name in outputs:
            return outputs[name]
        status = self._document["status"]
        if status != "Finished":
            raise UserErrorException(f"Step '{self.name}' is {status}; it has outputs when it is Finished.")
        raise UserErrorException(f"Step '{self.name}' has no output '{name}'. {did_you_mean(name, outputs)}")

    def get_output_data(self, name: str) -> PortDataReference:
        """Where one output lies, to download it or to use it as an input."""
        return self.get_output(name).get_port_data_reference()

    def _list_artifacts(self) -> list[str]:
        workspace = self._experiment.workspace
        found = workspace._client.list_artifacts(workspace.name, self._pipeline_run_id, self._node_id)
        return [str(entry["path"]) for entry in found]

    def _open_artifact(self, path: str) -> Iterator[bytes]:
        workspace = self._experiment.workspace
        return workspace._client.download_artifact(workspace.name, self._pipeline_run_id, self._node_id, path)

    # --- waiting ---------------------------------------------------------------------------------------------------

    def wait_for_completion(  # type: ignore[override]  # v1 gives the two classes different signatures
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Wait until the step has ended and return its last status; with `show_output` its standard output is shown.

        Raises ActivityFailedException if it failed, and UserErrorException when `timeout_seconds` are over; with
        `raise_on_error=False` the status is returned instead.
        """
        deadline, offset, shown = time.monotonic() + timeout_seconds, 0, ""
        while True:
            status = self.get_status()
            if show_output:
                if status != shown:
                    say(f"Step {self.name}: {status}")
                    shown = status
                text, offset = self._log_from("stdout", offset)
                sys.stdout.write(text)
                sys.stdout.flush()
            if status in ENDED:
                self._outcome(raise_on_error)
                return status
            if time.monotonic() >= deadline:
                if raise_on_error:
                    raise UserErrorException(f"Step '{self.name}' is still {status} after {timeout_seconds} seconds.")
                return status
            time.sleep(min(_PAUSE, max(0.0, deadline - time.monotonic())))

    def _failure(self, details: dict[str, Any]) -> str:
        return f"Step '{self.name}' of run {self._pipeline_run_id} failed. {self._last_lines(15)}"

    # --- not for steps ---------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Raises UserErrorException: only the whole run can be cancelled."""
        raise UserErrorException("A single step cannot be cancelled; cancel the pipeline's run (step_run.parent).")

    def complete(self, _set_status: bool = True) -> None:
        """Raises UserErrorException: the run of a step ends with its script."""
        raise UserErrorException("The run of a step ends with its script; complete() cannot end it.")

    def fail(self, error_details: Any = None, error_code: str | None = None) -> None:
        """Raises UserErrorException: the run of a step ends with its script."""
        raise UserErrorException("The run of a step fails when its script does; fail() cannot make it.")

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> Run:
        """Raises UserErrorException: the run of a step has no children."""
        raise UserErrorException("The run of a step has no children; child_run() cannot add one.")


class StepRunOutput:
    """An output of a finished step."""

    def __init__(
        self, context: Workspace, pipeline_run_id: str, step_run: StepRun, name: str, step_output: dict[str, Any]
    ) -> None:
        self._workspace = context
        self.pipeline_run_id = pipeline_run_id
        self._step_run = step_run
        self.name = name
        self._step_output = step_output

    @property
    def digest(self) -> str:
        """The digest of the content: equal for equal files, whichever run made them."""
        return str(self._step_output["digest"])

    def get_port_data_reference(self) -> PortDataReference:
        """Where it lies, to download it or to use it as an input."""
        datastore = Datastore.get(self._workspace, self._step_output["datastore"])
        reference = DataReference(datastore, self.name, self._step_output["path"])
        return PortDataReference(self._workspace, self.pipeline_run_id, reference, self._step_run)

    def __repr__(self) -> str:
        return f"StepRunOutput({self.name!r}, {self._step_output['datastore']}/{self._step_output['path']})"


def _with_v1_keys(step: dict[str, Any]) -> dict[str, Any]:
    """What the server says of a step, completed to what is said of runs; properties as v1 sets them on reuse."""
    origin = step.get("reused_from")
    properties = {"azureml.moduleName": step["name"], "azureml.nodeid": step["step_id"]}
    if origin is not None:
        properties |= {
            "azureml.reusedrunid": origin["run_id"],
            "azureml.reusednodeid": origin["step_id"],
            "azureml.reusedpipeline": origin["run_id"],
        }
    failed = step["status"] == "Failed"
    error = {"code": "StepFailed", "message": step.get("reason") or ""} if failed else None
    return {**step, "display_name": step["name"], "properties": properties, "tags": {}, "error": error}
