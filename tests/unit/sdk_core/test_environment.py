"""Environments, and what the pipeline records of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.core import ContainerRegistry, Environment, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.core.environment import DEFAULT_CPU_IMAGE
from airloom.core.environment_spec import conda_to_pip, environment_spec
from airloom.core.runconfig import CondaDependencies, RunConfiguration
from airloom.exceptions import UserErrorException
from airloom.graph.model import EnvironmentSpec


def with_packages(*pip: str, conda: tuple[str, ...] = ()) -> Environment:
    """An environment with pip and conda packages."""
    environment = Environment("test")
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=list(pip), conda_packages=list(conda))
    return environment


class TestSpec:
    def test_an_untouched_environment_is_the_workers_own(self) -> None:
        assert environment_spec(None) == environment_spec(Environment("x")) == EnvironmentSpec()
        assert environment_spec(RunConfiguration().environment).is_default

    def test_the_notebooks_settings_ask_for_no_python_and_no_image(self) -> None:
        config = RunConfiguration()
        config.environment.docker.enabled = True
        config.environment.docker.base_image = DEFAULT_CPU_IMAGE
        config.environment.python.user_managed_dependencies = False
        config.environment.python.conda_dependencies = CondaDependencies.create(conda_packages=["scikit-learn"])
        assert environment_spec(config.environment) == EnvironmentSpec(packages=("scikit-learn",))

    def test_order_case_and_list_do_not_matter(self) -> None:
        one = with_packages("Pandas>=2,<3", "b_package==1.0", conda=("numpy=1.26",))
        other = with_packages("numpy==1.26.*", "b-package == 1.0", "pandas<3, >=2")
        assert environment_spec(one) == environment_spec(other)
        assert environment_spec(one).packages == ("b-package==1.0", "numpy==1.26.*", "pandas<3,>=2")

    def test_pip_wins_over_conda(self) -> None:
        spec = environment_spec(with_packages("torch==2.1", conda=("pytorch=1.13",)))
        assert spec.packages == ("torch==2.1",)

    def test_the_sdk_itself_is_never_installed(self) -> None:
        spec = environment_spec(
            with_packages("azureml-sdk[automl]", "azureml-core==1.50", "airloom", conda=("pip=23",))
        )
        assert spec.is_default

    def test_pandas_behind_the_sdk_is_kept(self) -> None:
        assert environment_spec(with_packages("azureml-dataprep[fuse,pandas]")).packages == ("pandas",)

    def test_addresses_are_requirements_too(self) -> None:
        spec = environment_spec(
            with_packages(
                "git+https://github.com/a/b.git@v1#egg=b", "c @ https://example.com/c.whl", "d; python_version<'3.9'"
            )
        )
        assert spec.packages == (
            "b @ git+https://github.com/a/b.git@v1",
            "c @ https://example.com/c.whl",
            'd; python_version < "3.9"',
        )

    @pytest.mark.parametrize(("asked", "kept"), [("3.11", "3.11"), ("3.11.4", "3.11.4"), ("3.8.*", "3.8")])
    def test_a_chosen_python_is_kept(self, asked: str, kept: str) -> None:
        assert environment_spec(with_packages(conda=(f"python={asked}",))).python_version == kept

    @pytest.mark.parametrize(
        ("package", "expected"),
        [
            ("numpy", "numpy"),
            ("numpy=1.26", "numpy==1.26.*"),
            ("numpy=1.26.*", "numpy==1.26.*"),
            ("numpy==1.26.4", "numpy==1.26.4"),
            ("numpy=1.26.4=py311_0", "numpy==1.26.4"),
            ("numpy 1.26.4", "numpy==1.26.4"),
            ("numpy >=1.20, <2", "numpy<2,>=1.20"),
            ("numpy!=1.25", "numpy!=1.25"),
            ("conda-forge::lightgbm", "lightgbm"),
            ("pytorch=2.1", "torch==2.1.*"),
            ("py-opencv", "opencv-python-headless"),
            ("pip", None),
        ],
    )
    def test_conda_packages_are_translated(self, package: str, expected: str | None) -> None:
        assert conda_to_pip(package) == expected

    @pytest.mark.parametrize(
        ("environment", "message"),
        [
            (with_packages(conda=("cudatoolkit=11.8",)), "'cudatoolkit=11.8' is not on the Python index"),
            (with_packages(conda=("python>=3.8",)), "name one Python version"),
            (with_packages(conda=("numpy=1.2|1.3",)), "has alternatives"),
            (with_packages(conda=("!!",)), "is not like 'numpy'"),
            (with_packages(conda=("numpy>=x.y.z!",)), "cannot be read"),
            (with_packages("./wheels/own.whl"), "Packages of local files must travel in the source folder"),
        ],
    )
    def test_what_cannot_be_translated_is_named(self, environment: Environment, message: str) -> None:
        with pytest.raises(UserErrorException, match=message):
            environment_spec(environment)

    def test_another_package_index_is_not_silently_replaced_by_the_public_one(self) -> None:
        environment = with_packages("our-secret-package")
        environment.python.conda_dependencies.set_pip_index_url("https://index.example/simple")
        with pytest.raises(UserErrorException, match="UV_DEFAULT_INDEX"):
            environment_spec(environment)

    def test_a_python_version_that_is_none_is_refused(self) -> None:
        environment = Environment("x")
        environment.python.conda_dependencies.set_python_version("three")
        with pytest.raises(UserErrorException, match=r"must be like '3\.11'"):
            environment_spec(environment)

    def test_a_managed_interpreter_is_taken_as_it_is(self) -> None:
        environment = with_packages("pandas")
        environment.python.user_managed_dependencies = True
        assert environment_spec(environment).is_default
        environment.python.interpreter_path = "/opt/conda/bin/python"
        assert environment_spec(environment).interpreter_path == "/opt/conda/bin/python"

    def test_variables_are_kept(self) -> None:
        environment = Environment("x")
        environment.environment_variables = {"B": "2", "A": 1}  # type: ignore[dict-item]
        assert environment_spec(environment).variables == {"A": "1", "B": "2"}

    def test_an_image_is_kept_with_a_warning(self) -> None:
        environment = Environment.from_docker_image("x", "python:3.11", ContainerRegistry(address="r.example"))
        with pytest.warns(IgnoredArgumentWarning) as warned:
            spec = environment_spec(environment)
        assert ["base_image_registry" in str(w.message) or "image is kept" in str(w.message) for w in warned] == [
            True
        ] * 2
        assert spec.image == "python:3.11" and spec.is_default

    def test_what_is_not_there_yet_says_so(self) -> None:
        dockerfile, existing = Environment("x"), Environment("x")
        dockerfile.docker.base_dockerfile = "FROM python"
        existing.python.base_conda_environment = "base"
        for environment in (dockerfile, existing):
            with pytest.raises(UserErrorException, match="not available in this version"):
                environment_spec(environment)


class TestEnvironment:
    def test_from_a_conda_file(self, tmp_path: Path) -> None:
        file = tmp_path / "conda.yml"
        file.write_text("name: x\ndependencies:\n- python=3.11\n- numpy\n- pip:\n  - pandas\n")
        spec = environment_spec(Environment.from_conda_specification("x", str(file)))
        assert spec == EnvironmentSpec(python_version="3.11", packages=("numpy", "pandas"))

    def test_from_a_requirements_file(self, tmp_path: Path) -> None:
        file = tmp_path / "requirements.txt"
        file.write_text("# needs\npandas>=2\n")
        assert environment_spec(Environment.from_pip_requirements("x", str(file))).packages == ("pandas>=2",)
        with pytest.raises(UserErrorException, match="cannot be read"):
            Environment.from_pip_requirements("x", "nowhere.txt")

    def test_from_an_image_with_packages(self, tmp_path: Path) -> None:
        file = tmp_path / "requirements.txt"
        file.write_text("pandas\n")
        environment = Environment.from_docker_image("x", "python:3.11", pip_requirements=str(file))
        assert not environment.python.user_managed_dependencies
        with pytest.raises(UserErrorException, match="not both"):
            Environment.from_docker_image("x", "i", conda_specification="a", pip_requirements="b")

    @pytest.mark.parametrize(
        "call",
        [
            lambda e, ws: e.register(ws),
            lambda e, ws: Environment.get(ws, "AzureML-x"),
            lambda e, ws: Environment.list(ws),
        ],
    )
    def test_there_is_no_registry_yet(self, ws: Workspace, call: object) -> None:
        with pytest.raises(UserErrorException, match=r"not available .*from_conda_specification"):
            call(Environment("x"), ws)  # type: ignore[operator]

    def test_a_misspelt_setting_is_refused(self) -> None:
        with pytest.raises(
            UserErrorException, match=r"no setting 'user_managed'. Did you mean 'user_managed_dependencies'"
        ):
            Environment("x").python.user_managed = True

    def test_a_clone_is_independent(self) -> None:
        first = with_packages("pandas")
        second = first.clone("second")
        second.python.conda_dependencies.add_pip_package("numpy")
        assert second.name == "second" and environment_spec(first).packages == ("pandas",)

    def test_what_is_saved_is_read_again(self, tmp_path: Path) -> None:
        environment = with_packages("pandas", conda=("python=3.11",))
        environment.environment_variables = {"A": "1"}
        environment.docker.base_image = "python:3.11"
        environment.save_to_directory(str(tmp_path / "env"))
        assert Environment.load_from_directory(str(tmp_path / "env")) == environment
        with pytest.raises(UserErrorException, match="overwrite=True"):
            environment.save_to_directory(str(tmp_path / "env"))

    def test_a_file_of_packages_can_be_named(self, tmp_path: Path) -> None:
        file = tmp_path / "conda.yml"
        file.write_text("dependencies: [numpy]\n")
        environment = Environment("x")
        environment.python.conda_dependencies_file = str(file)
        assert environment.python.conda_dependencies_file == str(file)
        assert environment_spec(environment).packages == ("numpy",)

    def test_a_name_is_needed(self) -> None:
        with pytest.raises(UserErrorException, match="needs a name"):
            Environment("")
        with pytest.raises(UserErrorException, match=r"does not know the argument\(s\) version"):
            Environment("x", version="1")

    @pytest.mark.parametrize(
        ("text", "message"), [("{", "is not JSON"), ('{"pyton": {}}', "no key 'pyton'. Did you mean")]
    )
    def test_broken_files_are_explained(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "azureml_environment.json").write_text(text)
        with pytest.raises(UserErrorException, match=message):
            Environment.load_from_directory(str(tmp_path))
        with pytest.raises(UserErrorException, match="cannot be read"):
            Environment.load_from_directory(str(tmp_path / "nowhere"))
