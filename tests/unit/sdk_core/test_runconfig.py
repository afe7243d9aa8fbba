"""Run configurations: building, saving, and what a step takes from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.core import Environment, Experiment, RunConfiguration, ScriptRunConfig, Workspace
from airloom.core._compat import IgnoredArgumentWarning
from airloom.core.run_settings import RunSettings, run_settings
from airloom.core.runconfig import (
    CondaDependencies,
    DataReferenceConfiguration,
    DockerConfiguration,
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from airloom.exceptions import RunConfigurationException, UserErrorException


class TestRunConfiguration:
    def test_defaults(self) -> None:
        config = RunConfiguration()
        assert (config.target, config.framework, config.communicator, config.node_count) == (
            "local",
            "Python",
            "None",
            1,
        )
        assert RunConfiguration(framework="python").framework == "Python"

    def test_packages_may_be_given_at_once(self) -> None:
        config = RunConfiguration(conda_dependencies=CondaDependencies.create(pip_packages=["pandas"]))
        assert run_settings(config).environment.packages == ("pandas",)

    def test_environment_variables_are_those_of_the_environment(self) -> None:
        config = RunConfiguration()
        config.environment_variables = {"A": "1"}
        assert config.environment.environment_variables == config.environment_variables == {"A": "1"}

    def test_a_target_may_be_an_object(self) -> None:
        config = RunConfiguration()
        config.target = type("Target", (), {"name": "cpu-cluster"})()
        assert config.target == "cpu-cluster"

    def test_misuse_is_refused(self) -> None:
        with pytest.raises(RunConfigurationException, match="not both"):
            RunConfiguration(script="a.py", command=["ls"])
        with pytest.raises(RunConfigurationException, match="framework 'R' is unknown"):
            RunConfiguration(framework="R")
        with pytest.raises(RunConfigurationException, match="must be an Environment, not str"):
            RunConfiguration().environment = "x"  # type: ignore[assignment]
        with pytest.raises(UserErrorException, match=r"no setting 'nodecount'. Did you mean 'node_count'"):
            RunConfiguration().nodecount = 2

    @pytest.mark.parametrize("separate", [False, True])
    def test_what_is_saved_is_read_again(self, tmp_path: Path, separate: bool) -> None:
        config = RunConfiguration(script="train.py", arguments=["--a", 1])
        config.environment.python.conda_dependencies.add_pip_package("pandas")
        config.target, config.max_run_duration_seconds = "cpu-cluster", 60
        config.data_references["in"] = DataReferenceConfiguration("blobs", path_on_datastore="x")
        written = config.save(str(tmp_path), "mine", separate_environment_yaml=separate)
        assert written == str(tmp_path / ".airloom" / "mine.runconfig")
        again = RunConfiguration.load(str(tmp_path), "mine")
        assert (again.script, again.arguments, again.target) == ("train.py", ["--a", 1], "cpu-cluster")
        assert again.environment == config.environment and again.max_run_duration_seconds == 60
        RunConfiguration.delete(str(tmp_path), "mine")
        with pytest.raises(UserErrorException, match="no run configuration at"):
            RunConfiguration.load(str(tmp_path), "mine")

    def test_a_file_of_v1_is_read(self, tmp_path: Path) -> None:
        file = tmp_path / ".azureml" / "cpu.runconfig"
        file.parent.mkdir()
        file.write_text(
            "target: cpu-cluster\nframework: Python\ncommunicator: None\nnodeCount: 1\n"
            "mpi: {processCountPerNode: 1}\nhistory: {outputCollection: true}\n"
            "environment:\n  name: mine\n  python:\n    userManagedDependencies: false\n    condaDependencies:\n"
            "      dependencies: [python=3.10, numpy, {pip: [azureml-defaults, pandas]}]\n"
        )
        settings = run_settings(RunConfiguration.load(str(tmp_path), "cpu"))
        assert settings.target == "cpu-cluster" and settings.environment.python_version == "3.10"
        assert settings.environment.packages == ("numpy", "pandas")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nodeCuont: 2\n", "no key 'nodeCuont'. Did you mean 'nodeCount'"),
            ("- a\n", "mapping"),
            ("a: [", "not YAML"),
        ],
    )
    def test_broken_files_are_explained(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "x.runconfig"
        file.write_text(text)
        with pytest.raises(UserErrorException, match=message):
            RunConfiguration.load(str(file))


class TestRunSettings:
    def test_none_is_the_default(self) -> None:
        assert run_settings(None) == run_settings(RunConfiguration()) == RunSettings()

    def test_the_time_limit_is_kept(self) -> None:
        config = RunConfiguration()
        config.max_run_duration_seconds = 30
        assert run_settings(config).timeout_seconds == 30

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("communicator", "OpenMpi"),
            ("node_count", 2),
            ("mpi", MpiConfiguration(process_count_per_node=2)),
            ("framework", "PySpark"),
            ("data", {"x": 1}),
            ("data_references", {"x": 1}),
            ("output_data", {"x": 1}),
        ],
    )
    def test_what_would_change_the_result_is_refused(self, name: str, value: Any) -> None:
        config = RunConfiguration()
        setattr(config, name, value)
        with pytest.raises(UserErrorException, match="not available in this version"):
            run_settings(config)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("docker", DockerConfiguration(use_docker=True)), ("priority", 3), ("credential_passthrough", True)],
    )
    def test_what_would_not_warns(self, name: str, value: Any) -> None:
        config = RunConfiguration()
        setattr(config, name, value)
        with pytest.warns(IgnoredArgumentWarning, match=name):
            run_settings(config)


class TestScriptRunConfig:
    @pytest.fixture
    def source(self, tmp_path: Path) -> str:
        """A folder with a script."""
        (tmp_path / "train.py").write_text("")
        return str(tmp_path)

    def test_parts_end_up_in_a_copy_of_the_run_configuration(self, source: str) -> None:
        given = RunConfiguration()
        config = ScriptRunConfig(
            source,
            "train.py",
            arguments=["--a", 1],
            run_config=given,
            compute_target="cpu-cluster",
            environment=Environment("mine"),
            docker_runtime_config=DockerConfiguration(use_docker=True),
            max_run_duration_seconds=60,
        )
        assert given.target == "local" and config.run_config.target == "cpu-cluster"
        assert config.run_config.environment.name == "mine" and config.run_config.docker.use_docker
        assert config.run_config.max_run_duration_seconds == 60
        assert (config.script, config.arguments) == ("train.py", ["--a", 1])

    def test_thirty_days_is_no_limit(self, source: str) -> None:
        assert ScriptRunConfig(source, "train.py").run_config.max_run_duration_seconds is None

    @pytest.mark.parametrize(
        ("job", "communicator", "nodes"),
        [
            (MpiConfiguration(2, 3), "OpenMpi", 3),
            (PyTorchConfiguration(node_count=2), "Nccl", 2),
            (TensorflowConfiguration(2, 1), "ParameterServer", 3),
        ],
    )
    def test_distributed_jobs_are_noted(self, source: str, job: Any, communicator: str, nodes: int) -> None:
        config = ScriptRunConfig(source, "train.py", distributed_job_config=job).run_config
        assert (config.communicator, config.node_count) == (communicator, nodes)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"script": "train.py", "command": ["ls"]}, "not both"),
            ({"command": ["ls"], "arguments": ["-l"]}, "part of the command"),
            ({"script": "tarin.py"}, "no 'tarin.py' in the source_directory"),
            ({"source_directory": "/nowhere"}, "is not a folder"),
        ],
    )
    def test_misuse_is_refused(self, source: str, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(RunConfigurationException, match=message):
            ScriptRunConfig(**{"source_directory": source, **arguments})

    def test_submitting_one_points_to_pipelines(self, source: str, ws: Workspace) -> None:
        with pytest.raises(UserErrorException, match="Put it into a pipeline"):
            Experiment(ws, "x").submit(ScriptRunConfig(source, "train.py"))
