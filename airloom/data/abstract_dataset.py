"""What file and tabular datasets have in common: a list of places, and a name for use as an input."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from airloom.core._compat import not_yet, unknown_keywords
from airloom.data._clean import clean_path
from airloom.data._paths import StoredPath
from airloom.data.dataset_consumption_config import DatasetConsumptionConfig
from airloom.exceptions import UserErrorException
from airloom.graph.canonical import digest_value
from airloom.graph.model import DataSource

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

DatasetT = TypeVar("DatasetT", bound="AbstractDataset")

_UNREGISTERED = "Keep the path on the datastore in the code instead: Dataset.File.from_files(datastore.path('...'))."


class DatasetFile(NamedTuple):
    """A file of a dataset: where it lies, its size, and its path within the dataset."""

    place: StoredPath
    size: int
    relative: str


class AbstractDataset(ABC):
    """Data on datastores, named by paths. Nothing is read until it is asked for.

    Datasets are made by `Dataset.File` and `Dataset.Tabular`. What they hold is decided when a step reads them: the
    files that then match.
    """

    def __init__(self, paths: tuple[StoredPath, ...] = ()) -> None:
        if not paths:
            raise UserErrorException("Datasets are made by Dataset.File.from_files or Dataset.Tabular.from_...")
        self._paths = paths

    @property
    def id(self) -> str:
        """The id under which the dataset is saved, such as a REST call names it by; asking for it saves it.

        What is saved is where the data lies and how it is read. The same dataset always has the same id.
        """
        workspace, source = self.workspace, self._to_source().model_dump(mode="json")
        return str(workspace._client.save_dataset(workspace.name, source)["id"])

    @property
    def name(self) -> str | None:
        """None: datasets are not registered in this version."""
        return None

    @property
    def workspace(self) -> Workspace:
        """The workspace of the dataset's datastores."""
        return self._paths[0].datastore.workspace

    @staticmethod
    def get_by_name(workspace: Workspace, name: str, version: int | str = "latest", **kwargs: Any) -> AbstractDataset:
        """Raises UserErrorException: datasets are not registered in this version."""
        raise not_yet(f"The registered dataset {name!r}", _UNREGISTERED)

    @staticmethod
    def get_by_id(workspace: Workspace, id: str, **kwargs: Any) -> AbstractDataset:
        """The dataset that was saved under an id. Raises NotFoundException if there is none."""
        from airloom.data._saved import dataset_of

        unknown_keywords("Dataset.get_by_id", kwargs)
        return dataset_of(workspace, workspace._client.get_dataset(workspace.name, id)["source"])

    @staticmethod
    def get_all(workspace: Workspace) -> dict[str, AbstractDataset]:
        """Raises UserErrorException: datasets are not registered in this version."""
        raise not_yet("A list of registered datasets", _UNREGISTERED)

    def register(
        self: DatasetT,
        workspace: Workspace,
        name: str,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        create_new_version: bool = False,
    ) -> DatasetT:
        """Raises UserErrorException: datasets are not registered in this version."""
        raise not_yet(f"Registering the dataset {name!r}", _UNREGISTERED)

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """The dataset as input of a step; the script finds it under this name."""
        return DatasetConsumptionConfig(name, self)

    def _input_name(self) -> str:
        """A name for use as an unnamed input, the same in every process."""
        return f"input_{digest_value(self._to_source())[:8]}"

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
    return [DatasetFile(StoredPath(datastore, entry["path"]), int(entry["size"]), "") for entry in listed]


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
