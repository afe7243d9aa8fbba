"""From an SDK environment to the `EnvironmentSpec` of the pipeline graph: pip requirements in canonical form.

Packages come from the Python index. Conda packages are therefore translated, known differences of name included;
what exists only in conda is refused by name rather than left out.
"""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from airloom.core._compat import ignored, ignored_unless_default, not_yet
from airloom.core.conda_dependencies import CondaDependencies
from airloom.core.environment import DEFAULT_CPU_IMAGE, DockerSection, Environment, PythonSection
from airloom.exceptions import UserErrorException
from airloom.graph.model import EnvironmentSpec

# Names under which conda and the Python index know the same software.
_RENAMED = {
    "dask-core": "dask",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-lightgbm": "lightgbm",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-gpu": "tensorflow",
    "torchvision-cpu": "torchvision",
}
# What conda lists name only for conda's own sake.
_PART_OF_CONDA = {"conda", "nomkl", "pip"}
_ONLY_IN_CONDA = {
    "blas",
    "compilers",
    "cuda-toolkit",
    "cudatoolkit",
    "cudnn",
    "cxx-compiler",
    "gcc",
    "gxx-linux-64",
    "libgcc",
    "libstdcxx-ng",
    "nccl",
    "openjdk",
    "openmpi",
    "openssl",
    "r-base",
}
_PANDAS_BEHIND = {"azureml-dataprep", "azureml-dataset-runtime"}

_CONDA_SPEC = re.compile(
    r"(?:[^:\s]+::)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[(?P<extras>[^\]]*)\])?\s*(?P<version>.*)"
)
_PYTHON_VERSION = re.compile(r"(\d+(?:\.\d+){0,2})(?:\.\*)?")
_VCS_WITH_EGG = re.compile(r"(?P<url>(?:git|hg|svn|bzr)\+\S+?)#(?:\S*&)?egg=(?P<name>[A-Za-z0-9._-]+)(?:&\S*)?")


def environment_spec(environment: Environment | None) -> EnvironmentSpec:
    """What the graph records about an environment. None, and an environment left as it was made, are the default one.

    Two environments that ask for the same things give the same spec, however they were written and named.
    """
    if environment is None:
        return EnvironmentSpec()
    variables = dict(sorted(environment.environment_variables.items()))
    image = _image(environment)
    python = environment.python
    if python.user_managed_dependencies:
        own = None if python.interpreter_path == "python" else python.interpreter_path
        return EnvironmentSpec(interpreter_path=own, variables=variables, image=image)
    _refuse_base_environment(python)
    dependencies = python.conda_dependencies
    return EnvironmentSpec(
        python_version=_python_version(dependencies),
        packages=_requirements(dependencies),
        variables=variables,
        image=image,
    )


def _refuse_base_environment(python: PythonSection) -> None:
    if python.base_conda_environment is not None:
        raise not_yet(
            f"The existing conda environment {python.base_conda_environment!r} as a base",
            "Set user_managed_dependencies = True and interpreter_path to that environment's python.",
        )


def _image(environment: Environment) -> str | None:
    docker = environment.docker
    if docker.base_dockerfile is not None or docker.build_context is not None:
        raise not_yet("Building an image from a Dockerfile", "Build it yourself and name it in docker.base_image.")
    untouched = DockerSection()
    ignored_unless_default(
        "DockerSection",
        {
            "arguments": (docker.arguments, untouched.arguments),
            "shared_volumes": (docker.shared_volumes, untouched.shared_volumes),
            "shm_size": (docker.shm_size, untouched.shm_size),
            "base_image_registry": (docker.base_image_registry, untouched.base_image_registry),
        },
        "steps run in the worker's own system in this version.",
    )
    if docker.base_image in (None, DEFAULT_CPU_IMAGE):
        return None
    ignored(
        "DockerSection(base_image=...)",
        "steps run in the worker's own system in this version; the image is kept in the pipeline for later.",
    )
    return docker.base_image


