"""Conda environment files."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.core.conda_dependencies import PYTHON_DEFAULT_VERSION, CondaDependencies
from airloom.exceptions import UserErrorException


def test_create_keeps_what_it_is_given() -> None:
    made = CondaDependencies.create(conda_packages=["scikit-learn", "numpy=1.26"], pip_packages=["pandas>=2"])
    assert list(made.conda_packages) == ["scikit-learn", "numpy=1.26"]
    assert list(made.pip_packages) == ["azureml-defaults", "pandas>=2"]
    assert made.get_default_number_of_packages() == 1


def test_the_default_python_of_v1_is_told_but_not_written_down() -> None:
    made = CondaDependencies()
    assert made.get_python_version() == PYTHON_DEFAULT_VERSION
    assert "python" not in made.serialize_to_string()


@pytest.mark.parametrize(
    "choose",
    [
        lambda: CondaDependencies.create(python_version="3.11"),
        lambda: CondaDependencies.create(conda_packages=["python=3.11"]),
        lambda: CondaDependencies.create(conda_packages=["python==3.11"]),
        lambda: CondaDependencies._from_document({"dependencies": ["python 3.11"]}, "here"),
    ],
)
def test_a_python_that_was_chosen_is_written_down(choose: object) -> None:
    made = choose()  # type: ignore[operator]
    assert made.get_python_version() == "3.11" and next(made.conda_packages) == "python=3.11"
    made.remove_conda_package("python")
    assert made.get_python_version() == PYTHON_DEFAULT_VERSION


def test_a_package_replaces_one_of_the_same_name() -> None:
    made = CondaDependencies()
    for package in ("Scikit_Learn==1.0", "scikit-learn>=1.2"):
        made.add_pip_package(package)
        made.add_conda_package(package)
    assert list(made.pip_packages)[1:] == list(made.conda_packages) == ["scikit-learn>=1.2"]
    made.remove_pip_package("SCIKIT-LEARN")
    made.remove_conda_package("scikit.learn")
    assert list(made.conda_packages) == [] and list(made.pip_packages) == ["azureml-defaults"]


def test_channels_and_options() -> None:
    made = CondaDependencies.create(pip_indexurl="https://index.example/simple")
    made.add_channel("pytorch")
    made.add_channel("pytorch")
    made.remove_channel("anaconda")
    made.set_pip_index_url("https://other.example/simple")
    assert list(made.conda_channels) == ["conda-forge", "pytorch"]
    assert list(made.pip_options) == ["--index-url https://other.example/simple"]
    made.remove_pip_option("--index-url")
    assert list(made.pip_options) == []


def test_requirements_replace_all_pip_packages() -> None:
    made = CondaDependencies()
    made.set_pip_requirements(["# comment", "", "pandas>=2  # tables", "--no-binary :all:"])
    assert list(made.pip_packages) == ["pandas>=2"] and list(made.pip_options) == ["--no-binary :all:"]


@pytest.mark.parametrize("core_type", ["cpu", "gpu"])
def test_tensorflow(core_type: str) -> None:
    made = CondaDependencies()
    made.add_tensorflow_pip_package(core_type, version="2.16.1")
    made.add_tensorflow_conda_package(core_type)
    assert list(made.pip_packages)[-1] == "tensorflow==2.16.1" and list(made.conda_packages) == ["tensorflow"]
    with pytest.raises(UserErrorException, match="'cpu' or 'gpu'"):
        made.add_tensorflow_pip_package("tpu")


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    made = CondaDependencies.create(pip_packages=["pandas"], conda_packages=["numpy"], python_version="3.11")
    made.set_pip_option("--prefer-binary")
    assert made.save(str(tmp_path)) == str(tmp_path / "conda_dependencies.yml")
    assert CondaDependencies(str(tmp_path / "conda_dependencies.yml")) == made
    assert made.save_to_file(str(tmp_path), "sub/own.yml") == "sub/own.yml"
    assert CondaDependencies(str(tmp_path / "sub/own.yml")) == made
    assert "pandas" in repr(made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "must be a mapping"),
        ("dependencies: [{npm: [x]}]\n", "neither a conda package nor"),
        ("dependencies: [{pip: [1]}]\n", "list of strings"),
        ("dependencies: [a: b: c\n", "is not YAML"),
    ],
)
def test_broken_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "conda.yml"
    file.write_text(text)
    with pytest.raises(UserErrorException, match=message):
        CondaDependencies(str(file))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UserErrorException, match=r"nowhere\.yml cannot be read"):
        CondaDependencies("nowhere.yml")


@pytest.mark.parametrize("package", ["", "  ", None])
def test_nothing_is_no_package(package: str) -> None:
    with pytest.raises(UserErrorException, match="must be a string such as 'numpy'"):
        CondaDependencies().add_pip_package(package)


def test_requirements_on_one_package_are_merged() -> None:
    merged = CondaDependencies.merge_requirements(["horovod==0.15.2", "horovod", "pandas[excel]", "Pandas<3"])
    assert merged == ["horovod==0.15.2", "pandas[excel]<3"]
