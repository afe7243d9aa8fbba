"""Where datasets come from: `Dataset.File` and `Dataset.Tabular`."""

from __future__ import annotations

import fnmatch
from typing import Any

from airloom.data import _transfer
from airloom.data._paths import PathLike, StoredPath, stored_paths
from airloom.data._tabular_factory import TabularDatasetFactory as TabularDatasetFactory
from airloom.data.abstract_dataset import target_path
from airloom.data.file_dataset import FileDataset
from airloom.exceptions import UserErrorException


class FileDatasetFactory:
    """Makes file datasets."""

    @staticmethod
    def from_files(
        path: PathLike, validate: bool = True, partition_format: str | None = None, is_file: bool = False
    ) -> FileDataset:
        """A dataset of the files at one or more paths on datastores; `*` and `**` are understood.

        A path is `datastore.path('images')`, `(datastore, 'images/**/*.png')` or a DataPath. With `validate`, a path
        that matches nothing is an error. `is_file` states that the path is a single file, which Airloom sees by
        itself. `partition_format`, such as `{country}/{day:yyyy/MM/dd}/data.csv`, names parts of the paths.
        """
        dataset = FileDataset(stored_paths(path, "Dataset.File.from_files"), partition_format)
        if validate:
            dataset._files()
        return dataset

    @staticmethod
    def upload_directory(
        src_dir: str, target: Any, pattern: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> FileDataset:
        """Upload a local folder, or what matches `pattern` in it, to a target and make a dataset of the target.

        `target` is a datastore, a pair (datastore, 'path') or a DataPath.
        """
        place = target_path(target, "The target of Dataset.File.upload_directory")
        files = _transfer.files_of(src_dir)
        if pattern is not None:
            files = [file for file in files if fnmatch.fnmatchcase(file.relative, pattern)]
        if not files:
            which = f" that matches {pattern!r}" if pattern is not None else ""
            raise UserErrorException(f"{src_dir!r} has no file to upload{which}.")
        _transfer.upload(place.datastore, files, place.path, overwrite=overwrite, show_progress=show_progress)
        return FileDataset((StoredPath(place.datastore, place.path),))
