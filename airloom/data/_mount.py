"""`FileDataset.mount()`: the files of a dataset in a local folder, for as long as they are needed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from airloom.exceptions import UserErrorException

if TYPE_CHECKING:
    from airloom.data.file_dataset import FileDataset


class MountContext:
    """The files of a dataset in a folder that is there from `start` to `stop`, or within a `with` block.

    They are copies which nobody can write to: no file system is mounted, so that nothing need be installed and nothing
    is left behind by a process that dies but files in a temporary folder.
    """

    def __init__(self, dataset: FileDataset, mount_point: str | None) -> None:
        self._dataset = dataset
        self._own = mount_point is None
        self._place = Path(mount_point or tempfile.mkdtemp(prefix="airloom-mount-"))
        self._started = False

    @property
    def mount_point(self) -> str:
        """The folder."""
        return str(self._place)

    def start(self) -> None:
        """Bring the files. Raises UserErrorException if the folder holds something else."""
        if self._started:
            return
        if self._place.exists() and (not self._place.is_dir() or any(self._place.iterdir())):
            raise UserErrorException(
                f"{self.mount_point!r} is not an empty folder, so no dataset can be mounted there."
            )
        self._started = True
        for path in self._dataset.download(self.mount_point):
            Path(path).chmod(0o444)

    def stop(self) -> None:
        """Remove the files, and the folder if it was made for them."""
        if self._started:
            for entry in self._place.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if self._own:
            shutil.rmtree(self._place, ignore_errors=True)
        self._started = False

    def __enter__(self) -> MountContext:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
