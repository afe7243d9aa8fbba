"""References to files and folders on datastores, as inputs of steps."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from airloom.core._names import DATA_REFERENCE, check_name
from airloom.core.runconfig import DataReferenceConfiguration
from airloom.data._clean import clean_path
from airloom.exceptions import UserErrorException
from airloom.graph.model import DataLocation, PathSource

if TYPE_CHECKING:
    from airloom.data.datapath import DataPath, DataPathComputeBinding

MODES = ("mount", "download", "upload")


def check_mode(mode: str, what: str) -> str:
    """The mode itself, or an error that lists the modes there are."""
    if mode not in MODES:
        raise UserErrorException(f"The mode of {what} must be {', '.join(MODES)}, not {mode!r}.")
    return mode


class DataReference:
    """A file or folder on a datastore that a step reads.

    In the step's arguments it stands for the path at which the script finds the data. Without
    `data_reference_name` it gets a name made from datastore and path, the same in every process.
    """

    def __init__(
        self,
        datastore: Any,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        if not isinstance(getattr(datastore, "name", None), str):
            raise UserErrorException(
                f"A DataReference needs a datastore, such as workspace.get_default_datastore(), not {datastore!r}."
            )
        self.datastore = datastore
        self.path_on_datastore = path_on_datastore
        self.data_reference_name = (
            check_name(data_reference_name, DATA_REFERENCE)
            if data_reference_name is not None
            else generated_name(datastore.name, path_on_datastore or "")
        )
        self.mode = check_mode(mode, f"the data reference {self.data_reference_name!r}")
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite

    @staticmethod
    def create(
        data_reference_name: str | None = None,
        datapath: DataPath | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """A reference to what a DataPath names, brought to the script as the binding says."""
        if datapath is None or datapath.datastore is None:
            raise UserErrorException("DataReference.create needs a datapath that has a datastore.")
        binding = datapath_compute_binding
        return DataReference(
            datastore=datapath.datastore,
            data_reference_name=data_reference_name or datapath.name,
            path_on_datastore=datapath.path_on_datastore,
            mode=binding.mode if binding else "mount",
            path_on_compute=binding.path_on_compute if binding else None,
            overwrite=binding.overwrite if binding else False,
        )

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """A reference to something below this one."""
        joined = "/".join(part.strip("/") for part in (self.path_on_datastore, path) if part)
        return DataReference(self.datastore, data_reference_name, joined or None, self.mode)

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """The same data as a copy that belongs to the step."""
        return self._with_mode("download", path_on_compute, overwrite)

    def as_upload(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """A place that the script's output is copied to."""
        return self._with_mode("upload", path_on_compute, overwrite)

    def as_mount(self) -> DataReference:
        """The same data read where it lies."""
        return self._with_mode("mount", None, False)

    def to_config(self) -> DataReferenceConfiguration:
        """The reference as a run configuration writes it down."""
        return DataReferenceConfiguration(
            datastore_name=self.datastore.name,
            mode=self.mode,
            path_on_datastore=self.path_on_datastore,
            path_on_compute=self.path_on_compute,
            overwrite=self.overwrite,
        )

    def _with_mode(self, mode: str, path_on_compute: str | None, overwrite: bool) -> DataReference:
        return DataReference(
            self.datastore, self.data_reference_name, self.path_on_datastore, mode, path_on_compute, overwrite
        )

    def _to_source(self) -> PathSource:
        return path_source(self.datastore.name, self.path_on_datastore)

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self.data_reference_name}"

    def __repr__(self) -> str:
        return f"DataReference({self.datastore.name}/{self.path_on_datastore or ''}, mode={self.mode!r})"


def path_source(datastore_name: str, path: str | None) -> PathSource:
    """The graph's form of a file or folder on a datastore. Raises UserErrorException if the path leaves it."""
    return PathSource(
        location=DataLocation(datastore=datastore_name, path=clean_path(path or "", f"Datastore {datastore_name!r}"))
    )


def generated_name(datastore_name: str, path: str) -> str:
    """A name for unnamed data: readable, and with a digest so that two paths never share one."""
    last = path.rstrip("/").rsplit("/", 1)[-1] or datastore_name
    digest = hashlib.sha256(f"{datastore_name}/{path.strip('/')}".encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', last)[:40].strip('_') or 'data'}_{digest}"
