"""Makes the inputs of a step ready.

Data on local disks is used where it lies, or copied if the step asks for it. Data of remote datastores comes into the
content cache of this machine; the step gets links to it, or a copy if it asks for one. What is too large for the cache
comes to the step alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from airloom.errors import AlreadyExists
from airloom.runner.input_data import InputFile, Location, files_of, locations_of
from airloom.runner.queries import fetch_rows
from airloom.runner.spec import StagedInput
from airloom.storage.content_cache import ContentCache
from airloom.storage.content_shelf import Content, by_datastore, total_size
from airloom.storage.datastores import Download, FileInfo
from airloom.storage.disk_space import out_of_space, require_space
from airloom.storage.durable import remove_tree
from airloom.storage.paths import confined
from airloom.storage.workspace import WorkspaceStore

Files = dict[str, Path]
"""Files by their path within the input, with forward slashes."""

_READ_ONLY_FOLDER = 0o555


@dataclass(frozen=True)
class ReadyInput:
    """An input as the script finds it. `files` are listed only for what the script gets as a dataset."""

    spec: StagedInput
    path: Path
    files: Files = field(default_factory=dict)

    @property
    def argument(self) -> str:
        """What stands for the input in the script's arguments and environment."""
        return self.spec.dataset_id if self.spec.mode == "direct" else str(self.path)


class InputStager:
    """Stages inputs into `folder`; those with a path of their own choice below `working_folder`.

    `say` takes lines about the progress, `check` is called between files, from any thread, to raise if the step was
    cancelled. What inputs use of the cache is theirs until `close`.
    """

    def __init__(
        self,
        store: WorkspaceStore,
        cache: ContentCache,
        folder: Path,
        working_folder: Path,
        say: Callable[[str], None],
        check: Callable[[], None],
    ) -> None:
        self._store = store
        self._cache = cache
        self._folder = folder
        self._working_folder = working_folder
        self._say = say
        self._check = check
        self._in_use = ExitStack()

    def __enter__(self) -> InputStager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._in_use.close()

    def stage(self, spec: StagedInput) -> ReadyInput:
        """Make one input ready. Raises NotFound naming datastore and path if there is no data."""
        if spec.is_query:
            return self._queried(spec)
        locations = locations_of(self._store, spec)
        whole = locations[0] if len(locations) == 1 and locations[0].kind != "pattern" else None
        if whole is not None and whole.local_path is not None and spec.mode != "download":
            path = whole.local_path
            files = _local(files_of(locations)) if spec.is_dataset else {}
            if spec.path_on_compute is not None:
                path = _link(self._place(spec), path)
        else:
            path, files = self._laid_out(spec, locations, whole)
        self._say(f"input {spec.name}: {spec.mode} {_describe(spec)} at {path}")
        return ReadyInput(spec, path, files if spec.is_dataset else {})

    def _queried(self, spec: StagedInput) -> ReadyInput:
        path = fetch_rows(self._store, spec, self._place(spec), self._check)
        self._say(f"input {spec.name}: the rows of a query on {spec.paths[0].datastore} at {path}")
        return ReadyInput(spec, path, {path.name: path})

    def _laid_out(self, spec: StagedInput, locations: list[Location], whole: Location | None) -> tuple[Path, Files]:
        """The file or folder that is made for an input, and where its files lie."""
        files = files_of(locations)
        place = self._place(spec)
        is_file = whole is not None and whole.kind == "file"
        path = place / next(iter(files)) if is_file and spec.path_on_compute is None else place
        targets = {name: path if is_file else path / name for name in files}
        for folder in {path.parent if is_file else path, *(target.parent for target in targets.values())}:
            folder.mkdir(parents=True, exist_ok=True)
        sources = _local(files)
        remote = {name: file for name, file in files.items() if name not in sources}
        sources |= self._bring(spec, remote, targets)
        if spec.mode == "download":
            self._copy_all(sources, targets)
        else:
            for name, source in sources.items():
                _link(targets[name], source)
            if remote and not is_file:
                _make_read_only(path)
        return path, targets

    def _bring(self, spec: StagedInput, files: Mapping[str, InputFile], targets: Files) -> Files:
        """Bring files of remote datastores: into the cache, whose files are returned, or to their targets at once."""
        if not files:
            return {}
        contents = {name: Content.of(*file) for name, file in files.items()}
        fetched = self._in_use.enter_context(self._cache.in_use(list(contents.values()), self._check))
        if fetched is None:
            self._fetch(contents, targets)
            came = "downloaded for this step alone, as they do not fit into the cache of this machine"
        else:
            came = f"{fetched.downloaded} of them ({fetched.size} bytes) downloaded now"
        self._say(f"input {spec.name}: {len(files)} files of {total_size(contents.values())} bytes, {came}")
        return {name: fetched.path(content) for name, content in contents.items()} if fetched is not None else {}

    def _fetch(self, contents: Mapping[str, Content], targets: Files) -> None:
        def arrived(_: FileInfo) -> None:
            self._check()

        downloads: dict[int, list[Download]] = {}
        for name, content in contents.items():
            downloads.setdefault(id(content.datastore), []).append(Download(content.info, targets[name]))
        for group in by_datastore(contents.values()).values():
            require_space(self._folder.parent, total_size(group))
            with out_of_space(self._folder.parent, total_size(group)):
                group[0].datastore.fetch(downloads[id(group[0].datastore)], arrived)

    def _copy_all(self, sources: Files, targets: Files) -> None:
        size = sum(source.stat().st_size for source in sources.values())
        require_space(self._folder.parent, size)
        with out_of_space(self._folder.parent, size):
            for name, source in sources.items():
                self._check()
                shutil.copyfile(source, targets[name])

    def _place(self, spec: StagedInput) -> Path:
        """Where the input is put, if it is not used where it lies. Nothing is there yet."""
        if spec.path_on_compute is None:
            return confined(self._folder, spec.name)
        place = confined(self._working_folder, spec.path_on_compute)
        if place == self._working_folder or os.path.lexists(place):
            if not spec.overwrite or place == self._working_folder:
                raise AlreadyExists(
                    f"Input {spec.name!r} cannot be put at {spec.path_on_compute!r}: the step has something there.",
                    hint="Choose another path_on_compute, or set overwrite.",
                    target=spec.name,
                )
            remove_tree(place)
        return place


def _local(files: Mapping[str, InputFile]) -> Files:
    """Those of the files that lie on this machine's disk."""
    return {name: path for name, file in files.items() if (path := file.local_path) is not None}


def _link(link: Path, target: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    return link


def _make_read_only(root: Path) -> None:
    """Refuse new files in a tree of links."""
    for folder, _, _ in os.walk(root, topdown=False):
        os.chmod(folder, _READ_ONLY_FOLDER)


def _describe(spec: StagedInput) -> str:
    return ", ".join(f"{location.datastore}:{location.path or '/'}" for location in spec.paths)
