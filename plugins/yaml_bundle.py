"""The DAG bundle of pipelines that are written as YAML and lie in a folder, such as Airflow's DAG folder.

Airflow looks for Python files only, and an error in one of them takes all DAGs of that file away. So each pipeline
file gets a loader of its own, which holds the text of the pipeline too: Airflow shows it as the code of the DAG, and
parses it anew when it changes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from airflow.configuration import conf
from airflow.dag_processing.bundles.base import BaseDagBundle

from airloom.plugins.loader_files import write_if_changed
from airloom.plugins.yaml_dags import SUFFIXES, dag_id_of_file, is_pipeline_file

log = logging.getLogger(__name__)

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
        for file in self._pipeline_files():
            loader = self.path / f"{file.relative_to(self.folder)}.py"
            loader.parent.mkdir(parents=True, exist_ok=True)
            dag_id = dag_id_of_file(file, self.folder)
            write_if_changed(loader, _text(file, dag_id, taken.get(dag_id)))
            taken.setdefault(dag_id, str(file))
            loaders.add(loader)
        for other in set(self.path.rglob("*.py")) - loaders:
            other.unlink(missing_ok=True)

    def get_current_version(self) -> None:
        """None: a pipeline file is as it lies there."""
        return None

    def _pipeline_files(self) -> Iterator[Path]:
        for file in sorted(self.folder.rglob("*")):
            if file.suffix not in SUFFIXES or any(part.startswith(".") for part in file.relative_to(self.folder).parts):
                continue
            try:
                if is_pipeline_file(file):
                    yield file
            except OSError as error:
                log.warning("%s cannot be read: %s", file, error)


def _text(file: Path, dag_id: str, taken_by: str | None) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").replace("\0", "\ufffd").splitlines()
    shown = "\n".join(f"# {line}".rstrip() for line in lines)
    return _LOADER.format(file=str(file), dag_id=dag_id, taken_by=taken_by, text=shown)
