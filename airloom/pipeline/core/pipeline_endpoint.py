"""Pipeline endpoints: a stable name in front of published pipelines, its versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airloom.core.experiment import Experiment
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from airloom.graph.suggest import did_you_mean
from airloom.pipeline.core._entity import SwitchableEntity
from airloom.pipeline.core._submit import SubmitOptions, submit_published
from airloom.pipeline.core.published_pipeline import ACTIVE, DISABLED, PublishedPipeline, PublishedPipelines, published

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace
    from airloom.pipeline.core.pipeline import Pipeline
    from airloom.pipeline.core.run import PipelineRun

__all__ = ["PipelineEndpoint", "PipelineIdVersion", "PipelineVersion"]


class PipelineIdVersion:
    """A version of an endpoint, and the id of the published pipeline that it is."""

    def __init__(self, version: str, pipeline_id: str) -> None:
        self._version, self._pipeline_id = version, pipeline_id

    @property
    def version(self) -> str:
        """The version: "0", "1" and so on."""
        return self._version

    @property
    def pipeline_id(self) -> str:
        """Id of the published pipeline."""
        return self._pipeline_id

    def __repr__(self) -> str:
        return f"PipelineIdVersion(Version: {self._version}, Pipeline Id: {self._pipeline_id})"


class PipelineVersion:
    """A version of an endpoint, and the published pipeline that it is."""

    def __init__(self, version: str, pipeline: PublishedPipeline) -> None:
        self._version, self._pipeline = version, pipeline

    @property
    def version(self) -> str:
        """The version: "0", "1" and so on."""
        return self._version

    @property
    def pipeline(self) -> PublishedPipeline:
        """The published pipeline."""
        return self._pipeline

    def __repr__(self) -> str:
        return f"PipelineVersion(Version: {self._version}, Pipeline: {self._pipeline!r})"


class PipelineEndpoint(SwitchableEntity):
    """A name at which callers run a pipeline, while its author puts new versions behind it.

    `PipelineEndpoint.publish` makes one whose version "0" is the default; `add` and `add_default` append versions.
    Callers who name no version get the default one, at the time of their call.
    """

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str,
        description: str,
        status: str,
        default_version: str,
        endpoint: str,
        pipeline_version_list: Sequence[PipelineIdVersion],
    ) -> None:
        self._workspace = workspace
        versions = [{"version": each.version, "pipeline_id": each.pipeline_id} for each in pipeline_version_list]
        self._document: dict[str, Any] = {
            "id": id,
            "name": name,
            "description": description,
            "status": status,
            "default_version": default_version,
            "endpoint": endpoint,
            "versions": versions,
        }

    # --- making and finding them -----------------------------------------------------------------------------------

    @staticmethod
    def publish(
        workspace: Workspace, name: str, description: str, pipeline: Pipeline | PublishedPipeline
    ) -> PipelineEndpoint:
        """Make an endpoint whose only version, "0", is this pipeline; a Pipeline is published first.

        Raises AlreadyExistsException if an endpoint has the name.
        """
        # The server asks again; here it keeps a pipeline from being published for nothing.
        if workspace._client.list_endpoints(workspace.name, active_only=False, name=name):
            raise AlreadyExistsException(
                f"There is a pipeline endpoint {name!r} already. Get it by its name, and add(pipeline) to it "
                "as another version."
            )
        pipeline_id = published(pipeline, name, description).id
        body = {"name": name, "description": description, "pipeline_id": pipeline_id}
        return PipelineEndpoint._of(workspace, workspace._client.create_endpoint(workspace.name, body))

    @staticmethod
    def get(workspace: Workspace, id: str | None = None, name: str | None = None) -> PipelineEndpoint:
        """The endpoint with this id or name. Raises NotFoundException if the workspace has none."""
        if (id is None) == (name is None):
            raise UserErrorException("PipelineEndpoint.get needs either an id or a name.")
        client = workspace._client
        if id is not None:
            return PipelineEndpoint._of(workspace, client.get_endpoint(workspace.name, id))
        for document in client.list_endpoints(workspace.name, active_only=False, name=name):
            return PipelineEndpoint._of(workspace, document)
        known = [document["name"] for document in client.list_endpoints(workspace.name, active_only=False)]
        raise NotFoundException(
            f"Workspace {workspace.name!r} has no pipeline endpoint {name!r}. {did_you_mean(str(name), known)}"
        )

    @staticmethod
    def list(workspace: Workspace, active_only: bool = True, max_results: int = 100) -> PipelineEndpoints:
        """The endpoints, by name, at most `max_results`; with `active_only=False` also disabled ones."""
        found = workspace._client.list_endpoints(workspace.name, active_only=active_only, limit=max_results)
        return [PipelineEndpoint._of(workspace, document) for document in found]

    @staticmethod
    def get_all(workspace: Workspace, active_only: bool = True) -> PipelineEndpoints:
        """The endpoints, by name, at most 1000."""
        return PipelineEndpoint.list(workspace, active_only, max_results=1000)

    # --- what it is ------------------------------------------------------------------------------------------------

    @property
    def default_version(self) -> str:
        """The version that callers get who name none, when it was last read."""
        return str(self._document["default_version"])

    @property
    def endpoint(self) -> str:
        """The address to which a POST starts a run of the default version; `/` and a version after it, of that one."""
        return str(self._document["endpoint"])

    @property
    def pipeline_version_list(self) -> IdVersions:
        """The versions and the ids of their pipelines, when they were last read."""
        return [PipelineIdVersion(each["version"], each["pipeline_id"]) for each in self._document["versions"]]

    @property
    def swaggerurl(self) -> str:
        """The address of the OpenAPI description of the calls that v1 has."""
        return f"{self._workspace._endpoint}/pipelines/openapi.json"

    def get_default_version(self) -> str:
        """The version that callers get who name none, now."""
        self._document = self._workspace._client.get_endpoint(self._workspace.name, self.id)
        return self.default_version

    def get_pipeline(self, version: str | None = None) -> PublishedPipeline:
        """The published pipeline of a version, by default of the default one."""
        wanted = self.default_version if version is None else str(version)
        return PublishedPipeline.get(self._workspace, self._pipeline_id(wanted))

    def list_versions(self) -> Versions:
        """All versions with their published pipelines."""
        return [
            PipelineVersion(each.version, PublishedPipeline.get(self._workspace, each.pipeline_id))
            for each in self.pipeline_version_list
        ]

    def get_all_versions(self) -> Versions:
        """The same as `list_versions`."""
        return self.list_versions()

    def list_pipelines(self, active_only: bool = True) -> PublishedPipelines:
        """The published pipelines of all versions, each once; with `active_only=False` also disabled ones."""
        ids = dict.fromkeys(each.pipeline_id for each in self.pipeline_version_list)
        found = [PublishedPipeline.get(self._workspace, pipeline_id) for pipeline_id in ids]
        return [pipeline for pipeline in found if pipeline.status == ACTIVE or not active_only]

    def get_all_pipelines(self, active_only: bool = True) -> PublishedPipelines:
        """The same as `list_pipelines`."""
        return self.list_pipelines(active_only)

    def _pipeline_id(self, version: str) -> str:
        known = {each.version: each.pipeline_id for each in self.pipeline_version_list}
        if version not in known:
            raise NotFoundException(
                f"The endpoint {self.name!r} has no version {version!r}. It has {', '.join(known)}."
            )
        return known[version]

    # --- running it ------------------------------------------------------------------------------------------------

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: dict[str, Any] | None = None,
        parent_run_id: str | None = None,
        pipeline_version: str | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run a version, by default the default one, and return the run without waiting for its end.

        New here: `continue_on_step_failure`, `reuse`, `tags` and `display_name`, as in `Pipeline.submit`.
        """
        return self._submit(
            Experiment(self._workspace, experiment_name),
            pipeline_parameters=pipeline_parameters,
            parent_run_id=parent_run_id,
            pipeline_version=pipeline_version,
            **kwargs,
        )

    def _submit(self, experiment: Experiment, pipeline_version: str | None = None, **options: Any) -> PipelineRun:
        """What Experiment.submit calls."""
        chosen = SubmitOptions.of(options, "PipelineEndpoint.submit")
        workspace = experiment.workspace
        version = None if pipeline_version is None else str(pipeline_version)

        def run(body: dict[str, Any]) -> dict[str, Any]:
            return workspace._client.run_endpoint(workspace.name, self.id, {**body, "version": version})

        return submit_published(experiment, run, chosen)

    # --- changing it -----------------------------------------------------------------------------------------------

    def add(self, pipeline: Pipeline | PublishedPipeline) -> None:
        """Append a version; a Pipeline is published first."""
        self._append(pipeline, default=False)

    def add_default(self, pipeline: Pipeline | PublishedPipeline) -> None:
        """Append a version and make it the default; a Pipeline is published first."""
        self._append(pipeline, default=True)

    def _append(self, pipeline: Pipeline | PublishedPipeline, *, default: bool) -> None:
        body = {"pipeline_id": published(pipeline, self.name, self.description).id, "default": default}
        self._document = self._workspace._client.add_endpoint_version(self._workspace.name, self.id, body)

    def set_default(self, pipeline: PublishedPipeline) -> None:
        """Make the newest version that is this pipeline the default."""
        client, workspace = self._workspace._client, self._workspace.name
        self._document = client.get_endpoint(workspace, self.id)
        versions = [each.version for each in self.pipeline_version_list if each.pipeline_id == pipeline.id]
        if not versions:
            raise UserErrorException(
                f"The pipeline {pipeline.id} is no version of the endpoint {self.name!r}. Use add_default(pipeline)."
            )
        self.set_default_version(versions[-1])

    def set_default_version(self, version: str) -> None:
        """Make a version the default. Callers who name none, and schedules, take it from now on."""
        self._change(default_version=str(version))

    def set_name(self, name: str) -> None:
        """Give it another name, which no other endpoint may have."""
        self._change(name=name)

    def set_description(self, description: str) -> None:
        """Give it another description; new in Airloom."""
        self._change(description=description)

    def enable(self) -> None:
        """Let it be run."""
        self._change(status=ACTIVE)

    def disable(self) -> None:
        """Refuse new runs; those that run go on."""
        self._change(status=DISABLED)

    def _change(self, **changes: Any) -> None:
        self._document = self._workspace._client.update_endpoint(self._workspace.name, self.id, changes)

    def archive(self) -> None:
        """Disable it and free its name for another endpoint; `reactivate` takes this back."""
        self._document = self._workspace._client.archive_endpoint(self._workspace.name, self.id)

    def reactivate(self, name: str) -> None:
        """Let an archived endpoint be run again, under a name that is free."""
        self._document = self._workspace._client.reactivate_endpoint(self._workspace.name, self.id, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelineEndpoint) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PipelineEndpoint(Name: {self.name}, Id: {self.id}, Status: {self.status}, Endpoint: {self.endpoint})"


# Named here because inside the class `list` is its method.
PipelineEndpoints = list[PipelineEndpoint]
IdVersions = list[PipelineIdVersion]
Versions = list[PipelineVersion]
