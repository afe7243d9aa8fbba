"""Datasets that a graph, or the values of a run, name instead of describing them.

`{"kind": "dataset", "name": "titanic", "version": 3}` names a version; without one, or with `"latest"`, it is the
latest. `{"kind": "dataset", "id": "..."}` names a version, or a saved dataset, by its id. A reference is replaced by
what the version reads before anything is checked or stored, so a pipeline always runs on the version that was the
latest when it was submitted or published, whatever is registered later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airloom.errors import InvalidGraph
from airloom.graph.model import DatasetSource
from airloom.plugins import datasets, workspaces
from airloom.plugins.airflow_gateway import Session
from airloom.plugins.dataset_wishes import grant_wishes
from airloom.plugins.db.models import WorkspaceRow
from airloom.plugins.settings import Settings

_KEYS = {"kind", "id", "name", "version"}


class References:
    """Replaces references by what they stand for in a workspace. The session must have written nothing."""

    def __init__(self, session: Session, settings: Settings, workspace: WorkspaceRow) -> None:
        self._session = session
        self._workspace = workspace
        self._storage = workspaces.open_storage(settings, workspace.name)
        self._granted = False

    def in_graph(self, graph: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON of a graph with all references replaced. What is no graph is left for others to refuse."""
        resolved = dict(graph)
        if isinstance(graph.get("sources"), Mapping):
            resolved["sources"] = self.in_values(graph["sources"])
        if isinstance(graph.get("parameters"), list | tuple):
            resolved["parameters"] = [self._in_parameter(each) for each in graph["parameters"]]
        return resolved

    def in_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by name, with those that are references replaced. Raises InvalidGraph and NotFound."""
        return {name: self._in_value(name, value) for name, value in values.items()}

    def by_name(self, name: str, version: str | int | None) -> DatasetSource:
        """What a version of a name reads, by default the latest. Raises NotFound."""
        if not self._granted:
            grant_wishes(self._workspace.id, self._storage)
            self._granted = True
        wanted = datasets.LATEST if version is None else version
        return datasets.source_of(datasets.find(self._session, self._workspace, name, wanted))

    def by_id(self, dataset_id: str) -> DatasetSource:
        """What the version, or saved dataset, of an id reads. Raises NotFound."""
        return datasets.source_by_id(self._session, self._workspace, self._storage, dataset_id)

    def _in_parameter(self, parameter: Any) -> Any:
        if not isinstance(parameter, Mapping) or "default" not in parameter:
            return parameter
        return {**parameter, "default": self._in_value(str(parameter.get("name")), parameter["default"])}

    def _in_value(self, what: str, value: Any) -> Any:
        if not isinstance(value, Mapping) or value.get("kind") != "dataset":
            return value
        by, version = ("id" if "id" in value else "name"), value.get("version")
        if not isinstance(value.get(by), str) or set(value) - _KEYS or not isinstance(version, str | int | None):
            raise InvalidGraph(
                f"{what!r} refers to a dataset in a way that is not understood.",
                hint='Write {"kind": "dataset", "name": "...", "version": 1}, or "id" in place of both.',
                target=what,
            )
        source = self.by_id(value["id"]) if by == "id" else self.by_name(value["name"], version)
        return source.model_dump(mode="json")
