"""Published pipelines: frozen graphs that other systems, schedules and people run again and again."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airloom.core._compat import unknown_keywords
from airloom.core.experiment import Experiment
from airloom.exceptions import UserErrorException
from airloom.graph.parse import parse_graph
from airloom.pipeline.core._entity import SwitchableEntity
from airloom.pipeline.core._graph_view import Graph
from airloom.pipeline.core._submit import SubmitOptions, submit_published

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core.pipeline import Pipeline
    from airloom.pipeline.core.run import PipelineRun

__all__ = ["PublishedPipeline"]

ACTIVE, DISABLED = "Active", "Disabled"


class PublishedPipeline(SwitchableEntity):
    """A pipeline whose graph is frozen on the server, with an address at which any HTTP client can run it.

    `Pipeline.publish` and `PipelineRun.publish_pipeline` make one; `get` and `list` find it. Only its status can
    change: a disabled one cannot be run.
    """

    def __init__(
        self,
        name: str,
        graph_id: str,
        description: str,
        version: str,
        published_pipeline_id: str,
        status: str,
        endpoint: str,
        total_run_steps: int,
        workspace: Workspace,
        continue_on_step_failure: bool | None = None,
        **kwargs: Any,
    ) -> None:
        unknown_keywords("PublishedPipeline", kwargs)
        self._workspace = workspace
        self._document: dict[str, Any] = {
            "id": published_pipeline_id,
            "name": name,
            "graph_digest": graph_id,
            "description": description,
            "version": version,
            "status": status,
            "endpoint": endpoint,
            "total_steps": total_run_steps,
            "continue_on_step_failure": continue_on_step_failure,
        }

    # --- finding them ----------------------------------------------------------------------------------------------

    @staticmethod
    def get(workspace: Workspace, id: str) -> PublishedPipeline:
        """The published pipeline with this id. Raises NotFoundException if the workspace has none."""
        return PublishedPipeline._of(workspace, workspace._client.get_pipeline(workspace.name, id))

    @staticmethod
    def list(workspace: Workspace, active_only: bool = True) -> PublishedPipelines:
        """The published pipelines, the newest first, at most 1000; with `active_only=False` also disabled ones."""
        found = workspace._client.list_pipelines(workspace.name, active_only=active_only)
        return [PublishedPipeline._of(workspace, document) for document in found]

    @staticmethod
    def get_all(workspace: Workspace, active_only: bool = True) -> PublishedPipelines:
        """The same as `list`."""
        return PublishedPipeline.list(workspace, active_only)

    # --- what it is ------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The version that its author gave it, any text."""
        return str(self._document["version"])

    @property
    def graph_id(self) -> str:
        """The digest of its graph: pipelines that do the same have the same."""
        return str(self._document["graph_digest"])

    @property
    def endpoint(self) -> str:
        """The address to which a POST starts a run."""
        return str(self._document["endpoint"])

    @property
    def total_run_steps(self) -> int:
        """How many steps it has."""
        return int(self._document["total_steps"])

    @property
    def continue_on_step_failure(self) -> bool | None:
        """Whether its runs go on after a failed step, as far as they can, if the run does not say otherwise."""
        value: bool | None = self._document["continue_on_step_failure"]
        return value

    @property
    def tags(self) -> dict[str, str]:
        """The tags it was published with; new in Airloom."""
        return dict(self._document.get("tags") or {})

    @property
    def portal_url(self) -> str:
        """The address of its page in Airflow."""
        return str(self._document.get("url") or self._workspace._endpoint)

    def get_portal_url(self) -> str:
        """The address of its page in Airflow."""
        return self.portal_url

    def get_step_names(self) -> StepNames:
        """The names of its steps, in the order of the pipeline."""
        if "steps" in self._document:
            return [str(name) for name in self._document["steps"]]
        return [step.name for step in self.get_graph().definition.steps]

    def get_graph(self) -> Graph:
        """The frozen graph."""
        graph = self._workspace._client.get_pipeline_graph(self._workspace.name, self.id)
        return Graph._of(parse_graph(graph), self.name)

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write the pipeline as YAML (default: pipeline.yml in the working directory) and return the file's path.

        The file names the snapshots of the source folders, which the workspace keeps; `Pipeline.load_yaml` reads it.
        """
        from airloom.pipeline.core.pipeline import save_yaml

        return save_yaml(self.get_graph().generate_yaml(), path)

    # --- running it ------------------------------------------------------------------------------------------------

    def submit(
        self,
        workspace: Workspace,
        experiment_name: str,
        pipeline_parameters: dict[str, Any] | None = None,
        parent_run_id: str | None = None,
        continue_on_step_failure: bool | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run it in an experiment, and return the run without waiting for its end.

        `pipeline_parameters` sets parameters by name; the others have their defaults. `continue_on_step_failure`
        takes the place of the pipeline's own. New here: `reuse`, `tags` and `display_name`, as in `Pipeline.submit`.
        """
        return self._submit(
            Experiment(workspace, experiment_name),
            pipeline_parameters=pipeline_parameters,
            parent_run_id=parent_run_id,
            continue_on_step_failure=continue_on_step_failure,
            **kwargs,
        )

    def _submit(self, experiment: Experiment, **options: Any) -> PipelineRun:
        """What Experiment.submit calls."""
        chosen = SubmitOptions.of(options, "PublishedPipeline.submit")
        workspace = experiment.workspace
        return submit_published(
            experiment, lambda body: workspace._client.run_pipeline(workspace.name, self.id, body), chosen
        )

    # --- changing it -----------------------------------------------------------------------------------------------

    def enable(self) -> None:
        """Let it be run."""
        self._set_status(ACTIVE)

    def disable(self) -> None:
        """Refuse new runs; those that run go on, and its schedules start none."""
        self._set_status(DISABLED)

    def _set_status(self, status: str) -> None:
        client, workspace = self._workspace._client, self._workspace.name
        self._document = client.update_pipeline(workspace, self.id, {"status": status})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublishedPipeline) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Pipeline(Name: {self.name}, Id: {self.id}, Status: {self.status}, Endpoint: {self.endpoint})"


# Named here because inside the class `list` is its method.
PublishedPipelines = list[PublishedPipeline]
StepNames = list[str]


def published(pipeline: Pipeline | PublishedPipeline, name: str, description: str) -> PublishedPipeline:
    """A pipeline that is published already, or is so now, under a name of its own that begins with `name`."""
    if isinstance(pipeline, PublishedPipeline):
        return pipeline
    publish = getattr(pipeline, "publish", None)
    if publish is None:
        raise UserErrorException(f"Pass a Pipeline or a PublishedPipeline, not {type(pipeline).__name__}.")
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    made: PublishedPipeline = publish(name=f"{name}-{stamp}-Pipeline", description=description)
    return made
