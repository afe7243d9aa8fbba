"""Files of datasets inside a step: the runner made them ready."""

from __future__ import annotations

import os
import shutil
from typing import Any

from .errors import UserErrorException, not_offered


class StagedDataset:
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


class FileDataset(StagedDataset):
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
