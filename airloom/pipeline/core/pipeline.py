"""A pipeline: steps, bound to a workspace, ready to be submitted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core._compat import ignored, unknown_keywords
from airloom.core._console import say
from airloom.core.experiment import Experiment
from airloom.errors import AirloomError
from airloom.exceptions import UserErrorException
from airloom.graph.model import PipelineGraph
from airloom.graph.validate import GraphProblem, validate_graph
from airloom.pipeline.core._definition import Definition, StepsDefinition, YamlDefinition
from airloom.pipeline.core._graph_view import Graph
from airloom.pipeline.core._snapshots import Snapshots, UnreadSnapshots
from airloom.pipeline.core._submit import SubmitOptions, check_graph, submit, upload_snapshots
from airloom.pipeline.core.published_pipeline import PublishedPipeline

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core.run import PipelineRun

__all__ = ["Pipeline"]


class Pipeline:
    """Steps and their connections, bound to a workspace.

    `steps` is a list (its steps run side by side as far as their data allows), a StepSequence, or a nesting of both.
    Steps that the listed ones need, for their data or by run_after, are added, unless `resolve_closure` is False.
    Outputs that name no datastore go to `default_datastore`, or to the workspace's default. Steps that name no source
    folder use `default_source_directory`, or the working directory.
    Raises UserErrorException for data that no step writes, scripts that do not exist, and the like.
    """

    def __init__(
        self,
        workspace: Workspace,
        steps: Any,
        description: str | None = None,
        default_datastore: Any = None,
        default_source_directory: str | os.PathLike[str] | None = None,
        resolve_closure: bool = True,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("enable_email_notification", None):
            ignored("enable_email_notification", "Airloom sends no mail; Airflow's notifiers do.")
        unknown_keywords("Pipeline", kwargs)
        _check_workspace(workspace)
        if steps is None:
            raise UserErrorException("A Pipeline needs steps: a list of them, or a StepSequence.")
        folder = None if default_source_directory is None else os.fspath(default_source_directory)
        self._start(workspace, StepsDefinition(steps, description or "", default_datastore, folder, resolve_closure))

    def _start(self, workspace: Workspace, definition: Definition) -> None:
        self._workspace = workspace
        self._definition = definition
        self._build(UnreadSnapshots())  # finds what is wrong now rather than at submission

    def _build(self, snapshots: Snapshots) -> PipelineGraph:
        try:
            return self._definition.build(snapshots)
        except AirloomError as error:
            raise UserErrorException(str(error), inner_exception=error) from error

    @property
    def workspace(self) -> Workspace:
        """The workspace that it is submitted to."""
        return self._workspace

    @property
    def graph(self) -> Graph:
        """The pipeline's graph, made from the source folders as they are now. Equal pipelines have equal graphs."""
        return Graph._of(self._build(Snapshots()))

    @staticmethod
    def load_yaml(workspace: Workspace, filename: str | os.PathLike[str]) -> Pipeline:
        """A pipeline from a YAML file of the same form as in Azure ML SDK v1, for steps of two types.

        These are PythonScriptStep and DataTransferStep.

        Raises UserErrorException that begins with `file:line:`. The file is read again at submission.
        """
        _check_workspace(workspace)
        pipeline = Pipeline.__new__(Pipeline)
        pipeline._start(workspace, YamlDefinition(workspace, os.fspath(filename)))
        return pipeline

    def service_endpoint(self) -> str:
        """The address of the server that runs the pipeline."""
        return self._workspace._endpoint

    def validate(self) -> list[GraphProblem]:
        """Check everything that can be checked without running; prints the problems and returns them.

        Reads the source folders, and asks the server which datastores and compute targets there are. An empty list
        means that the pipeline can be submitted.
        """
        graph = self._build(Snapshots())
        problems = validate_graph(
            graph, datastores=set(self._workspace.datastores), computes=set(self._workspace.compute_targets)
        )
        for problem in problems:
            say(f"{problem.code}: {problem}")
        if not problems:
            say(f"The pipeline is valid ({len(graph.steps)} steps).")
        return problems

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: dict[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        regenerate_outputs: bool = False,
        parent_run_id: str | None = None,
        credential_passthrough: bool | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run the pipeline in an experiment, and return the run without waiting for its end.

        `pipeline_parameters` sets parameters by name; the others have their defaults. After a failed step the run
        ends, unless `continue_on_step_failure` is True: then steps that do not depend on it go on. None leaves it to
        the pipeline, whose YAML file may say so.
        `regenerate_outputs=True` runs every step, and later runs may reuse the results. New here: `reuse` is 'auto',
        'off' (run every step) or 'refresh' (the same as regenerate_outputs), `tags`, and `display_name`.
        """
        return self._submit(
            Experiment(self._workspace, experiment_name),
            pipeline_parameters=pipeline_parameters,
            continue_on_step_failure=continue_on_step_failure,
            regenerate_outputs=regenerate_outputs,
            parent_run_id=parent_run_id,
            credential_passthrough=credential_passthrough,
            **kwargs,
        )

    def _submit(self, experiment: Experiment, **options: Any) -> PipelineRun:
        """What Experiment.submit calls."""
        chosen = SubmitOptions.of(options)
        snapshots = Snapshots()
        graph = self._build(snapshots)
        return submit(experiment, graph, snapshots, chosen)

    def publish(
        self,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        continue_on_step_failure: bool | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> PublishedPipeline:
        """Freeze the pipeline on the server, so that other systems, schedules and people can run it.

        Without a name it is called Pipeline and the time. `version` is any text. With `continue_on_step_failure=True`
        its runs go on after a failed step, as far as they can. New here: `tags` and `properties`.
        """
        graph = self._uploaded()
        body = {
            "graph": graph,
            "name": name or f"Pipeline-{datetime.now(UTC):%Y%m%d%H%M%S}",
            "description": graph["description"] if description is None else description,
            "version": version or "",
            "continue_on_step_failure": continue_on_step_failure,
            "tags": dict(tags or {}),
            "properties": dict(properties or {}),
        }
        return PublishedPipeline._of(
            self._workspace, self._workspace._client.publish_pipeline(self._workspace.name, body)
        )

    def _uploaded(self) -> dict[str, Any]:
        """The graph as JSON, checked, and with its source folders on the server."""
        snapshots = Snapshots()
        graph = self._build(snapshots)
        check_graph(graph, {})
        upload_snapshots(self._workspace, snapshots)
        return graph.model_dump(mode="json")

    def generate_yaml(self) -> str:
        """The pipeline as YAML, which load_yaml reads. Source folders are named by their absolute paths."""
        from airloom.graph.yaml import write_pipeline  # YAML is read and written by few

        graph = self._build(Snapshots())
        return write_pipeline(graph, source_directories=_absolute(self._definition.source_directories()))

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write `generate_yaml()` to a file (default: pipeline.yml in the working directory) and return its path."""
        return save_yaml(self.generate_yaml(), path)

    def __repr__(self) -> str:
        return f"Pipeline(workspace={self._workspace.name!r})"


def save_yaml(text: str, path: str | os.PathLike[str] | None) -> str:
    """Write YAML to a file, or to pipeline.yml in a folder; returns the path of the file."""
    target = Path("pipeline.yml" if path is None else path)
    if target.is_dir():
        target = target / "pipeline.yml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return str(target)


def _absolute(folders: dict[str, str]) -> dict[str, str]:
    return {step: str(Path(folder).resolve()) for step, folder in folders.items()}


def _check_workspace(workspace: Any) -> None:
    if not isinstance(getattr(workspace, "name", None), str):
        raise UserErrorException(
            f"A Pipeline needs a workspace, such as Workspace.from_config(), not {type(workspace).__name__}."
        )
