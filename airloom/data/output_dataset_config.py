"""Outputs of steps that are files on a datastore."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from airloom.core._compat import ignored, not_yet, refuse_unless_default
from airloom.core._names import DATA_INPUT
from airloom.core._names import check_name as check_input_name
from airloom.data._clean import clean_path
from airloom.data._registered import check_name, checked_tags
from airloom.data._transformation_mixin import TransformationMixin
from airloom.data.data_reference import generated_name
from airloom.data.dataset_consumption_config import MOUNT_MODE, DatasetConsumptionConfig
from airloom.exceptions import UserErrorException

if TYPE_CHECKING:
    from airloom.graph.tables import TableReading

UPLOAD_MODE = "upload"

_numbers = itertools.count(1)


class RegistrationConfiguration(NamedTuple):
    """The dataset that an output should become when its run completes."""

    name: str
    description: str | None = None
    tags: dict[str, str] | None = None


class OutputDatasetConfig:
    """What all outputs of this kind share: a name, a mode, and a wish for registration.

    An output without a name is called after its destination, or else numbered in the order of making, so that the
    same script always gives the same pipeline and its steps can be reused.
    """

    def __init__(self, mode: str, name: str | None = None, **kwargs: Any) -> None:
        if kwargs:
            raise UserErrorException(f"OutputDatasetConfig does not know the argument(s) {', '.join(sorted(kwargs))}.")
        if mode not in (MOUNT_MODE, UPLOAD_MODE):
            raise UserErrorException(f"The mode of an output must be mount or upload, not {mode!r}.")
        self.mode = mode
        self._name = check_input_name(name if name is not None else f"output_{next(_numbers)}", DATA_INPUT)
        self.registration: RegistrationConfiguration | None = None
        self._producer: Any = None

    @property
    def name(self) -> str:
        """Name of the output."""
        return self._name

    def register_on_complete(
        self, name: str, description: str | None = None, tags: dict[str, str] | None = None
    ) -> OutputDatasetConfig:
        """Let the output become a version of a dataset when its step has succeeded; returns this object.

        Every run that writes other data adds a version; one that reuses the latest, or is tried again, adds none.
        """
        check_name(name)
        self.registration = RegistrationConfiguration(name, description, checked_tags(tags))
        return self

    def as_input(self, name: str | None = None) -> DatasetConsumptionConfig:
        """The output as input of another step, which reads it where it lies unless told otherwise."""
        return DatasetConsumptionConfig(name or self._name, self, MOUNT_MODE)


class OutputFileDatasetConfig(OutputDatasetConfig, TransformationMixin):
    """A folder that the script writes, kept on a datastore when the step ends.

    `destination` is a pair (datastore, path) or a datastore; without it, every run of the step has a folder of its
    own on the default datastore. In a path, `{run-id}` and `{output-name}` stand for the run and this output.
    `source` is the folder on the compute that the script writes to, for scripts that cannot be told a path.
    """

    def __init__(
        self, name: str | None = None, destination: Any = None, source: str | None = None, partition_format: Any = None
    ) -> None:
        refuse_unless_default("OutputFileDatasetConfig", {"partition_format": (partition_format, None)})
        self.datastore, self.path_on_datastore = _destination(destination)
        if name is None and self.path_on_datastore is not None:
            name = "output_" + generated_name(self.datastore.name, self.path_on_datastore)
        super().__init__(MOUNT_MODE, name)
        self.destination = destination
        self.source = source
        self.overwrite = False
        self._registered_as: TableReading | None = None

    def as_mount(self, disable_metadata_cache: bool = False) -> OutputFileDatasetConfig:
        """Let the script write where the data will lie; returns this object."""
        if disable_metadata_cache:
            ignored("OutputFileDatasetConfig.as_mount(disable_metadata_cache=...)", "there is no such cache.")
        self.mode = MOUNT_MODE
        return self

    def as_upload(self, overwrite: bool = False, source_globs: Any = None) -> OutputFileDatasetConfig:
        """Copy what the script wrote when it has ended; returns this object."""
        if source_globs is not None:
            raise not_yet("source_globs of OutputFileDatasetConfig.as_upload", "Let the script write only what counts.")
        self.mode, self.overwrite = UPLOAD_MODE, overwrite
        return self

    def __repr__(self) -> str:
        return f"OutputFileDatasetConfig(name={self._name!r}, mode={self.mode!r})"


def _destination(destination: Any) -> tuple[Any, str | None]:
    datastore, path = destination if isinstance(destination, tuple) and len(destination) == 2 else (destination, None)
    if datastore is not None and not isinstance(getattr(datastore, "name", None), str):
        raise UserErrorException(f"The destination of an output must be (datastore, 'path'), not {destination!r}.")
    if path is None:
        return datastore, None
    for placeholder in re.findall(r"{([^}]*)}", str(path)):
        if placeholder not in ("run-id", "output-name"):
            raise UserErrorException(
                f"The destination {path!r} may hold {{run-id}} and {{output-name}}, not {{{placeholder}}}."
            )
    return datastore, clean_path(path, "The destination of an output")
