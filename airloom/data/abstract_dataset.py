"""What file and tabular datasets have in common: a list of places, and a name for use as an input."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from airloom.core._compat import unknown_keywords
from airloom.data import _registered
from airloom.data._clean import clean_path
from airloom.data._paths import StoredPath
from airloom.data.dataset_consumption_config import DatasetConsumptionConfig
from airloom.exceptions import UserErrorException
from airloom.graph.canonical import digest_value
from airloom.graph.model import DatasetRef, DataSource, PathSource

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

DatasetT = TypeVar("DatasetT", bound="AbstractDataset")


class DatasetFile(NamedTuple):
    """A file of a dataset: where it lies, its size, and its path within the dataset."""

    place: StoredPath
    size: int
    relative: str
    modified: datetime


class AbstractDataset(ABC):
    """Data on datastores, named by paths. Nothing is read until it is asked for.

    Datasets are made by `Dataset.File` and `Dataset.Tabular`. What they hold is decided when a step reads them: the
    files that then match.
    """

    def __init__(self, paths: tuple[StoredPath, ...] = ()) -> None:
        if not paths:
            raise UserErrorException("Datasets are made by Dataset.File.from_files or Dataset.Tabular.from_...")
        self._paths = paths
        self._registered: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """The id of the registered version; else the one under which the dataset is saved, when it is asked for.

        What is saved is where the data lies and how it is read. The same dataset always has the same id.
        """
        if self._registered is not None:
            return str(self._registered["id"])
        workspace, source = self.workspace, self._to_source().model_dump(mode="json")
        return str(workspace._client.save_dataset(workspace.name, source)["id"])

    @property
    def name(self) -> str | None:
        """The name that the dataset is registered under; None if it is not."""
        name: str | None = self._said("name")
        return name

    @property
    def version(self) -> int | None:
        """The version that it is registered as, counted from 1; None if it is not registered."""
        version: int | None = self._said("version")
        return version

    @property
    def description(self) -> str | None:
        """What was said of the registered version; None if it is not registered."""
        description: str | None = self._said("description")
        return description

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the registered version; none if it is not registered."""
        return dict(self._said("tags") or {})

    @property
    def data_changed_time(self) -> datetime | None:
        """When a file of the dataset was last changed; None if there is no file now."""
        try:
            times = [file.modified for path in self._paths for file in _list(path)]
        except UserErrorException:
            return None
        return max(times)

    @property
    def changed_since_registered(self) -> bool:
        """True if the content is no longer what it was when this version was registered, or is gone. Not in v1."""
        return bool(self.content_changes["state"] != "unchanged")

    @property
    def content_changes(self) -> dict[str, Any]:
        """What has become of the content that this version was registered with. Not in v1.

        `state` is unchanged, changed or missing; `registered` and `now` have digest, files, size and modified; `added`,
        `removed` and `changed` name files. Raises UserErrorException if the dataset is not registered.
        """
        name, version = self._must_be_registered("has no content to compare with")
        workspace = self.workspace
        changes: dict[str, Any] = workspace._client.get_dataset_content(workspace.name, name, version)
        return changes

    @property
    def workspace(self) -> Workspace:
        """The workspace of the dataset's datastores."""
        return self._paths[0].datastore.workspace

    @staticmethod
    def get_by_name(workspace: Workspace, name: str, version: int | str = "latest", **kwargs: Any) -> AbstractDataset:
        """A registered dataset, by default its latest version. Raises NotFoundException if there is none."""
        unknown_keywords("Dataset.get_by_name", kwargs)
        return _registered.by_name(workspace, name, version)

    @staticmethod
    def get_by_id(workspace: Workspace, id: str, **kwargs: Any) -> AbstractDataset:
        """The registered version, or the saved dataset, of an id. Raises NotFoundException if there is none."""
        unknown_keywords("Dataset.get_by_id", kwargs)
        return _registered.by_id(workspace, id)

    @staticmethod
    def get_all(workspace: Workspace) -> dict[str, AbstractDataset]:
        """The registered datasets by name, each in its latest version."""
        return _registered.latest(workspace)

    @staticmethod
    def get_all_versions(workspace: Workspace, name: str) -> list[AbstractDataset]:
        """All versions of a registered dataset, the newest first. Not in v1. Raises NotFoundException."""
        return _registered.versions(workspace, name)

    def register(
        self: DatasetT,
        workspace: Workspace,
        name: str,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        create_new_version: bool = False,
    ) -> DatasetT:
        """Register the dataset under a name, and return the registered one.

        The first version of a name is 1. Under a name that stands for other data, `create_new_version` adds the next;
        without it, that raises AlreadyExistsException. The same data with the same content stays one version. The
        data itself is not copied: the version pins its content; `changed_since_registered` tells if it has moved on.
        """
        registered = _registered.register(workspace, self, name, description, tags, create_new_version)
        return cast(DatasetT, registered)

    def update(self: DatasetT, description: str | None = None, tags: dict[str, str] | None = None) -> DatasetT:
        """Change what is said of the registered version: the description, and all tags at once."""
        changes = {"description": description, "tags": _registered.checked_tags(tags)}
        return self._change({name: value for name, value in changes.items() if value is not None})

    def add_tags(self: DatasetT, tags: dict[str, str] | None = None) -> DatasetT:
        """Add tags to the registered version, or change their values."""
        return self._change({"tags": {**self.tags, **(_registered.checked_tags(tags) or {})}})

    def remove_tags(self: DatasetT, tags: list[str] | None = None) -> DatasetT:
        """Remove tags, given by their names, from the registered version."""
        gone = set(tags or ())
        return self._change({"tags": {name: value for name, value in self.tags.items() if name not in gone}})

    def unregister(self) -> None:
        """Forget this version; its data stays, and its number is not given again. Not in v1."""
        name, version = self._must_be_registered("cannot be unregistered")
        self.workspace._client.unregister_dataset_version(self.workspace.name, name, version)
        self._registered = None

    def unregister_all_versions(self) -> None:
        """Forget the name and all its versions; their data stays."""
        name, _ = self._must_be_registered("cannot be unregistered")
        self.workspace._client.unregister_dataset(self.workspace.name, name)
        self._registered = None

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """The dataset as input of a step; the script finds it under this name."""
        return DatasetConsumptionConfig(name, self)

    def _input_name(self) -> str:
        """A name for use as an unnamed input, the same in every process."""
        return f"input_{digest_value(self._to_source())[:8]}"

    def _change(self: DatasetT, changes: dict[str, Any]) -> DatasetT:
        name, version = self._must_be_registered("has no description and no tags")
        self._registered = self.workspace._client.update_dataset_version(self.workspace.name, name, version, changes)
        return self

    def _said(self, what: str) -> Any:
        return None if self._registered is None else self._registered[what]

    def _must_be_registered(self, else_what: str) -> tuple[str, int]:
        if self._registered is None:
            raise UserErrorException(f"{self!r} is not registered, so it {else_what}. Register it first.")
        return self._registered["name"], self._registered["version"]

    def _graph_source(self) -> DataSource:
        """The dataset as the graph writes it down, with the version that it is, if it is registered."""
        source = self._to_source()
        if self._registered is None or isinstance(source, PathSource):
            return source
        reference = DatasetRef.model_validate(self._registered["source"]["dataset"])
        return source.model_copy(update={"dataset": reference})

    @abstractmethod
    def _to_source(self) -> DataSource:
        """The dataset as the graph writes it down."""

    def _files(self) -> list[DatasetFile]:
        """The files that match now, in the order of the paths. Raises UserErrorException if a path matches none."""
        found = [file for path in self._paths for file in _list(path)]
        shared = _shared_base(self._paths)
        return [file._replace(relative=_relative(file.place, shared)) for file in found]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbstractDataset) and self._to_source() == other._to_source()

    def __hash__(self) -> int:
        return int(hashlib.sha256(self._input_name().encode()).hexdigest()[:15], 16)

    def __repr__(self) -> str:
        places = ", ".join(f"{path.datastore.name}/{path.path}" for path in self._paths)
        return f"{type(self).__name__}({places})"


