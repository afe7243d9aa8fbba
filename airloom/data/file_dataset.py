"""Datasets of files, whatever is in them."""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airloom.core._compat import not_yet, unknown_keywords
from airloom.data import _transfer
from airloom.data._file_filter import FileExpression
from airloom.data._mount import MountContext
from airloom.data._paths import StoredPath
from airloom.data.abstract_dataset import AbstractDataset, DatasetFile
from airloom.data.dataset_consumption_config import DatasetConsumptionConfig
from airloom.errors import AirloomError
from airloom.exceptions import AlreadyExistsException, UserErrorException
from airloom.graph.model import FilesSource

if TYPE_CHECKING:
    from airloom.tabular.partitions import PartitionFormat


class FileDataset(AbstractDataset):
    """The files that match one or more paths on datastores.

    `partition_format` names parts of the paths, which the files can be chosen by: `dataset["country"] == "it"`.
    """

    def __init__(self, paths: tuple[StoredPath, ...] = (), partition_format: str | None = None) -> None:
        super().__init__(paths)
        self._partition_format = partition_format
        self._partitions()

    def to_path(self) -> list[str]:
        """The paths of the files within the dataset, each with a leading slash."""
        return [f"/{file.relative}" for file in self._files()]

    def download(
        self, target_path: str | None = None, overwrite: bool = False, ignore_not_found: bool = False
    ) -> list[str]:
        """Copy the files into a local folder (default: a new temporary one) and return their local paths.

        A file that is there already is an error unless `overwrite` is True; a dataset without files is one unless
        `ignore_not_found` is True.
        """
        try:
            files = self._files()
        except UserErrorException:
            if ignore_not_found:
                return []
            raise
        folder = target_path or tempfile.mkdtemp(prefix="airloom-dataset-")
        return _download(files, folder, overwrite)

    def mount(self, mount_point: str | None = None, **kwargs: Any) -> MountContext:
        """The files in a local folder, by default a new temporary one, from `start()` to `stop()` or in a `with` block.

        They are read-only copies.
        """
        unknown_keywords("FileDataset.mount", {name: value for name, value in kwargs.items() if value is not None})
        return MountContext(self, mount_point)

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The dataset as input of a step, which gets the path of a folder with the files."""
        return self.as_named_input(self._input_name()).as_mount(path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The dataset as input of a step, which gets the path of a folder with copies of the files."""
        return self.as_named_input(self._input_name()).as_download(path_on_compute)

    def as_hdfs(self) -> DatasetConsumptionConfig:
        """Raises UserErrorException: there are no Spark pools to read with."""
        raise not_yet("The HDFS mode of inputs", "Use as_mount() or as_download().")

    def take(self, count: int) -> FileDataset:
        """A dataset of the first `count` files that match now."""
        return self._of(self._files()[: _count(count)])

    def skip(self, count: int) -> FileDataset:
        """A dataset of all files that match now but the first `count`."""
        return self._of(self._files()[_count(count) :])

    def take_sample(self, probability: float, seed: int | None = None) -> FileDataset:
        """A dataset of the files that match now, each taken with this probability; a seed makes it repeatable."""
        _check_fraction(probability, "probability")
        chance = random.Random(seed)
        return self._of([file for file in self._files() if chance.random() < probability])

    def random_split(self, percentage: float, seed: int | None = None) -> tuple[FileDataset, FileDataset]:
        """Two datasets that share out the files that match now, the first with about this fraction of them."""
        _check_fraction(percentage, "percentage")
        chance = random.Random(seed)
        first: list[DatasetFile] = []
        second: list[DatasetFile] = []
        for file in self._files():
            (first if chance.random() < percentage else second).append(file)
        return self._of(first), self._of(second)

    def file_metadata(self, col: str) -> FileExpression:
        """A property of each file to filter by: Size in bytes, LastModifiedTime, Extension or CanSeek."""
        return FileExpression.of_metadata(col)

    @property
    def partition_keys(self) -> list[str]:
        """The parts of the paths that the partition format names."""
        partitions = self._partitions()
        return [] if partitions is None else list(partitions.columns)

    def get_partition_key_values(self, partition_keys: list[str] | None = None) -> list[dict[str, Any]]:
        """Each combination of values that the files which match now have, for all keys or for these."""
        wanted = self.partition_keys if partition_keys is None else partition_keys
        self._check_keys(wanted)
        files = self._files() if wanted else []
        found = dict.fromkeys(tuple(self._value_of(file, key) for key in wanted) for file in files)
        return [dict(zip(wanted, values, strict=True)) for values in found]

    def __getitem__(self, key: str) -> FileExpression:
        """A part of each file's path, by its name in the partition format, to filter by."""
        self._check_keys([key])
        return FileExpression(key, lambda file: self._value_of(file, key))

    def _partitions(self) -> PartitionFormat | None:
        if self._partition_format is None:
            return None
        from airloom.tabular.partitions import PartitionFormat

        try:
            return PartitionFormat(self._partition_format)
        except AirloomError as error:
            raise UserErrorException(str(error)) from error

    def _value_of(self, file: DatasetFile, key: str) -> Any:
        partitions = self._partitions()
        try:
            value = partitions.values(file.place.path)[key] if partitions is not None else None
        except AirloomError as error:
            raise UserErrorException(str(error)) from error
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value

    def _check_keys(self, wanted: list[str]) -> None:
        known = self.partition_keys
        for key in wanted:
            if key not in known:
                raise UserErrorException(f"{self!r} has the partition keys {known}, not {key!r}.")

    def filter(self, expression: FileExpression) -> FileDataset:
        """A dataset of the files that match now and meet a condition, such as `d.file_metadata("Size") > 1000`."""
        if not isinstance(expression, FileExpression):
            raise UserErrorException(
                f"filter() needs a condition such as dataset.file_metadata('Size') > 1000, not {expression!r}."
            )
        return self._of([file for file in self._files() if expression.holds(file)])

    def _of(self, files: list[DatasetFile]) -> FileDataset:
        if not files:
            raise UserErrorException(f"No file of {self!r} is left, and a dataset needs at least one.")
        return FileDataset(tuple(file.place for file in files), self._partition_format)

    def _to_source(self) -> FilesSource:
        places = tuple(path.location for path in self._paths)
        return FilesSource(locations=places, partition_format=self._partition_format)


def _download(files: list[DatasetFile], folder: str, overwrite: bool) -> list[str]:
    paths: list[str] = []
    by_datastore: dict[str, list[DatasetFile]] = {}
    for file in files:
        by_datastore.setdefault(file.place.datastore.name, []).append(file)
    for group in by_datastore.values():
        places: list[tuple[dict[str, Any], str]] = [
            ({"path": file.place.path, "size": file.size}, file.relative) for file in group
        ]
        copied = _transfer.fetch(group[0].place.datastore, places, folder, overwrite=overwrite, show_progress=False)
        if len(copied) < len(places):
            raise AlreadyExistsException(
                f"{len(places) - len(copied)} file(s) are in {folder!r} already. Pass overwrite=True to replace them."
            )
        paths += [str(path) for path in copied]
    return paths


def _count(count: int) -> int:
    if not isinstance(count, int) or count < 0:
        raise UserErrorException(f"count must be a number of files, not {count!r}.")
    return count


def _check_fraction(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise UserErrorException(f"{name} must lie between 0 and 1, not be {value!r}.")
