"""Addresses in the shape of the original service. Subscription and resource group are the caller's own words."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request

from airloom.plugins.airflow_gateway import base_url

URL_PREFIX = "/pipelines"
WORKSPACE = "/v1.0/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.MachineLearningServices/workspaces/{ws}"
NO_SUBSCRIPTION = "airloom"
NO_RESOURCE_GROUP = "local"


@dataclass(frozen=True)
class Addresses:
    """The addresses of one workspace."""

    server: str
    workspace: str
    subscription: str = NO_SUBSCRIPTION
    resource_group: str = NO_RESOURCE_GROUP

    @classmethod
    def of(cls, request: Request) -> Addresses:
        """Those of the workspace in the path of a request, of this API or of the other one."""
        path = request.path_params
        return cls(
            server=base_url(f"{request.url.scheme}://{request.url.netloc}"),
            workspace=path["ws"],
            subscription=path.get("sub", NO_SUBSCRIPTION),
            resource_group=path.get("rg", NO_RESOURCE_GROUP),
        )

    def submit_pipeline(self, pipeline_id: str) -> str:
        """Where a published pipeline is submitted."""
        return f"{self._runs}/PipelineSubmit/{pipeline_id}"

    def submit_endpoint(self, endpoint_id: str) -> str:
        """Where the default version of an endpoint is submitted; with `/` and a version, that version."""
        return f"{self._runs}/PipelineEndpointSubmit/Id/{endpoint_id}"

    def log(self, run_id: str, step_id: str, stream: str) -> str:
        """The log of a step as text."""
        step = f"runs/{quote(run_id, safe='')}/steps/{quote(step_id, safe='')}"
        return f"{self.server}/airloom/api/v1/workspaces/{quote(self.workspace, safe='')}/{step}/logs/{stream}"

    @property
    def description(self) -> str:
        """The description of this API."""
        return f"{self.server}{URL_PREFIX}/openapi.json"

    @property
    def _runs(self) -> str:
        names = {"sub": self.subscription, "rg": self.resource_group, "ws": self.workspace}
        path = WORKSPACE.format(**{key: quote(name, safe="") for key, name in names.items()})
        return f"{self.server}{URL_PREFIX}{path}/PipelineRuns"