def _list(path: StoredPath) -> list[DatasetFile]:
    datastore = path.datastore
    listed = datastore._client.list_files(datastore.workspace.name, datastore.name, path.path)
    if not listed:
        raise UserErrorException(
            f"Datastore {datastore.name!r} has no file at {path.path!r}. Was the data uploaded? "
            "Pass validate=False to name data that does not exist yet."
        )
    return [
        DatasetFile(
            StoredPath(datastore, entry["path"]), int(entry["size"]), "", datetime.fromisoformat(entry["modified"])
        )
        for entry in listed
    ]


def _shared_base(paths: tuple[StoredPath, ...]) -> tuple[str, list[str]] | None:
    """The datastore and the folder that all paths start from; None if they lie on several datastores."""
    if len({path.datastore.name for path in paths}) > 1:
        return None
    parts = [path.base.split("/") if path.base else [] for path in paths]
    shared = parts[0]
    for other in parts[1:]:
        length = next((i for i, (a, b) in enumerate(zip(shared, other, strict=False)) if a != b), len(other))
        shared = shared[:length]
    return paths[0].datastore.name, shared


def _relative(place: StoredPath, shared: tuple[str, list[str]] | None) -> str:
    if shared is None:
        return f"{place.datastore.name}/{place.path}"
    parts = place.path.split("/")
    # A path that is itself a file is known by its name alone.
    return "/".join(parts[len(shared[1]) :]) or parts[-1]


def target_path(target: Any, what: str) -> StoredPath:
    """The place to upload to: a datastore, a pair (datastore, path) or a DataPath."""
    from airloom.data._paths import stored_paths

    if hasattr(target, "_client"):
        return StoredPath(target, "")
    (place,) = stored_paths(target, what)
    return StoredPath(place.datastore, clean_path(place.path, what))
