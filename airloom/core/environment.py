"""Environments: what a step's script needs around it - Python packages, variables, perhaps a container image."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core._compat import not_yet, refuse_unless_default, unknown_keywords
from airloom.core._config_element import ConfigElement, fill, to_document
from airloom.core.conda_dependencies import CondaDependencies, read_conda_file
from airloom.core.container_registry import ContainerRegistry
from airloom.exceptions import UserErrorException
from airloom.graph.suggest import did_you_mean

if TYPE_CHECKING:
    from airloom.core.workspace import Workspace

__all__ = [
    "CondaDependencies",
    "DockerEnvironment",
    "DockerSection",
    "Environment",
    "PythonEnvironment",
    "PythonSection",
]

DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04"

_ENVIRONMENT_FILE = "azureml_environment.json"
_CONDA_FILE = "conda_dependencies.yml"


@dataclass
class DockerSection(ConfigElement):
    """The container image of an environment. It counts on computes that run containers.

    `enabled`, `gpu_support`, `shared_volumes`, `arguments` and `shm_size` are older spellings of what
    `airloom.core.runconfig.DockerConfiguration` says.
    """

    base_image: str | None = DEFAULT_CPU_IMAGE
    base_dockerfile: str | None = None
    build_context: Any = None
    base_image_registry: ContainerRegistry = field(default_factory=ContainerRegistry)
    enabled: bool = False
    gpu_support: bool | None = None
    shared_volumes: bool = True
    arguments: list[str] = field(default_factory=list)
    shm_size: str | None = None


@dataclass
class PythonSection(ConfigElement):
    """The Python of an environment.

    With `user_managed_dependencies` the interpreter at `interpreter_path` is taken as it is; otherwise Airloom makes
    an environment with the packages of `conda_dependencies`.
    """

    user_managed_dependencies: bool = False
    interpreter_path: str = "python"
    conda_dependencies: CondaDependencies = field(default_factory=CondaDependencies)
    base_conda_environment: str | None = None
    _conda_dependencies_file: str | None = field(default=None, repr=False)

    @property
    def conda_dependencies_file(self) -> str | None:
        """The file the packages were read from; setting it reads that file."""
        return self._conda_dependencies_file

    @conda_dependencies_file.setter
    def conda_dependencies_file(self, path: str | None) -> None:
        self._conda_dependencies_file = path
        if path is not None:
            self.conda_dependencies = CondaDependencies(path)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "conda_dependencies" and isinstance(value, dict):
            value = CondaDependencies._from_document(value, "conda_dependencies")
        super().__setattr__(name, value)


DockerEnvironment = DockerSection
PythonEnvironment = PythonSection


class Environment:
    """A named environment, to be given to a run configuration.

    Environments live in the code that makes them: this version does not register them in the workspace. Steps with
    equal environments share one installation whatever the environments' names, which is what registering was for.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        unknown_keywords("Environment", kwargs)
        if not isinstance(name, str) or not name:
            raise UserErrorException(f"An environment needs a name, a non-empty string, not {name!r}.")
        self.name = name
        self.version: str | None = None
        self.python = PythonSection()
        self.docker = DockerSection()
        self._variables: dict[str, str] = {}

    @property
    def environment_variables(self) -> dict[str, str]:
        """Environment variables set for the script."""
        return self._variables

    @environment_variables.setter
    def environment_variables(self, variables: dict[str, str]) -> None:
        self._variables = {str(name): str(value) for name, value in variables.items()}

    @staticmethod
    def from_conda_specification(name: str, file_path: str) -> Environment:
        """An environment with the packages of a conda environment file."""
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies(file_path)
        return environment

    @staticmethod
    def from_pip_requirements(name: str, file_path: str, pip_version: str | None = None) -> Environment:
        """An environment with the packages of a pip requirements file."""
        refuse_unless_default("Environment.from_pip_requirements", {"pip_version": (pip_version, None)})
        try:
            lines = Path(file_path).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UserErrorException(f"The requirements file {file_path} cannot be read: {error.strerror}.") from error
        environment = Environment(name)
        environment.python.conda_dependencies.set_pip_requirements(lines)
        return environment

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: str | None = None,
        pip_requirements: str | None = None,
    ) -> Environment:
        """An environment in a container image.

        Without a conda file or a requirements file, the image's own Python serves.
        """
        if conda_specification is not None and pip_requirements is not None:
            raise UserErrorException("Give either conda_specification or pip_requirements, not both.")
        if conda_specification is not None:
            environment = Environment.from_conda_specification(name, conda_specification)
        elif pip_requirements is not None:
            environment = Environment.from_pip_requirements(name, pip_requirements)
        else:
            environment = Environment(name)
            environment.python.user_managed_dependencies = True
        environment.docker.base_image = image
        environment.docker.base_image_registry = container_registry or ContainerRegistry()
        return environment

    def register(self, workspace: Workspace) -> Environment:
        """Not there yet: raises, and says how to share an environment in the meantime."""
        raise _no_registry(f"Registering the environment {self.name!r}")

    @staticmethod
    def get(workspace: Workspace, name: str, version: str | None = None, label: str | None = None) -> Environment:
        """Not there yet: raises, and says how to share an environment in the meantime."""
        raise _no_registry(f"The registered or curated environment {name!r}")

    @staticmethod
    def list(workspace: Workspace) -> dict[str, Environment]:
        """Not there yet: raises, and says how to share an environment in the meantime."""
        raise _no_registry("A list of registered environments")

    def clone(self, new_name: str) -> Environment:
        """An independent copy under another name."""
        twin = copy.deepcopy(self)
        twin.name, twin.version = new_name, None
        return twin

    def save_to_directory(self, path: str, overwrite: bool = False) -> None:
        """Write the environment as `azureml_environment.json` and `conda_dependencies.yml` into a folder."""
        folder = Path(path)
        if (folder / _ENVIRONMENT_FILE).exists() and not overwrite:
            raise UserErrorException(f"{folder / _ENVIRONMENT_FILE} exists. Pass overwrite=True to replace it.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _ENVIRONMENT_FILE).write_text(json.dumps(self._document(), indent=4) + "\n", encoding="utf-8")
        self.python.conda_dependencies.save(str(folder / _CONDA_FILE))

    @staticmethod
    def load_from_directory(path: str) -> Environment:
        """Read an environment that `save_to_directory` wrote; an edited `conda_dependencies.yml` counts."""
        file = Path(path) / _ENVIRONMENT_FILE
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserErrorException(f"{file} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise UserErrorException(f"{file} is not JSON: {error}") from error
        environment = Environment._from_document(document, str(file))
        conda = Path(path) / _CONDA_FILE
        if conda.exists():
            environment.python.conda_dependencies = CondaDependencies._from_document(read_conda_file(conda), str(conda))
        return environment

    def __repr__(self) -> str:
        return f"Environment(name={self.name!r}, {self.python.conda_dependencies!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Environment) and self._document() == other._document()

    __hash__ = None  # type: ignore[assignment]  # mutable: equal today need not be equal tomorrow

    def _document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "environmentVariables": dict(self._variables),
            "python": to_document(self.python),
            "docker": to_document(self.docker),
        }

    @staticmethod
    def _from_document(document: dict[str, Any], source: str) -> Environment:
        known = {"name", "version", "environmentVariables", "python", "docker"}
        for key in document:
            if key not in known:
                raise UserErrorException(f"{source}: an environment has no key {key!r}. {did_you_mean(key, known)}")
        environment = Environment(str(document.get("name") or "environment"))
        environment.version = document.get("version")
        environment.environment_variables = document.get("environmentVariables") or {}
        fill(environment.docker, document.get("docker") or {}, source)
        python = dict(document.get("python") or {})
        file = python.pop("condaDependenciesFile", None)
        if file is not None:
            environment.python.conda_dependencies_file = str(Path(source).parent / file)
        fill(environment.python, python, source)
        return environment


def _no_registry(what: str) -> UserErrorException:
    return not_yet(
        what,
        "Make the environment in code, with Environment.from_conda_specification or Environment.from_pip_requirements, "
        "and keep its file beside the pipeline.",
    )
