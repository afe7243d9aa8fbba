"""Drafts: pipelines kept on the server while they are edited and tried."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airloom.core.experiment import Experiment
from airloom.exceptions import UserErrorException
from airloom.graph.parse import parse_graph
from airloom.pipeline.core._entity import ServerEntity
from airloom.pipeline.core._graph_view import Graph
from airloom.pipeline.core._submit import plain_values, started
from airloom.pipeline.core.pipeline import Pipeline, save_yaml
from airloom.pipeline.core.published_pipeline import PublishedPipeline
from airloom.pipeline.core.run import PipelineRun

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

__all__ = ["PipelineDraft"]


class PipelineDraft(ServerEntity):
    """A pipeline that may be changed, run and published any number of times.

    `create` makes one from a Pipeline, a published pipeline, a run or another draft; `get` and `list` find it.
    """

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: dict[str, str] | None = None,
        properties: dict[str, str] | None = None,
        graph_draft_id: str | None = None,
        parent_pipeline_id: str | None = None,
        parent_pipeline_run_id: str | None = None,
        parent_step_run_ids: Sequence[str] | None = None,
        parent_pipeline_draft_id: str | None = None,
        last_submitted_pipeline_run_id: str | None = None,
    ) -> None:
        self._workspace = workspace
        self._document: dict[str, Any] = {
            "id": id,
            "name": name,
            "description": description,
            "experiment": experiment_name,
            "tags": tags,
            "properties": properties,
            "parent_pipeline_id": parent_pipeline_id,
            "parent_run_id": parent_pipeline_run_id,
            "parent_draft_id": parent_pipeline_draft_id,
            "last_submitted_run_id": last_submitted_pipeline_run_id,
        }

    # --- making and finding them -----------------------------------------------------------------------------------

    @staticmethod
    def create(
        workspace: Workspace,
        pipeline: Pipeline | PublishedPipeline | PipelineRun | PipelineDraft,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        pipeline_parameters: dict[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        tags: dict[str, str] | None = None,
        properties: dict[str, str] | None = None,
    ) -> PipelineDraft:
        """Make a draft. One of a Pipeline needs a name and an experiment; the others take their source's."""
        if isinstance(pipeline, Pipeline) and not (name and experiment_name):
            raise UserErrorException("A draft of a Pipeline needs a name and an experiment_name.")
        body = {
            **_source(pipeline),
            **_given(name, description, experiment_name, pipeline_parameters, continue_on_step_failure, tags),
        }
        if properties is not None:
            body["properties"] = _texts(properties)
        return PipelineDraft._of(workspace, workspace._client.create_draft(workspace.name, body))

    @staticmethod
    def get(workspace: Workspace, id: str) -> PipelineDraft:
        """The draft with this id. Raises NotFoundException if the workspace has none."""
        return PipelineDraft._of(workspace, workspace._client.get_draft(workspace.name, id))

    @staticmethod
    def list(workspace: Workspace, tags: dict[str, str] | None = None) -> PipelineDrafts:
        """The drafts that have all the tags, the newest first."""
        wanted = [f"{key}:{value}" for key, value in (tags or {}).items()]
        found = workspace._client.list_drafts(workspace.name, wanted)
        return [PipelineDraft._of(workspace, document) for document in found]

    # --- what it is ------------------------------------------------------------------------------------------------

    @property
    def experiment_name(self) -> str:
        """The experiment of its runs; new in Airloom."""
        return str(self._document["experiment"] or "")

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return dict(self._document["tags"] or {})

    @property
    def properties(self) -> dict[str, str]:
        """What was fixed about it when it was made."""
        return dict(self._document["properties"] or {})

    @property
    def parent_pipeline_id(self) -> str | None:
        """The published pipeline that it was made from."""
        return self._text("parent_pipeline_id")

    @property
    def parent_pipeline_run_id(self) -> str | None:
        """The run that it was made from."""
        return self._text("parent_run_id")

    @property
    def parent_step_run_ids(self) -> StepRunIds:
        """Always empty: drafts are made from whole pipelines."""
        return []

    @property
    def parent_pipeline_draft_id(self) -> str | None:
        """The draft that it was made from."""
        return self._text("parent_draft_id")

    @property
    def last_submitted_pipeline_run_id(self) -> str | None:
        """Its newest run."""
        return self._text("last_submitted_run_id")

    def _text(self, key: str) -> str | None:
        value: str | None = self._document[key]
        return value

    def get_graph(self) -> Graph:
        """Its graph as it is now."""
        graph = self._workspace._client.get_draft_graph(self._workspace.name, self.id)
        return Graph._of(parse_graph(graph), self.name)

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write the draft as YAML (default: pipeline.yml in the working directory) and return the file's path."""
        return save_yaml(self.get_graph().generate_yaml(), path)

    # --- using and changing it -------------------------------------------------------------------------------------

    def submit_run(self) -> PipelineRun:
        """Run it as it is now, and return the run without waiting for its end."""
        document = self._workspace._client.run_draft(self._workspace.name, self.id)
        self._document["last_submitted_run_id"] = document["id"]
        experiment = Experiment(self._workspace, document["experiment"], _skip_name_validation=True)
        return started(experiment, document)

    def publish(self) -> PublishedPipeline:
        """Publish it as it is now, under its name and description."""
        document = self._workspace._client.publish_draft(self._workspace.name, self.id)
        return PublishedPipeline._of(self._workspace, document)

    def update(
        self,
        pipeline: Pipeline | None = None,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: dict[str, str] | None = None,
        pipeline_parameters: dict[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> None:
        """Change what is given; a pipeline takes the place of the draft's graph, and the rest stays."""
        changes = _given(name, description, experiment_name, pipeline_parameters, continue_on_step_failure, tags)
        if pipeline is not None:
            changes["graph"] = pipeline._uploaded()
        self._document = self._workspace._client.update_draft(self._workspace.name, self.id, changes)

    def delete(self) -> None:
        """Remove it; what was submitted and published from it stays."""
        self._workspace._client.delete_draft(self._workspace.name, self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelineDraft) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PipelineDraft(Name: {self.name}, Id: {self.id})"


# Named here because inside the class `list` is its method.
PipelineDrafts = list[PipelineDraft]
StepRunIds = list[str]


def _source(pipeline: Any) -> dict[str, Any]:
    if isinstance(pipeline, Pipeline):
        return {"graph": pipeline._uploaded()}
    for kind, key in ((PublishedPipeline, "pipeline_id"), (PipelineRun, "run_id"), (PipelineDraft, "draft_id")):
        if isinstance(pipeline, kind):
            return {key: pipeline.id}
    raise UserErrorException(
        "A draft is made from a Pipeline, PublishedPipeline, PipelineRun or PipelineDraft, "
        f"not from {type(pipeline).__name__}."
    )


def _given(
    name: str | None,
    description: str | None,
    experiment: str | None,
    parameters: Mapping[str, Any] | None,
    continue_on_step_failure: bool | None,
    tags: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The fields that were given; what is None is left to the server."""
    fields = {
        "name": name,
        "description": description,
        "experiment": experiment,
        "parameters": None if parameters is None else plain_values(parameters),
        "continue_on_step_failure": continue_on_step_failure,
        "tags": None if tags is None else _texts(tags),
    }
    return {key: value for key, value in fields.items() if value is not None}


def _texts(pairs: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in pairs.items()}
