"""Run configurations: what to run, in which environment, on which compute target."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from airloom.core._config_element import ConfigElement, fill, to_document
from airloom.core.conda_dependencies import CondaDependencies
from airloom.core.container_registry import ContainerRegistry
from airloom.core.environment import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, Environment
from airloom.exceptions import RunConfigurationException, UserErrorException

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "CondaDependencies",
    "ContainerRegistry",
    "DataReferenceConfiguration",
    "DockerConfiguration",
    "EnvironmentDefinition",
    "HistoryConfiguration",
    "MpiConfiguration",
    "PyTorchConfiguration",
    "RunConfiguration",
    "TensorflowConfiguration",
]

EnvironmentDefinition = Environment

_FOLDERS = (".airloom", ".azureml", "aml_config")


@dataclass
class DockerConfiguration(ConfigElement):
    """Whether the job runs in a container, and with which options."""

    use_docker: bool = False
    shared_volumes: bool = True
    arguments: list[str] = field(default_factory=list)
    shm_size: str = "2g"


@dataclass
class HistoryConfiguration(ConfigElement):
    """What a run keeps. Airloom keeps the logs, the script's ./outputs folder and the snapshot of every run."""

    output_collection: bool = True
    snapshot_project: bool = True
    directories_to_watch: list[str] = field(default_factory=lambda: ["logs"])


@dataclass
class MpiConfiguration(ConfigElement):
    """An MPI job: how many processes on each of how many nodes."""

    process_count_per_node: int = 1
    node_count: int = 1


@dataclass
class TensorflowConfiguration(ConfigElement):
    """A TensorFlow job with parameter servers."""

    worker_count: int = 1
    parameter_server_count: int = 1


@dataclass
class PyTorchConfiguration(ConfigElement):
    """A torch.distributed job: backend `Nccl` or `Gloo`, processes in all, and nodes."""

    communication_backend: str = "Nccl"
    process_count: int | None = None
    node_count: int = 1


@dataclass
class DataReferenceConfiguration(ConfigElement):
    """A `DataReference` as a run configuration writes it down."""

    datastore_name: str | None = None
    mode: str = "mount"
    path_on_datastore: str | None = None
    path_on_compute: str | None = None
    overwrite: bool = False


@dataclass(init=False)
class RunConfiguration(ConfigElement):
    """Everything about a job except its data: script or command, environment, target, limits."""

    script: str | None
    arguments: list[Any]
    command: list[Any] | str | None
    framework: str
    communicator: str
    max_run_duration_seconds: int | None
    node_count: int
    priority: int | None
    credential_passthrough: bool
    source_directory_data_store: str | None
    history: HistoryConfiguration
    docker: DockerConfiguration
    mpi: MpiConfiguration
    tensorflow: TensorflowConfiguration
    pytorch: PyTorchConfiguration
    data_references: dict[str, Any]
    data: dict[str, Any]
    output_data: dict[str, Any]

    def __init__(
        self,
        script: str | None = None,
        arguments: list[Any] | None = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        command: list[Any] | str | None = None,
    ) -> None:
        if script is not None and command is not None:
            raise RunConfigurationException("A run configuration has either a script or a command, not both.")
        self._environment = Environment("run_configuration")
        self._target = "local"
        if conda_dependencies is not None:
            self._environment.python.conda_dependencies = conda_dependencies
        self.script, self.arguments, self.command = script, list(arguments or []), command
        self.framework, self.communicator = _title(framework or "Python"), communicator or "None"
        self.max_run_duration_seconds = self.priority = self.source_directory_data_store = None
        self.node_count, self.credential_passthrough = 1, False
        self.history, self.docker = HistoryConfiguration(), DockerConfiguration()
        self.mpi, self.tensorflow = MpiConfiguration(), TensorflowConfiguration()
        self.pytorch = PyTorchConfiguration()
        self.data_references, self.data, self.output_data = {}, {}, {}

    @property
    def environment(self) -> Environment:
        """The environment of the script. Changing it in place is allowed."""
        return self._environment

    @environment.setter
    def environment(self, environment: Environment) -> None:
        if not isinstance(environment, Environment):
            raise RunConfigurationException(
                f"The environment of a run configuration must be an Environment, not {type(environment).__name__}."
            )
        self._environment = environment

    @property
    def environment_variables(self) -> dict[str, str]:
        """The environment variables of `environment`."""
        return self._environment.environment_variables

    @environment_variables.setter
    def environment_variables(self, variables: dict[str, str]) -> None:
        self._environment.environment_variables = variables

    @property
    def target(self) -> str:
        """The name of the compute target; a compute target object may be assigned."""
        return self._target

    @target.setter
    def target(self, target: Any) -> None:
        self._target = target if isinstance(target, str) else str(target.name)

    def save(self, path: str | None = None, name: str | None = None, separate_environment_yaml: bool = False) -> str:
        """Write the configuration as YAML and return the file's path.

        A folder as `path` gives `<path>/.airloom/<name>.runconfig`; any other path is the file itself. With
        `separate_environment_yaml` the environment goes into `environment.yml` beside it.
        """
        target = Path(path or ".")
        if target.is_dir():
            target = target / ".airloom" / f"{name or 'local'}.runconfig"
        target.parent.mkdir(parents=True, exist_ok=True)
        document = {**to_document(self), "target": self._target}
        environment = self._environment._document()
        if separate_environment_yaml:
            (target.parent / "environment.yml").write_text(yaml.safe_dump(environment, sort_keys=False), "utf-8")
        document["environment"] = "environment.yml" if separate_environment_yaml else environment
        target.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return str(target)

    @staticmethod
    def load(path: str, name: str | None = None) -> RunConfiguration:
        """Read a configuration from a YAML file, or by name from the configuration folder of a project."""
        file = _find(Path(path), name)
        document = _read_yaml(file)
        environment = document.pop("environment", None)
        target = document.pop("target", None)
        configuration = RunConfiguration()
        fill(configuration, document, str(file))
        if isinstance(environment, str):
            file = file.parent / environment
            environment = _read_yaml(file)
        if environment is not None:
            configuration._environment = Environment._from_document(environment, str(file))
        if target is not None:
            configuration.target = target
        return configuration

    @staticmethod
    def delete(path: str, name: str) -> None:
        """Delete a configuration saved by name in the configuration folder of a project."""
        _find(Path(path), name).unlink()


def _title(framework: str) -> str:
    known = {"python": "Python", "pyspark": "PySpark", "cntk": "CNTK", "tensorflow": "TensorFlow", "pytorch": "PyTorch"}
    if framework.lower() not in known:
        raise RunConfigurationException(
            f"The framework {framework!r} is unknown; it may be {', '.join(sorted(known.values()))}."
        )
    return known[framework.lower()]


def _find(path: Path, name: str | None) -> Path:
    candidates = [path]
    if name is not None or path.is_dir():
        candidates = [path / folder / f"{name or 'local'}.runconfig" for folder in _FOLDERS]
        candidates.append(path / f"{name or 'local'}.runconfig")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise UserErrorException(f"There is no run configuration at {' or '.join(str(file) for file in candidates)}.")


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserErrorException(f"{file} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UserErrorException(f"{file} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise UserErrorException(f"{file} must hold a mapping.")
    return document
