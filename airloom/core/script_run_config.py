"""A single script or command with its environment and target."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core._compat import not_yet, refuse_unless_default
from airloom.core.environment import Environment
from airloom.core.runconfig import (
    DockerConfiguration,
    MpiConfiguration,
    PyTorchConfiguration,
    RunConfiguration,
    TensorflowConfiguration,
)
from airloom.exceptions import RunConfigurationException

if TYPE_CHECKING:
    from airloom.core.compute import ComputeTarget
    from airloom.core.experiment import Experiment
    from airloom.core.run import Run

MAX_DURATION_SECONDS_DEFAULT = 2592000
"""Thirty days: what v1 passes to say "no limit of mine"."""

DistributedJobConfig = MpiConfiguration | TensorflowConfiguration | PyTorchConfiguration


class ScriptRunConfig:
    """What to run and where: a script with arguments, or a command, from a source folder.

    The parts end up in `run_config`, a copy of the one given; `compute_target`, `environment` and the others replace
    what that configuration says.
    """

    def __init__(
        self,
        source_directory: str | None,
        script: str | None = None,
        arguments: list[Any] | None = None,
        run_config: RunConfiguration | None = None,
        compute_target: ComputeTarget | str | None = None,
        environment: Environment | None = None,
        distributed_job_config: DistributedJobConfig | None = None,
        resume_from: Any = None,
        max_run_duration_seconds: int | None = MAX_DURATION_SECONDS_DEFAULT,
        command: list[Any] | str | None = None,
        docker_runtime_config: DockerConfiguration | None = None,
    ) -> None:
        _check_what_to_run(source_directory, script, command, arguments)
        refuse_unless_default("ScriptRunConfig", {"resume_from": (resume_from, None)})
        self.source_directory = source_directory
        self.run_config = copy.deepcopy(run_config) if run_config is not None else RunConfiguration()
        self.script = script or self.run_config.script
        self.command = command if command is not None else self.run_config.command
        self.arguments = list(arguments if arguments is not None else self.run_config.arguments)
        self.run_config.script, self.run_config.command = self.script, self.command
        self.run_config.arguments = self.arguments
        if compute_target is not None:
            self.run_config.target = compute_target
        if environment is not None:
            self.run_config.environment = environment
        if docker_runtime_config is not None:
            self.run_config.docker = docker_runtime_config
        if max_run_duration_seconds not in (None, MAX_DURATION_SECONDS_DEFAULT):
            self.run_config.max_run_duration_seconds = max_run_duration_seconds
        self._distribute(distributed_job_config)

    def _distribute(self, config: DistributedJobConfig | None) -> None:
        if config is None:
            return
        if isinstance(config, MpiConfiguration):
            self.run_config.mpi, self.run_config.communicator = config, "OpenMpi"
            self.run_config.node_count = config.node_count
        elif isinstance(config, PyTorchConfiguration):
            self.run_config.pytorch, self.run_config.framework = config, "PyTorch"
            self.run_config.communicator, self.run_config.node_count = config.communication_backend, config.node_count
        else:
            self.run_config.tensorflow, self.run_config.framework = config, "TensorFlow"
            self.run_config.communicator = "ParameterServer"
            self.run_config.node_count = config.worker_count + config.parameter_server_count

    def _submit(self, experiment: Experiment, tags: dict[str, str] | None = None, **kwargs: Any) -> Run:
        raise not_yet(
            "Submitting a single script",
            "Put it into a pipeline: Pipeline(workspace, [PythonScriptStep(script_name=..., source_directory=..., "
            "compute_target=...)]), and submit that.",
        )


def _check_what_to_run(
    source_directory: str | None, script: str | None, command: list[Any] | str | None, arguments: list[Any] | None
) -> None:
    if script is not None and command is not None:
        raise RunConfigurationException("A ScriptRunConfig has either a script or a command, not both.")
    if command is not None and arguments:
        raise RunConfigurationException("The arguments of a command are part of the command itself.")
    if source_directory is not None and not Path(source_directory).is_dir():
        raise RunConfigurationException(f"The source_directory {source_directory!r} is not a folder.")
    if source_directory is not None and script is not None and not (Path(source_directory) / script).is_file():
        raise RunConfigurationException(f"There is no {script!r} in the source_directory {source_directory!r}.")
