"""Registered datasets: what the server says of a version, and the objects that stand for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.exceptions import UserErrorException

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace
    from airloom.data.abstract_dataset import AbstractDataset

JsonObject = dict[str, Any]


def by_name(workspace: Workspace, name: str, version: int | str) -> AbstractDataset:
    """A version of a registered dataset."""
    check_name(name)
    return of(workspace, workspace._client.get_dataset_version(workspace.name, name, version))


def by_id(workspace: Workspace, dataset_id: str) -> AbstractDataset:
    """A version of a registered dataset, or a saved dataset, by its id."""
    from airloom.data._saved import dataset_of

    found = workspace._client.get_dataset(workspace.name, dataset_id)
    registered = found.get("registered")
    return dataset_of(workspace, found["source"]) if registered is None else of(workspace, registered)


def latest(workspace: Workspace) -> dict[str, AbstractDataset]:
    """The latest version of each, by name."""
    return {each["name"]: of(workspace, each) for each in workspace._client.list_datasets(workspace.name)}


def versions(workspace: Workspace, name: str) -> list[AbstractDataset]:
    """All versions of a name, the newest first."""
    check_name(name)
    found = workspace._client.list_dataset_versions(workspace.name, name)
    return [of(workspace, each) for each in found]


def register(
    workspace: Workspace,
    dataset: AbstractDataset,
    name: str,
    description: str | None,
    tags: dict[str, str] | None,
    create_new_version: bool,
) -> AbstractDataset:
    """Register a dataset, and return the object that stands for its version."""
    check_name(name)
    if workspace.name != dataset.workspace.name:
        raise UserErrorException(
            f"{dataset!r} lies on datastores of workspace {dataset.workspace.name!r}; it cannot be registered in "
            f"{workspace.name!r}."
        )
    body = {
        "source": dataset._to_source().model_dump(mode="json"),
        "description": description,
        "tags": checked_tags(tags),
        "create_new_version": create_new_version,
    }
    return of(workspace, workspace._client.register_dataset(workspace.name, name, body))


def of(workspace: Workspace, document: JsonObject) -> AbstractDataset:
    """The dataset that stands for a version, of which the server has told."""
    from airloom.data._saved import dataset_of  # it makes objects of the classes that are built on this module

    dataset = dataset_of(workspace, document["source"])
    dataset._registered = document
    return dataset


def checked_tags(tags: Any) -> dict[str, str] | None:
    """Tags as the server takes them. Raises UserErrorException for what are none."""
    if tags is None:
        return None
    if not isinstance(tags, dict) or not all(isinstance(part, str) for pair in tags.items() for part in pair):
        raise UserErrorException(f"tags must be a dict of texts, such as {{'source': 'census'}}, not {tags!r}.")
    return dict(tags)


def check_name(name: Any) -> None:
    """Raises UserErrorException for what the server could not even look for."""
    if not isinstance(name, str) or not name.strip() or "/" in name:
        raise UserErrorException(f"The name of a dataset is text without '/', not {name!r}.")