def _python_version(dependencies: CondaDependencies) -> str | None:
    chosen = dependencies._python
    if chosen is None:
        return None
    match = _PYTHON_VERSION.fullmatch(chosen.strip())
    if not match:
        raise UserErrorException(f"The Python version {chosen!r} must be like '3.11' or '3.11.4'.")
    return match.group(1)


def _requirements(dependencies: CondaDependencies) -> tuple[str, ...]:
    _refuse_pip_options(dependencies)
    wanted = [text for package in dependencies.pip_packages if (text := _pip_requirement(package))]
    by_pip = {canonicalize_name(Requirement(text).name) for text in wanted}
    for package in dependencies._conda:
        text = conda_to_pip(package)
        # pip installs after conda does and wins, so a package named in both lists has pip's version.
        if text and canonicalize_name(Requirement(text).name) not in by_pip:
            wanted.append(text)
    return tuple(sorted(set(wanted)))


def _refuse_pip_options(dependencies: CondaDependencies) -> None:
    # Leaving out a private index would fetch whatever the public index has under the same names.
    for option in dependencies.pip_options:
        raise UserErrorException(
            f"The pip option {option!r} cannot be part of an environment. For another package index, set "
            "UV_DEFAULT_INDEX or UV_INDEX on the workers; for a requirements file, add its lines as packages."
        )


def _pip_requirement(text: str) -> str | None:
    """A line of a requirements file in canonical PEP 508 form; None for what is never installed."""
    vcs = _VCS_WITH_EGG.fullmatch(text.strip())
    if vcs:
        text = f"{vcs['name']} @ {vcs['url']}"
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UserErrorException(
            f"The pip package {text!r} is not a requirement such as 'pandas>=2' or 'name @ URL'. "
            "Packages of local files must travel in the source folder instead."
        ) from error
    return _canonical(requirement)


def conda_to_pip(package: str) -> str | None:
    """A conda package as a pip requirement in canonical form; None for what is never installed.

    `numpy=1.26` is `numpy==1.26.*`, `numpy=1.26.4=py311_0` and `numpy==1.26.4` are `numpy==1.26.4`.
    """
    match = _CONDA_SPEC.fullmatch(package.strip())
    if not match:
        raise UserErrorException(f"The conda package {package!r} is not like 'numpy', 'numpy=1.26' or 'numpy>=1.26'.")
    name = canonicalize_name(match["name"])
    if name == "python":
        raise UserErrorException(
            f"{package!r}: name one Python version, such as 'python=3.11', instead of a range of them."
        )
    if name in _ONLY_IN_CONDA:
        raise UserErrorException(
            f"The conda package {package!r} is not on the Python index. Install it on the workers, "
            "or set user_managed_dependencies = True and interpreter_path to an environment that has it."
        )
    if name in _PART_OF_CONDA:
        return None
    extras = f"[{match['extras']}]" if match["extras"] else ""
    text = f"{_RENAMED.get(name, name)}{extras}{_pip_version(match['version'].strip(), package)}"
    try:
        return _canonical(Requirement(text))
    except InvalidRequirement as error:
        raise UserErrorException(f"The conda package {package!r} has a version that cannot be read.") from error


def _pip_version(version: str, package: str) -> str:
    if "|" in version:
        raise UserErrorException(f"The conda package {package!r} has alternatives ('|'), which pip does not know.")
    fuzzy = re.fullmatch(r"=?\s*([0-9][0-9A-Za-z.*]*)(?:[=\s]\S+)?", version)
    if not fuzzy:
        return version.replace(" ", "")
    number = fuzzy.group(1)
    exact = "=" in version[1:] or re.search(r"\d\s+\S", version) or not version.startswith("=")
    return f"=={number}" if number.endswith("*") or exact else f"=={number}.*"


def _canonical(requirement: Requirement) -> str | None:
    name = canonicalize_name(requirement.name)
    if name in _PANDAS_BEHIND and "pandas" in requirement.extras:
        return "pandas"
    # Airloom puts its own stand-in for these on the script's path.
    if name == "airloom" or name.startswith("azureml-"):
        return None
    requirement.name = name
    return str(requirement)
