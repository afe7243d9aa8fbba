"""Runs of pipelines and of their steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airloom.core._compat import unknown_keywords
from airloom.core.experiment import Experiment
from airloom.core.run import PIPELINE_RUN, STEP_RUN, Run, matches
from airloom.exceptions import UserErrorException
from airloom.graph.parse import parse_graph
from airloom.graph.results import Explanation
from airloom.graph.suggest import did_you_mean
from airloom.pipeline.core._explanations import Explanations
from airloom.pipeline.core._graph_view import Graph
from airloom.pipeline.core._step_run import StepRun, StepRunOutput
from airloom.pipeline.core._watch import display, watch
from airloom.pipeline.core.graph import PortDataReference
from airloom.pipeline.core.published_pipeline import PublishedPipeline

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

__all__ = ["PipelineRun", "StepRun", "StepRunOutput"]

_TAIL_LINES = 15


class PipelineRun(Run):
    """A run of a whole pipeline. Its steps are StepRun objects (`get_steps`, `find_step_run`)."""

    _type = PIPELINE_RUN

    def __init__(self, experiment: Experiment, run_id: str, **kwargs: Any) -> None:
        super().__init__(experiment, run_id, **kwargs)

    # --- finding runs ----------------------------------------------------------------------------------------------

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> PipelineRun:
        """The run with this id. Raises NotFoundException if the workspace has none."""
        document = workspace._client.get_run(workspace.name, run_id)
        return runs_of(workspace, [document])[0]

    @staticmethod
    def get_pipeline_runs(workspace: Workspace, pipeline_id: str) -> list[PipelineRun]:
        """The runs of a published pipeline, the newest first, at most 1000: submitted, scheduled, made in Airflow."""
        return runs_of(workspace, workspace._client.list_runs(workspace.name, pipeline_id=pipeline_id))

    # --- steps -----------------------------------------------------------------------------------------------------

    def _read_steps(self) -> list[dict[str, Any]]:
        workspace = self._experiment.workspace
        return workspace._client.list_steps(workspace.name, self._run_id)

    def get_steps(self) -> Iterator[StepRun]:
        """The runs of the steps, in the order of the pipeline."""
        for document in self._read_steps():
            yield StepRun(self._experiment, "", self._run_id, document["step_id"], _document=document)

    def find_step_run(self, name: str) -> list[StepRun]:
        """The runs of all steps with this name (or id); an empty list if there is none."""
        return [step for step in self.get_steps() if name in (step.name, step.step_id)]

    def get_children(
        self,
        recursive: bool = False,
        tags: str | dict[str, str] | None = None,
        properties: str | dict[str, str] | None = None,
        type: str | None = None,
        status: str | None = None,
    ) -> Iterator[StepRun]:
        """The runs of the steps that pass the filters; steps have no children of their own."""
        for step in self.get_steps():
            fits = matches({**step._document, "type": STEP_RUN}, type, tags, properties)
            if fits and status in (None, step.status):
                yield step

    # --- content ---------------------------------------------------------------------------------------------------

    def get_graph(self) -> Graph:
        """The pipeline that the run runs, as it was submitted."""
        workspace = self._experiment.workspace
        return Graph._of(parse_graph(workspace._client.get_graph(workspace.name, self._run_id)))

    def get_pipeline_output(self, pipeline_output_name: str) -> PortDataReference:
        """Where an output lies, by the `pipeline_output_name` of its PipelineData.

        Raises UserErrorException if there is no such name, or if the step has not finished.
        """
        ports = {
            port.pipeline_output_name: (step.id, port.name)
            for step in self.get_graph().definition.steps
            for port in step.outputs
            if port.pipeline_output_name is not None
        }
        if pipeline_output_name not in ports:
            hint = did_you_mean(pipeline_output_name, ports)
            raise UserErrorException(f"The pipeline has no output called '{pipeline_output_name}'. {hint}")
        step_id, port = ports[pipeline_output_name]
        return next(step for step in self.get_steps() if step.step_id == step_id).get_output_data(port)

    def explain(self, step: str | None = None) -> Explanations:
        """Why each step ran or was reused, and which parts of its key changed; new in Airloom.

        `step` is the name or id of one step. The answer is a list of explanations that prints as text.
        """
        workspace = self._experiment.workspace
        found = workspace._client.explain(workspace.name, self._run_id, step)
        return Explanations(Explanation.model_validate(document) for document in found)

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write the pipeline as YAML (default: pipeline.yml in the working directory) and return the file's path.

        The file names the snapshots of the source folders, which the workspace keeps.
        """
        from airloom.pipeline.core.pipeline import save_yaml

        return save_yaml(self.get_graph().generate_yaml(), path)

    def resume(self) -> None:
        """Let a run that failed or was canceled go on, once the cause is mended; new in Airloom.

        Steps that have ended well are kept. The others, and those that follow them, run as they were submitted: the
        source folders are those of then. Raises UserErrorException if the run goes on, or has finished.
        """
        workspace = self._experiment.workspace
        self._known = workspace._client.resume_run(workspace.name, self._run_id)

    def get_all_logs(self, destination: str | None = None) -> list[str]:
        """Copy the logs of all steps into a folder (default: the working folder); returns the paths of the files."""
        return [path for step in self.get_steps() for path in step.get_all_logs(destination)]

    def get_details_with_logs(self) -> dict[str, Any]:
        """`get_details()`, with the texts of the steps' logs under the key logFiles, as `<step id>/logs/...`."""
        texts = {
            f"{step.step_id}/{name}": text
            for step in self.get_steps()
            for name, text in step.get_details_with_logs()["logFiles"].items()
        }
        return {**self.get_details(), "logFiles": texts}

    # --- waiting ---------------------------------------------------------------------------------------------------

    def wait_for_completion(  # type: ignore[override]  # v1 gives the two classes different signatures
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Wait until the run has ended and return its last status: Finished, Failed or Canceled.

        With `show_output`, a terminal shows a live table of the steps, anything else a line for each change. Raises
        ActivityFailedException if the run failed, and UserErrorException when `timeout_seconds` are over; with
        `raise_on_error=False` the status is returned instead.
        """
        with display(show_output) as show:
            state = watch(self, show, timeout_seconds)
        if state is None:
            status = str(self._document["status"])
            if raise_on_error:
                raise UserErrorException(
                    f"The run {self._run_id} is still {status} after {timeout_seconds} seconds. It goes on: "
                    "wait for it again, or cancel() it."
                )
            return status
        self._outcome(raise_on_error)
        return str(state["status"])

    def _failure(self, details: dict[str, Any]) -> str:
        """The run's own account, with the ends of the logs of the steps that failed."""
        failed = [step for step in self.get_steps() if step.status == "Failed"]
        tails = [f"\nStep '{step.name}' failed. {step._last_lines(_TAIL_LINES)}" for step in failed]
        return super()._failure(details) + "".join(tails)

    # --- not for pipelines -----------------------------------------------------------------------------------------

    def complete(self, _set_status: bool = True) -> None:
        """Raises UserErrorException: the run of a pipeline ends by itself."""
        raise UserErrorException("The run of a pipeline ends by itself; complete() cannot end it.")

    def fail(self, error_details: Any = None, error_code: str | None = None) -> None:
        """Raises UserErrorException: the run of a pipeline ends by itself."""
        raise UserErrorException("The run of a pipeline cannot be marked as failed. cancel() stops it.")

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> Run:
        """Raises UserErrorException: the children of a pipeline's run are those of its steps."""
        raise UserErrorException("The run of a pipeline has no children but its steps; child_run() cannot add one.")

    def publish_pipeline(
        self,
        name: str,
        description: str,
        version: str,
        continue_on_step_failure: bool | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> PublishedPipeline:
        """Publish the pipeline that the run runs, with its scripts as they were; see `Pipeline.publish`."""
        unknown_keywords("PipelineRun.publish_pipeline", kwargs)
        body = {
            "run_id": self._run_id,
            "name": name,
            "description": description or "",
            "version": version or "",
            "continue_on_step_failure": continue_on_step_failure,
            "tags": dict(tags or {}),
            "properties": dict(properties or {}),
        }
        workspace = self._experiment.workspace
        return PublishedPipeline._of(workspace, workspace._client.publish_pipeline(workspace.name, body))


def runs_of(workspace: Workspace, documents: list[dict[str, Any]]) -> list[PipelineRun]:
    """Runs from what the server says of them; each belongs to an experiment of its own."""
    return [
        PipelineRun(
            Experiment(workspace, document["experiment"], _skip_name_validation=True),
            document["id"],
            _document=document,
        )
        for document in documents
    ]


Run.add_type_provider(PIPELINE_RUN, lambda experiment, run: PipelineRun(experiment, run["id"], _document=run))
