"""The routes of datasets."""

from __future__ import annotations

from airloom._calls import Calls, JsonObject, path_to


class DatasetCalls(Calls):
    """One method per route."""

    def save_dataset(self, workspace: str, source: JsonObject) -> JsonObject:
        """Keep where a dataset lies and how it is read; the answer has its id."""
        return self._object("POST", _path(workspace), {"source": source})

    def get_dataset(self, workspace: str, dataset_id: str) -> JsonObject:
        """A saved dataset, or a version of a registered one, by its id."""
        return self._object("GET", _path(workspace, dataset_id))

    def preview_dataset(self, workspace: str, dataset_id: str, rows: int) -> JsonObject:
        """The first rows of a saved table."""
        return self._object("GET", _path(workspace, dataset_id, "preview"), rows=rows)

    def profile_dataset(self, workspace: str, dataset_id: str) -> JsonObject:
        """What is in the columns of a saved table."""
        return self._object("GET", _path(workspace, dataset_id, "profile"))

    def list_datasets(self, workspace: str) -> list[JsonObject]:
        """The latest version of each registered dataset, by name."""
        return self._list("datasets", _path(workspace))

    def register_dataset(self, workspace: str, name: str, body: JsonObject) -> JsonObject:
        """Register a dataset: source, description, tags, create_new_version; returns the version."""
        return self._object("POST", _versions(workspace, name), body)

    def list_dataset_versions(self, workspace: str, name: str) -> list[JsonObject]:
        """All versions of a dataset, the newest first."""
        return self._list("datasets", _versions(workspace, name))

    def get_dataset_version(self, workspace: str, name: str, version: int | str = "latest") -> JsonObject:
        """One version of a dataset."""
        return self._object("GET", _versions(workspace, name, str(version)))

    def get_dataset_content(self, workspace: str, name: str, version: int | str = "latest") -> JsonObject:
        """What a version consisted of when it was registered, and what has become of that."""
        return self._object("GET", _versions(workspace, name, str(version), "content"))

    def update_dataset_version(self, workspace: str, name: str, version: int | str, changes: JsonObject) -> JsonObject:
        """Change a version: description, tags."""
        return self._object("PATCH", _versions(workspace, name, str(version)), changes)

    def unregister_dataset_version(self, workspace: str, name: str, version: int | str) -> None:
        """Forget a version; its data stays."""
        self._transport.json("DELETE", _versions(workspace, name, str(version)))

    def unregister_dataset(self, workspace: str, name: str) -> None:
        """Forget a dataset with all its versions; their data stays."""
        self._transport.json("DELETE", _path(workspace, "by-name", name))


def _path(workspace: str, *more: str) -> str:
    return path_to("workspaces", workspace, "datasets", *more)


def _versions(workspace: str, name: str, *more: str) -> str:
    return _path(workspace, "by-name", name, "versions", *more)
