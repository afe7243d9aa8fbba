"""Where a pipeline's graph comes from: steps made in Python, or a YAML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airloom.core.dataset import Dataset
from airloom.core.run_settings import run_settings
from airloom.core.runconfig import RunConfiguration
from airloom.exceptions import UserErrorException
from airloom.graph.model import DataSource, PipelineGraph, PythonScriptSettings
from airloom.pipeline.core._build import BuildContext, build_graph
from airloom.pipeline.core._checks import datastore_name
from airloom.pipeline.core._data import data_source
from airloom.pipeline.core._layout import lay_out
from airloom.pipeline.core._snapshots import Snapshots, counting_paths, find_source_directory, normal_path

if TYPE_CHECKING:
    from airloom.graph.yaml import PipelineFile, RunConfig


class Definition(Protocol):
    """Makes the graph of a pipeline, again whenever it is asked, so that changed files are seen."""

    def build(self, snapshots: Snapshots) -> PipelineGraph:
        """The graph; source folders are read through `snapshots`."""

    def source_directories(self) -> dict[str, str]:
        """The source folder of each step, by step id."""


class StepsDefinition:
    """A pipeline of step objects."""

    def __init__(
        self,
        steps: Any,
        description: str,
        default_datastore: Any,
        default_source_directory: str | None,
        resolve_closure: bool,
    ) -> None:
        self._layout = lay_out(steps, resolve_closure)
        self._description = description
        self._datastore = datastore_name(default_datastore, "the pipeline")
        self._folder = None if default_source_directory is None else Path(default_source_directory)

    def build(self, snapshots: Snapshots) -> PipelineGraph:
        """The graph; source folders are read through `snapshots`."""
        context = BuildContext(snapshots, self._folder, self._datastore)
        return build_graph(self._layout, context, self._description)

    def source_directories(self) -> dict[str, str]:
        """The source folder of each step, by step id."""
        found = {self._layout.ids[step]: step._source_folder(self._folder) for step in self._layout.steps}
        return {step_id: str(folder) for step_id, folder in found.items() if folder is not None}


class YamlDefinition:
    """A pipeline that was loaded from a YAML file."""

    def __init__(self, workspace: Any, file: str) -> None:
        self._workspace = workspace
        self._file = os.path.abspath(file)
        self._snapshots = Snapshots()
        self._folders: dict[str, str] = {}

    def build(self, snapshots: Snapshots) -> PipelineGraph:
        """The graph; the file and the source folders are read anew."""
        return self.read(snapshots).graph

    def read(self, snapshots: Snapshots) -> PipelineFile:
        """All that the file holds."""
        from airloom.graph.yaml import read_file  # YAML is read and written by few

        self._snapshots = snapshots
        return read_file(self._file, self)

    def source_directories(self) -> dict[str, str]:
        """None: relative paths of the file would mean something else in another place."""
        return {}

    def snapshot(self, folder: Path | None, script_name: str, hash_paths: tuple[str, ...]) -> PythonScriptSettings:
        """Script, digest and counting paths of a source folder; None stands for the working directory."""
        source = find_source_directory(None if folder is None else str(folder), None, script_name, "the step")
        script = normal_path(source, script_name, "The script of the step")
        counting = counting_paths(source, script, hash_paths, "the step")
        digest = self._snapshots.digest(source, script, counting)
        return PythonScriptSettings(script_name=script, snapshot=digest, hash_paths=counting)

    def run_config(self, file: Path) -> RunConfig:
        """The content of a run configuration file."""
        from airloom.graph.yaml import RunConfig

        settings = run_settings(RunConfiguration.load(str(file)))
        return RunConfig(settings.environment, settings.timeout_seconds, settings.target)

    def dataset(self, reference: dict[str, Any]) -> DataSource:
        """A registered dataset, by name and version, or by id."""
        if reference.get("dataset_id") is not None:
            return data_source(Dataset.get_by_id(self._workspace, str(reference["dataset_id"])))
        name = reference.get("dataset_name")
        if name is None:
            raise UserErrorException("The data reference names no dataset.")
        version = reference.get("dataset_version")
        return data_source(Dataset.get_by_name(self._workspace, str(name), "latest" if version is None else version))
