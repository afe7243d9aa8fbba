"""Conda and pip packages of a step's Python environment, in the shape of a conda environment file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from airloom.core._compat import ignored
from airloom.exceptions import UserErrorException

PYTHON_DEFAULT_VERSION = "3.8.13"
"""The version that v1 names when the user names none. Airloom then takes the worker's own Python instead."""

CPU = "cpu"
GPU = "gpu"

_DEFAULT_PIP_PACKAGES = ("azureml-defaults",)
_NAME = re.compile(r"^(?:[^:\s]+::)?\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def package_name(requirement: str) -> str:
    """The normalised name of a conda or pip requirement; a pip option or a URL is its own name."""
    match = _NAME.match(requirement.strip())
    return re.sub(r"[-_.]+", "-", match.group(1)).lower() if match and "://" not in requirement else requirement


class CondaDependencies:
    """A mutable list of conda packages, pip packages, channels and pip options.

    Python itself is written down only when the user asks for a version (`set_python_version`, `python_version=` of
    `create`, or a `python=` line of a file): the default of v1 is too old to be forced on anybody.
    """

    def __init__(self, conda_dependencies_file_path: str | None = None) -> None:
        self._name = "project_environment"
        self._channels: list[str] = ["anaconda", "conda-forge"]
        self._python: str | None = None
        self._conda: list[str] = []
        self._pip: list[str] = list(_DEFAULT_PIP_PACKAGES)
        self._pip_options: list[str] = []
        if conda_dependencies_file_path is not None:
            self._read(read_conda_file(conda_dependencies_file_path), str(conda_dependencies_file_path))

    @classmethod
    def _from_document(cls, document: dict[str, Any], source: str) -> CondaDependencies:
        dependencies = cls()
        dependencies._read(document, source)
        return dependencies

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: list[str] | None = None,
        conda_packages: list[str] | None = None,
        python_version: str = PYTHON_DEFAULT_VERSION,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """Dependencies with the given packages; one of conda's `python=...` counts as a choice of version."""
        dependencies = CondaDependencies()
        if python_version != PYTHON_DEFAULT_VERSION:
            dependencies.set_python_version(python_version)
        for package in conda_packages or []:
            dependencies.add_conda_package(package)
        for package in pip_packages or []:
            dependencies.add_pip_package(package)
        if pip_indexurl is not None:
            dependencies.set_pip_index_url(pip_indexurl)
        if not pin_sdk_version:
            ignored("CondaDependencies.create(pin_sdk_version=...)", "the SDK's own packages are never installed.")
        return dependencies

    @staticmethod
    def merge_requirements(requirements: Iterable[str]) -> list[str]:
        """Join the version specifiers of requirements on the same package: `["a", "a==1"]` becomes `["a==1"]`."""
        from packaging.requirements import Requirement

        merged: dict[str, Requirement] = {}
        for text in requirements:
            requirement = Requirement(text)
            known = merged.setdefault(package_name(requirement.name), requirement)
            known.specifier &= requirement.specifier
            known.extras |= requirement.extras
        return [str(requirement) for requirement in merged.values()]

    @property
    def conda_channels(self) -> Iterator[str]:
        """The channels, most preferred first. Kept for saved files: packages come from the Python index."""
        return iter(list(self._channels))

    @property
    def conda_packages(self) -> Iterator[str]:
        """The conda packages, with `python=...` first if the user chose a version."""
        python = [f"python={self._python}"] if self._python else []
        return iter([*python, *self._conda])

    @property
    def pip_packages(self) -> Iterator[str]:
        """The pip packages."""
        return iter(list(self._pip))

    @property
    def pip_options(self) -> Iterator[str]:
        """The pip options, such as `--index-url ...`."""
        return iter(list(self._pip_options))

    def get_default_number_of_packages(self) -> int:
        """How many pip packages are there before the user adds any."""
        return len(_DEFAULT_PIP_PACKAGES)

    def get_python_version(self) -> str:
        """The version the user chose, else v1's default (which Airloom does not force)."""
        return self._python or PYTHON_DEFAULT_VERSION

    def set_python_version(self, version: str) -> None:
        """Ask for this Python version, such as `"3.11"`."""
        self._python = str(version)

    def add_channel(self, channel: str) -> None:
        """Add a conda channel; one that is there already stays where it is."""
        if channel not in self._channels:
            self._channels.append(channel)

    def remove_channel(self, channel: str) -> None:
        """Remove a conda channel if it is there."""
        self._channels = [known for known in self._channels if known != channel]

    def add_conda_package(self, conda_package: str) -> None:
        """Add a conda package such as `numpy` or `numpy=1.26`; it replaces one of the same name."""
        text = _stripped(conda_package, "conda package")
        python = re.fullmatch(r"python\s*(?:=|==|\s)\s*([0-9][0-9.*]*)(?:=\S*)?", text)
        if python:
            self.set_python_version(python.group(1))
        else:
            self._conda = _replaced(self._conda, text)

    def remove_conda_package(self, conda_package: str) -> None:
        """Remove the conda package of this name if it is there."""
        if package_name(conda_package) == "python":
            self._python = None
        self._conda = _without(self._conda, conda_package)

    def add_pip_package(self, pip_package: str) -> None:
        """Add a pip requirement such as `pandas>=2`; it replaces one on the same package."""
        self._pip = _replaced(self._pip, _stripped(pip_package, "pip package"))

    def remove_pip_package(self, pip_package: str) -> None:
        """Remove the pip package of this name if it is there."""
        self._pip = _without(self._pip, pip_package)

    def set_pip_option(self, pip_option: str) -> None:
        """Add a pip option; it replaces one with the same flag."""
        text = _stripped(pip_option, "pip option")
        self.remove_pip_option(text)
        self._pip_options.append(text)

    def remove_pip_option(self, pip_option: str) -> None:
        """Remove the pip option with this flag if it is there."""
        flag = pip_option.split()[0].split("=")[0]
        self._pip_options = [known for known in self._pip_options if re.split(r"[\s=]", known)[0] != flag]

    def set_pip_index_url(self, index_url: str) -> None:
        """Ask for another package index; a bare URL stands for `--index-url URL`."""
        self.set_pip_option(index_url if index_url.startswith("-") else f"--index-url {index_url}")

    def set_pip_requirements(self, pip_requirements: Iterable[str]) -> None:
        """Replace all pip packages and options by the lines of a requirements file."""
        self._pip, self._pip_options = [], []
        for line in pip_requirements:
            text = re.sub(r"(^|\s)#.*$", "", line).strip()
            if text.startswith("-"):
                self.set_pip_option(text)
            elif text:
                self._pip.append(text)

    def add_tensorflow_pip_package(self, core_type: str = CPU, version: str | None = None) -> None:
        """Add TensorFlow with pip. One package serves CPU and GPU, so `core_type` makes no difference."""
        _check_core_type(core_type)
        self.add_pip_package(f"tensorflow=={version}" if version else "tensorflow")

    def add_tensorflow_conda_package(self, core_type: str = CPU, version: str | None = None) -> None:
        """Add TensorFlow with conda. One package serves CPU and GPU, so `core_type` makes no difference."""
        _check_core_type(core_type)
        self.add_conda_package(f"tensorflow={version}" if version else "tensorflow")

    def as_dict(self) -> dict[str, Any]:
        """The content of a conda environment file."""
        pip: list[Any] = [*self._pip_options, *self._pip]
        return {
            "name": self._name,
            "dependencies": [*self.conda_packages, *([{"pip": pip}] if pip else [])],
            "channels": list(self._channels),
        }

    def serialize_to_string(self) -> str:
        """The text of a conda environment file."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False)

    def save(self, path: str | None = None) -> str:
        """Write a conda environment file (default `conda_dependencies.yml` here) and return its path."""
        target = Path(path or "conda_dependencies.yml")
        if target.is_dir():
            target = target / "conda_dependencies.yml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.serialize_to_string(), encoding="utf-8")
        return str(target)

    def save_to_file(self, base_directory: str, conda_file_path: str | None = None) -> str:
        """Write a conda environment file below `base_directory` and return its path relative to that folder."""
        relative = conda_file_path or "conda_dependencies.yml"
        self.save(str(Path(base_directory) / relative))
        return relative

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CondaDependencies) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]  # mutable: equal today need not be equal tomorrow

    def __repr__(self) -> str:
        return f"CondaDependencies(conda={list(self.conda_packages)}, pip={self._pip})"

    def _read(self, document: dict[str, Any], source: str) -> None:
        self._name = str(document.get("name") or self._name)
        self._channels = [str(channel) for channel in document.get("channels") or []]
        self._pip = []
        for entry in document.get("dependencies") or []:
            if isinstance(entry, str):
                self.add_conda_package(entry)
            elif isinstance(entry, dict) and set(entry) == {"pip"}:
                self._read_pip(entry["pip"] or [], source)
            else:
                raise UserErrorException(f"{source}: {entry!r} is neither a conda package nor a list of pip packages.")

    def _read_pip(self, entries: Any, source: str) -> None:
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise UserErrorException(f"{source}: the pip packages must be a list of strings.")
        for entry in entries:
            if entry.startswith("-"):
                self._pip_options.append(entry)
            else:
                self._pip.append(entry)


def read_conda_file(path: str | Path) -> dict[str, Any]:
    """The mapping in a conda environment file. Raises UserErrorException if it is missing or not one."""
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserErrorException(f"The conda file {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UserErrorException(f"The conda file {path} is not YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("dependencies", []), list | None):
        raise UserErrorException(f"The conda file {path} must be a mapping with a list 'dependencies'.")
    return document


def _stripped(text: str, kind: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise UserErrorException(f"A {kind} must be a string such as 'numpy', not {text!r}.")
    return text.strip()


def _replaced(packages: list[str], new: str) -> list[str]:
    return [*_without(packages, new), new]


def _without(packages: list[str], requirement: str) -> list[str]:
    name = package_name(requirement)
    return [known for known in packages if package_name(known) != name]


def _check_core_type(core_type: str) -> None:
    if core_type not in (CPU, GPU):
        raise UserErrorException(f"core_type must be 'cpu' or 'gpu', not {core_type!r}.")
