"""Where datasets come from: `Dataset.File` and `Dataset.Tabular`."""

from __future__ import annotations

import fnmatch
from typing import Any

from airloom.core._compat import refuse_unless_default
from airloom.data import _transfer
from airloom.data._paths import PathLike, StoredPath, stored_paths
from airloom.data.abstract_dataset import target_path
from airloom.data.file_dataset import FileDataset
from airloom.data.tabular_dataset import Format, TabularDataset
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
        itself.
        """
        refuse_unless_default("Dataset.File.from_files", {"partition_format": (partition_format, None)})
        dataset = FileDataset(stored_paths(path, "Dataset.File.from_files"))
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


class TabularDatasetFactory:
    """Makes tabular datasets."""

    @staticmethod
    def from_delimited_files(
        path: PathLike,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: dict[str, Any] | None = None,
        separator: str = ",",
        header: bool = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
        """A table in delimited text files at one or more paths on datastores; `*` and `**` are understood.

        With `header`, the first line of every file names the columns. Quoted values may always span lines, whatever
        `support_multi_line` says. With `validate`, a path that matches nothing is an error.
        """
        refuse_unless_default(
            "Dataset.Tabular.from_delimited_files",
            {
                "include_path": (include_path, False),
                "set_column_types": (set_column_types or None, None),
                "partition_format": (partition_format, None),
                "empty_as_string": (empty_as_string, False),
            },
            "Do it on the DataFrame.",
        )
        if not isinstance(header, bool):
            raise UserErrorException(f"header must be True (each file has one) or False (none has), not {header!r}.")
        form = Format(separator, header, _encoding(encoding), infer_column_types)
        dataset = TabularDataset(stored_paths(path, "Dataset.Tabular.from_delimited_files"), form)
        if validate:
            dataset._files()
        return dataset


# v1's names of encodings, and Python's.
_ENCODINGS = {
    "utf8": "utf8",
    "iso88591": "iso8859-1",
    "latin1": "iso8859-1",
    "ascii": "ascii",
    "utf16": "utf-16",
    "utf8bom": "utf-8-sig",
    "windows1252": "cp1252",
}


def _encoding(name: str) -> str:
    if name not in _ENCODINGS:
        raise UserErrorException(f"The encoding must be one of {', '.join(_ENCODINGS)}, not {name!r}.")
    return _ENCODINGS[name]
