"""A place on a datastore as a value, so that it can be a pipeline parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.data.data_reference import DataReference, check_mode, path_source
from airloom.exceptions import UserErrorException

if TYPE_CHECKING:
    from airloom.graph.model import PathSource


class DataPath:
    """A datastore and a path on it; the default value of a PipelineParameter, and what a run sets it to."""

    def __init__(self, datastore: Any = None, path_on_datastore: str | None = None, name: str | None = None) -> None:
        if datastore is not None and not isinstance(getattr(datastore, "name", None), str):
            raise UserErrorException(f"A DataPath needs a datastore, not {datastore!r}.")
        self.datastore = datastore
        self.name = name
        self._path = path_on_datastore

    @property
    def datastore_name(self) -> str | None:
        """Name of the datastore, None if there is none."""
        return None if self.datastore is None else str(self.datastore.name)

    @property
    def path_on_datastore(self) -> str | None:
        """Path of a file or folder, relative to the root of the datastore."""
        return self._path

    def create_data_reference(
        self,
        data_reference_name: str | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """The path as input of a step."""
        return DataReference.create(data_reference_name, self, datapath_compute_binding)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPath:
        """The place that a reference points to."""
        return DataPath(data_reference.datastore, data_reference.path_on_datastore, data_reference.data_reference_name)

    def _to_source(self) -> PathSource:
        if self.datastore is None:
            raise UserErrorException("A DataPath without a datastore cannot be an input. Pass datastore=...")
        return path_source(self.datastore.name, self._path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataPath) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"DataPath({self.datastore_name}/{self._path or ''})"

    def _key(self) -> tuple[str | None, str]:
        return self.datastore_name, (self._path or "").strip("/")


class DataPathComputeBinding:
    """How the data of a DataPath reaches the script: read where it lies (mount) or copied (download)."""

    def __init__(self, mode: str = "mount", path_on_compute: str | None = None, overwrite: bool = False) -> None:
        self.mode = check_mode(mode, "a DataPathComputeBinding")
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath: DataPath | None = None
    ) -> DataReference:
        """The path as input of a step, bound in this way."""
        return DataReference.create(data_reference_name, datapath, self)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPathComputeBinding:
        """The way a reference is bound."""
        return DataPathComputeBinding(data_reference.mode, data_reference.path_on_compute, data_reference.overwrite)

    def __repr__(self) -> str:
        return f"DataPathComputeBinding(mode={self.mode!r}, path_on_compute={self.path_on_compute!r})"
