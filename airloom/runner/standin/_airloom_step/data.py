"""Datasets inside a step: the files that the runner made ready, with the SDK's ways to read them."""

from __future__ import annotations

import os
import shutil
from typing import Any

from .errors import UserErrorException, not_offered


class _StagedDataset:
    """Data of one input. `files` pairs each file's path in the dataset with the place where it lies."""

    def __init__(self, staged: dict[str, Any]) -> None:
        self._staged = staged
        self.name = staged["name"]
        self.id = staged["digest"]
        self._files = [(relative, path) for relative, path in staged["files"]]

    def __getattr__(self, name: str) -> Any:
        raise not_offered(type(self).__name__, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, files={len(self._files)})"


class MountContext:
    """The dataset as a folder (or a single file); nothing needs to be started, the data is there already."""

    def __init__(self, mount_point: str) -> None:
        self.mount_point = mount_point

    def start(self) -> None:
        """The data is there already."""

    def stop(self) -> None:
        """The data stays until the step ends."""

    def __enter__(self) -> str:
        return self.mount_point

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


class FileDataset(_StagedDataset):
    """A set of files."""

    def to_path(self) -> list[str]:
        """Paths of the files within the dataset, each beginning with a slash."""
        return ["/" + relative for relative, _ in self._files]

    def download(self, target_path: str | None = None, overwrite: bool = False, **kwargs: Any) -> list[str]:
        """Copy all files into a folder; the paths of the copies."""
        target = target_path or os.path.join(os.getcwd(), "downloads", self.name)
        copies = []
        for relative, path in self._files:
            copy = os.path.join(target, relative)
            if os.path.exists(copy) and not overwrite:
                raise UserErrorException(f"{copy} exists; pass overwrite=True to replace it.")
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copyfile(path, copy)
            copies.append(copy)
        return copies

    def mount(self, mount_point: str | None = None, **kwargs: Any) -> MountContext:
        """The files as a folder. A place of one's own choice is made as a link to it."""
        if mount_point is None:
            return MountContext(self._staged["path"])
        os.makedirs(os.path.dirname(os.path.abspath(mount_point)), exist_ok=True)
        os.symlink(self._staged["path"], mount_point)
        return MountContext(mount_point)


class TabularDataset(_StagedDataset):
    """Delimited text files as one table."""

    def to_pandas_dataframe(self, **kwargs: Any) -> Any:
        """Read all files into one DataFrame. Needs pandas in the step's environment."""
        try:
            import pandas
        except ImportError as error:
            raise UserErrorException("pandas is missing: add it to the packages of the step's environment.") from error
        options = self._staged["tabular"]
        frames = [
            pandas.read_csv(
                path,
                sep=options["separator"],
                header=0 if options["header"] else None,
                encoding=options["encoding"],
                low_memory=False,
            )
            for _, path in self._files
        ]
        frame = pandas.concat(frames, ignore_index=True) if len(frames) != 1 else frames[0]
        if not options["header"]:
            frame.columns = [f"Column{number}" for number in range(1, len(frame.columns) + 1)]
        if options["keep_columns"] is not None:
            frame = frame[list(options["keep_columns"])]
        return frame

    def keep_columns(self, columns: str | list[str], validate: bool = False) -> TabularDataset:
        """The same table with these columns only."""
        names = [columns] if isinstance(columns, str) else list(columns)
        options = dict(self._staged["tabular"], keep_columns=names)
        return TabularDataset(dict(self._staged, tabular=options))


def staged_dataset(staged: dict[str, Any]) -> FileDataset | TabularDataset:
    """The dataset object for what the runner staged."""
    return TabularDataset(staged) if staged["kind"] == "tabular" else FileDataset(staged)


class _DatasetNames(type):
    def __getattr__(cls, name: str) -> Any:
        raise not_offered("Dataset", name, "Pass the dataset as an input of the step; see Run.input_datasets.")


class Dataset(metaclass=_DatasetNames):
    """Finds datasets among the inputs of the step."""

    @staticmethod
    def get_by_id(workspace: Any, id: str, **kwargs: Any) -> FileDataset | TabularDataset:
        """The input dataset with this id: what an argument of mode `direct` holds."""
        from .run import Run

        for staged in Run.get_context()._inputs():
            if staged["digest"] == id:
                return staged_dataset(staged)
        raise UserErrorException(f"No input of this step is the dataset {id!r}. Pass it as an input.")
