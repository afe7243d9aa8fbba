"""The routes of what is published and of what may be: pipelines, endpoints, schedules, drafts."""

from __future__ import annotations

from collections.abc import Sequence

from airloom._calls import Calls, JsonObject, path_to

MOST = 1000
"""As many things as one answer lists at most."""


class PublishedCalls(Calls):
    """One method per route."""

    # --- published pipelines ----------------------------------------------------------------------------------

    def publish_pipeline(self, workspace: str, body: JsonObject) -> JsonObject:
        """Publish a graph, or that of a run.

        The body has graph or run_id, name, description, version, tags, properties, continue_on_step_failure and
        experiment.
        """
        return self._object("POST", path_to("workspaces", workspace, "pipelines"), body)

    def list_pipelines(self, workspace: str, *, active_only: bool = True, limit: int = MOST) -> list[JsonObject]:
        """The published pipelines, the newest first."""
        path = path_to("workspaces", workspace, "pipelines")
        return self._list("pipelines", path, active_only=active_only, limit=limit)

    def get_pipeline(self, workspace: str, pipeline_id: str) -> JsonObject:
        """One published pipeline."""
        return self._object("GET", path_to("workspaces", workspace, "pipelines", pipeline_id))

    def get_pipeline_graph(self, workspace: str, pipeline_id: str) -> JsonObject:
        """The graph of a published pipeline."""
        return self._graph(path_to("workspaces", workspace, "pipelines", pipeline_id, "graph"))

    def update_pipeline(self, workspace: str, pipeline_id: str, changes: JsonObject) -> JsonObject:
        """Change a published pipeline: status."""
        return self._object("PATCH", path_to("workspaces", workspace, "pipelines", pipeline_id), changes)

    def run_pipeline(
        self, workspace: str, pipeline_id: str, body: JsonObject, idempotency_key: str | None = None
    ) -> JsonObject:
        """Run a published pipeline and return the run.

        The body has experiment, parameters, reuse, description, display_name, tags, properties and
        continue_on_step_failure. A second call with the same key returns the run of the first.
        """
        return self._start(path_to("workspaces", workspace, "pipelines", pipeline_id, "runs"), body, idempotency_key)

    # --- endpoints --------------------------------------------------------------------------------------------

    def create_endpoint(self, workspace: str, body: JsonObject) -> JsonObject:
        """Create an endpoint whose first version is a pipeline: name, description, pipeline_id, tags, properties."""
        return self._object("POST", path_to("workspaces", workspace, "endpoints"), body)

    def list_endpoints(
        self, workspace: str, *, active_only: bool = True, name: str | None = None, limit: int = MOST
    ) -> list[JsonObject]:
        """The endpoints, by name; with a name, the one that has it."""
        path = path_to("workspaces", workspace, "endpoints")
        return self._list("endpoints", path, active_only=active_only, name=name, limit=limit)

    def get_endpoint(self, workspace: str, endpoint_id: str) -> JsonObject:
        """One endpoint, with its versions."""
        return self._object("GET", path_to("workspaces", workspace, "endpoints", endpoint_id))

    def update_endpoint(self, workspace: str, endpoint_id: str, changes: JsonObject) -> JsonObject:
        """Change an endpoint: name, description, status, default_version."""
        return self._object("PATCH", path_to("workspaces", workspace, "endpoints", endpoint_id), changes)

    def add_endpoint_version(self, workspace: str, endpoint_id: str, body: JsonObject) -> JsonObject:
        """Append a version: pipeline_id, default."""
        return self._object("POST", path_to("workspaces", workspace, "endpoints", endpoint_id, "versions"), body)

    def archive_endpoint(self, workspace: str, endpoint_id: str) -> JsonObject:
        """Disable an endpoint and free its name."""
        return self._object("POST", path_to("workspaces", workspace, "endpoints", endpoint_id, "archive"))

    def reactivate_endpoint(self, workspace: str, endpoint_id: str, name: str) -> JsonObject:
        """Activate an archived endpoint under a name."""
        path = path_to("workspaces", workspace, "endpoints", endpoint_id, "reactivate")
        return self._object("POST", path, {"name": name})

    def run_endpoint(
        self, workspace: str, endpoint_id: str, body: JsonObject, idempotency_key: str | None = None
    ) -> JsonObject:
        """Run a version of an endpoint, by default the default one. The body is that of `run_pipeline`, and version."""
        return self._start(path_to("workspaces", workspace, "endpoints", endpoint_id, "runs"), body, idempotency_key)

    # --- schedules --------------------------------------------------------------------------------------------

    def create_schedule(self, workspace: str, body: JsonObject) -> JsonObject:
        """Create a schedule.

        The body has name, description, pipeline_id or endpoint_id, experiment, parameters, continue_on_step_failure,
        and either recurrence or data.
        """
        return self._object("POST", path_to("workspaces", workspace, "schedules"), body)

    def list_schedules(
        self,
        workspace: str,
        *,
        active_only: bool = True,
        pipeline_id: str | None = None,
        endpoint_id: str | None = None,
        limit: int = MOST,
    ) -> list[JsonObject]:
        """The schedules; of one pipeline or endpoint if asked."""
        path = path_to("workspaces", workspace, "schedules")
        return self._list(
            "schedules", path, active_only=active_only, pipeline_id=pipeline_id, endpoint_id=endpoint_id, limit=limit
        )

    def get_schedule(self, workspace: str, schedule_id: str) -> JsonObject:
        """One schedule, with the last check and the next run."""
        return self._object("GET", path_to("workspaces", workspace, "schedules", schedule_id))

    def update_schedule(self, workspace: str, schedule_id: str, changes: JsonObject) -> JsonObject:
        """Change a schedule: whatever it was created with, and status."""
        return self._object("PATCH", path_to("workspaces", workspace, "schedules", schedule_id), changes)

    def list_schedule_runs(self, workspace: str, schedule_id: str, limit: int = MOST) -> list[JsonObject]:
        """The runs that a schedule has started, the newest first."""
        return self._list("runs", path_to("workspaces", workspace, "schedules", schedule_id, "runs"), limit=limit)

    # --- drafts -----------------------------------------------------------------------------------------------

    def create_draft(self, workspace: str, body: JsonObject) -> JsonObject:
        """Create a draft from a graph, or from a published pipeline, run or draft.

        The body has one of graph, pipeline_id, run_id and draft_id; name, description, experiment, parameters,
        continue_on_step_failure, tags and properties.
        """
        return self._object("POST", path_to("workspaces", workspace, "drafts"), body)

    def list_drafts(self, workspace: str, tags: Sequence[str] = ()) -> list[JsonObject]:
        """The drafts that have all the tags, each written `key:value`."""
        return self._list("drafts", path_to("workspaces", workspace, "drafts"), tag=list(tags) or None)

    def get_draft(self, workspace: str, draft_id: str) -> JsonObject:
        """One draft."""
        return self._object("GET", path_to("workspaces", workspace, "drafts", draft_id))

    def get_draft_graph(self, workspace: str, draft_id: str) -> JsonObject:
        """The graph of a draft."""
        return self._graph(path_to("workspaces", workspace, "drafts", draft_id, "graph"))

    def update_draft(self, workspace: str, draft_id: str, changes: JsonObject) -> JsonObject:
        """Change a draft: whatever it was created with."""
        return self._object("PATCH", path_to("workspaces", workspace, "drafts", draft_id), changes)

    def delete_draft(self, workspace: str, draft_id: str) -> None:
        """Remove a draft; what was submitted and published from it stays."""
        self._transport.json("DELETE", path_to("workspaces", workspace, "drafts", draft_id))

    def run_draft(self, workspace: str, draft_id: str, idempotency_key: str | None = None) -> JsonObject:
        """Run a draft as it is now and return the run."""
        return self._start(path_to("workspaces", workspace, "drafts", draft_id, "runs"), {}, idempotency_key)

    def publish_draft(self, workspace: str, draft_id: str) -> JsonObject:
        """Publish a draft as it is now; returns the published pipeline."""
        return self._object("POST", path_to("workspaces", workspace, "drafts", draft_id, "publish"))

    def _graph(self, path: str) -> JsonObject:
        graph: JsonObject = self._object("GET", path)["graph"]
        return graph
