"""The files that a run has left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airloom.errors import AirloomError
from airloom.exceptions import NotFoundException, UserErrorException
from airloom.graph.suggest import did_you_mean
from airloom.storage.paths import confined


class Artifacts:
    """Listing and downloading. A kind of run that leaves files says how to list and to open them."""

    def _list_artifacts(self) -> list[str]:
        """The paths of the files; none for a run that leaves none itself."""
        return []

    def _open_artifact(self, path: str) -> Iterator[bytes]:
        """The content of a file, in blocks."""
        raise NotFoundException(f"This run has no file {path!r}: its steps have.")

    def get_file_names(self) -> list[str]:
        """The paths of the files that the run has left, such as `outputs/model.pkl` and `logs/stdout.txt`."""
        return self._list_artifacts()

    def download_file(self, name: str, output_file_path: str | None = None) -> None:
        """Copy one file of the run; default is the working folder, under the file's own name.

        If `output_file_path` is a folder, or ends with a slash, the file goes into it.
        """
        present = self._list_artifacts()
        if name not in present:
            raise NotFoundException(f"The run has no file {name!r}. {did_you_mean(name, present)}")
        own_name = name.rsplit("/", 1)[-1]
        target = Path(output_file_path or own_name)
        if target.is_dir() or (output_file_path or "").endswith("/"):
            target = target / own_name
        self._save(name, target)

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | None = None,
        output_paths: list[str] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: int | None = None,
    ) -> None:
        """Copy all files of the run whose path begins with `prefix` into a folder (default: the working folder).

        With `append_prefix` the files keep their whole path, else the prefix is cut off. `output_paths` names a
        target for each file instead. `batch_size` and `timeout_seconds` are not needed here.
        """
        names = [name for name in self._list_artifacts() if name.startswith(prefix or "")]
        if output_paths is not None and len(output_paths) != len(names):
            raise UserErrorException(f"output_paths has {len(output_paths)} entries for {len(names)} files.")
        for index, name in enumerate(names):
            kept = name if append_prefix else name.removeprefix(prefix or "").lstrip("/") or name.rsplit("/", 1)[-1]
            if output_paths is not None:
                self._save(name, Path(output_paths[index]))
            else:
                self._save(name, _place(Path(output_directory or "."), kept))

    def _save(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            for block in self._open_artifact(name):
                stream.write(block)


def _place(folder: Path, relative: str) -> Path:
    # Scripts choose these names, and none of them may leave the folder that the user chose.
    try:
        return confined(folder, relative)
    except AirloomError as error:
        raise UserErrorException(str(error)) from error
