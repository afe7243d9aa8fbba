"""The workspace and experiment of the step: their names, and nothing that needs the server."""

from __future__ import annotations

from typing import Any

from .errors import UserErrorException, not_offered


class _Named:
    """Something known by name only."""

    def __getattr__(self, name: str) -> Any:
        raise not_offered(type(self).__name__, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Workspace(_Named):
    """The workspace that the step runs in, by name."""

    def __init__(self, subscription_id: str, resource_group: str, workspace_name: str, **kwargs: Any) -> None:
        self.subscription_id = subscription_id
        self.resource_group = resource_group
        self.name = workspace_name

    @staticmethod
    def from_config(*args: Any, **kwargs: Any) -> Workspace:
        """Not possible in a step: there is no configuration file, and no way to the server."""
        raise UserErrorException(
            "Workspace.from_config is not offered inside a step by Airloom. "
            "Use Run.get_context().experiment.workspace for its name, and pass data as inputs of the step."
        )


class Experiment(_Named):
    """The experiment of the run, by name."""

    def __init__(self, workspace: Workspace, name: str, **kwargs: Any) -> None:
        self.workspace = workspace
        self.name = name
