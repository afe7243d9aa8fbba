"""The DAG bundle of pipelines that are written as YAML and lie in a folder, such as Airflow's DAG folder.

Airflow looks for Python files only, and an error in one of them takes all DAGs of that file away. So each pipeline
file gets a loader of its own, which holds the text of the pipeline too: Airflow shows it as the code of the DAG, and
parses it anew when it changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle

from airloom.plugins.loader_files import write_if_changed
from airloom.plugins.yaml_dags import SUFFIXES, dag_id_of_file, pipeline_text

FileState: TypeAlias = "tuple[int, int]"

# Airflow's discovery parses a file only if it holds the words "airflow" and "DAG".
_LOADER = '''"""A DAG of airflow, made from a pipeline file."""

from airloom.plugins.yaml_dags import load_file

dag = load_file({file!r}, {dag_id!r}, taken_by={taken_by!r})

# The text of the file:
#
{text}
'''


class YamlDagBundle(BaseDagBundle):
    """All pipeline files below a folder, by default `[core] dags_folder`. Files and folders named `.*` are left out.

    Configure it in `[dag_processor] dag_bundle_config_list`; `folder` is its one argument.
    """

    supports_versioning = False

    def __init__(self, *, folder: str | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.folder = Path(folder or conf.get_mandatory_value("core", "dags_folder"))
        self._read: dict[Path, tuple[FileState, str | None]] = {}

    @property
    def path(self) -> Path:
        """The folder of the loader files."""
        return self.base_dir

    def initialize(self) -> None:
        """Write the loader files. A worker does so for each task, so that it needs nothing but the pipeline files."""
        self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Let there be a loader for each pipeline file, and no other."""
        self.path.mkdir(parents=True, exist_ok=True)
        loaders = set()
        taken: dict[str, str] = {}
        for file, text in self._pipeline_files():
            loader = self.path / f"{file.relative_to(self.folder)}.py"
            loader.parent.mkdir(parents=True, exist_ok=True)
            dag_id = dag_id_of_file(file, self.folder)
            write_if_changed(loader, _loader_text(file, text, dag_id, taken.get(dag_id)))
            taken.setdefault(dag_id, str(file))
            loaders.add(loader)
        for other in set(self.path.rglob("*.py")) - loaders:
            other.unlink(missing_ok=True)

    def get_current_version(self) -> None:
        """None: a pipeline file is as it lies there."""
        return None

    def _pipeline_files(self) -> Iterator[tuple[Path, str]]:
        """The pipeline files with their texts, in the same order every time."""
        found = dict(sorted(self._yaml_files()))
        self._read = {file: self._read[file] for file in self._read.keys() & found.keys()}
        for file, state in found.items():
            if file not in self._read or self._read[file][0] != state:
                self._read[file] = (state, pipeline_text(file))
            text = self._read[file][1]
            if text is not None:
                yield file, text

    def _yaml_files(self) -> Iterator[tuple[Path, FileState]]:
        """All YAML with what tells whether it has changed, so that nothing is read again and again."""
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                file = Path(folder, name)
                if file.suffix in SUFFIXES and not name.startswith("."):
                    with suppress(OSError):  # it is gone, or a link that leads nowhere
                        stat = file.stat()
                        yield file, (stat.st_mtime_ns, stat.st_size)


def _loader_text(file: Path, text: str, dag_id: str, taken_by: str | None) -> str:
    lines = text.replace("\0", "\ufffd").splitlines()
    shown = "\n".join(f"# {line}".rstrip() for line in lines)
    return _LOADER.format(file=str(file), dag_id=dag_id, taken_by=taken_by, text=shown)
