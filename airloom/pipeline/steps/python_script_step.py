"""The step that runs a Python script."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from airloom.core._compat import ignored, not_yet
from airloom.core.run_settings import RunSettings, run_settings
from airloom.core.runconfig import RunConfiguration
from airloom.exceptions import UserErrorException
from airloom.graph.model import LiteralValue, PythonScriptSettings, Retries, ReuseMode
from airloom.graph.names import parameter_variable
from airloom.graph.suggest import did_you_mean
from airloom.pipeline.core._bindings import scalar_token
from airloom.pipeline.core._build import BuildContext, StepParts
from airloom.pipeline.core._checks import check_choice, make_retries
from airloom.pipeline.core._snapshots import counting_paths, find_source_directory, normal_path
from airloom.pipeline.core.builder import PipelineStep
from airloom.pipeline.core.graph import PipelineParameter

RUNCONFIG_PARAMETERS = (
    "NodeCount",
    "MpiProcessCountPerNode",
    "TensorflowWorkerCount",
    "TensorflowParameterServerCount",
)
REUSE_MODES = ("auto", "off", "refresh")


class PythonScriptStep(PipelineStep):
    """Runs a Python script of a source folder, in an environment and on a compute target of your choice.

    `script_name` is a file in `source_directory` (default: that of the pipeline, else the working directory). The
    whole folder travels with the pipeline, except what its .amlignore, or else its .gitignore, leaves out.
    `name` defaults to the script's name; several steps may have the same.

    `arguments` become the script's command line: text and numbers as they are, a PipelineParameter as its value in
    the run, data as the path at which the script finds or writes it. Data must be listed in `inputs` or `outputs` as
    well, except datasets and OutputFileDatasetConfig. `params` become environment variables AML_PARAMETER_<NAME>.

    `compute_target` is a compute target, its name, or a pair (name, type); without it, that of `runconfig` counts, and
    without that, the step runs on the deployment's own workers. `runconfig` gives the environment and a time limit.

    A step whose script folder, arguments, parameters, environment and input data are unchanged is not run again; its
    earlier outputs are used. `allow_reuse=False` turns that off, and so does `reuse='off'`; `reuse='refresh'` runs it
    now and lets later runs use the result. `version` is free text; a new one makes the step run. `hash_paths` names
    the files and folders of the source folder that count: changes elsewhere in it do not make the step run (v1
    ignores it). The script always counts. `timeout_seconds` ends a step that runs longer; None means no limit.

    A script that fails is run again up to `retries` times: after `retry_delay_seconds`, and then each time after a
    pause that is `retry_backoff` times as long as the one before, at most `retry_max_delay_seconds`.
    """

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | os.PathLike[str] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
        *,
        reuse: str = "auto",
        timeout_seconds: int | None = None,
        retries: int = 0,
        retry_delay_seconds: float = Retries(count=1).delay_seconds,
        retry_backoff: float = Retries(count=1).backoff,
        retry_max_delay_seconds: float = Retries(count=1).max_delay_seconds,
    ) -> None:
        if not isinstance(script_name, str) or not script_name:
            raise UserErrorException(f"A PythonScriptStep needs a script_name, not {script_name!r}.")
        super().__init__(name or script_name, inputs, outputs, arguments)
        what = f"step '{self.name}'"
        if runconfig is not None and not isinstance(runconfig, RunConfiguration):
            raise UserErrorException(
                f"The runconfig of {what} must be a RunConfiguration, not {type(runconfig).__name__}."
            )
        self._script_name = script_name
        self._source_directory = None if source_directory is None else os.fspath(source_directory)
        self._runconfig = runconfig
        self._compute_target = compute_name(compute_target, what)
        self._params = _bind_params(params, what)
        check_runconfig_parameters(runconfig_pipeline_params, what)
        self._allow_reuse = bool(allow_reuse)
        self._version = None if version is None else str(version)
        self._hash_paths = [hash_paths] if isinstance(hash_paths, str) else [os.fspath(p) for p in hash_paths or []]
        self._reuse = cast(ReuseMode, check_choice(reuse, REUSE_MODES, f"reuse of {what}"))
        self._timeout_seconds = _check_timeout(timeout_seconds, what)
        self._retries = make_retries(retries, retry_delay_seconds, retry_backoff, retry_max_delay_seconds, what)

    def _parts(self, context: BuildContext) -> StepParts:
        what = f"step '{self.name}'"
        folder = self._source_folder(context.default_source_directory)
        script = normal_path(folder, self._script_name, f"The script of {what}")
        hash_paths = counting_paths(folder, script, self._hash_paths, what)
        settings = run_settings(self._runconfig)
        return StepParts(
            settings=PythonScriptSettings(
                script_name=script,
                snapshot=context.snapshots.digest(folder, script, hash_paths),
                hash_paths=hash_paths,
                environment=settings.environment,
            ),
            params=self._params,
            compute_target=self._compute_target or settings.target,
            allow_reuse=self._allow_reuse,
            reuse=self._reuse,
            version=self._version,
            timeout_seconds=self._time_limit(settings),
            retries=self._retries,
        )

    def _source_folder(self, default: Path | None) -> Path:
        return find_source_directory(self._source_directory, default, self._script_name, f"step '{self.name}'")

    def _time_limit(self, settings: RunSettings) -> int | None:
        return self._timeout_seconds if self._timeout_seconds is not None else settings.timeout_seconds


def compute_name(target: Any, what: str) -> str | None:
    """The name of a compute target that is given as an object, a name, or a pair (name, type)."""
    if target is None:
        return None
    if isinstance(target, tuple) and len(target) == 2 and all(isinstance(part, str) for part in target):
        target = target[0]
    name = target if isinstance(target, str) else getattr(target, "name", None)
    if not isinstance(name, str) or not name:
        raise UserErrorException(
            f"The compute_target of {what} must be a compute target, its name or (name, type), not {target!r}."
        )
    if name == "local":
        raise UserErrorException(
            f"The compute_target of {what} is 'local', which pipelines do not have. Leave compute_target out to use "
            "the deployment's own workers."
        )
    return name


def check_runconfig_parameters(given: Mapping[str, Any] | None, what: str) -> None:
    """Check `runconfig_pipeline_params`. Only values that mean one process on one node can be honoured."""
    for key, parameter in (given or {}).items():
        if key not in RUNCONFIG_PARAMETERS:
            hint = did_you_mean(str(key), RUNCONFIG_PARAMETERS)
            raise UserErrorException(f"runconfig_pipeline_params of {what} has the unknown key '{key}'. {hint}")
        if not isinstance(parameter, PipelineParameter):
            raise UserErrorException(
                f"runconfig_pipeline_params['{key}'] of {what} must be a PipelineParameter, not {parameter!r}."
            )
        if parameter.default_value != 1:
            raise not_yet(f"{key} = {parameter.default_value!r} of {what}", "A step is one process on one node.")
        ignored("runconfig_pipeline_params", "a step is one process on one node.")


def _bind_params(params: Mapping[str, Any] | None, what: str) -> dict[str, LiteralValue | PipelineParameter]:
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        raise UserErrorException(f"The params of {what} must be a dict, not {type(params).__name__}.")
    names: dict[str, str] = {}
    for name in params:
        if not isinstance(name, str) or not name:
            raise UserErrorException(f"A name in the params of {what} is {name!r}; it must be text.")
        other = names.setdefault(parameter_variable(name), name)
        if other != name:
            raise UserErrorException(
                f"'{other}' and '{name}' in the params of {what} both become {parameter_variable(name)}. Rename one."
            )
    return {name: scalar_token(value, f"'{name}' in the params of {what}") for name, value in params.items()}


def _check_timeout(seconds: int | None, what: str) -> int | None:
    if seconds is None or (isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0):
        return seconds
    raise UserErrorException(f"timeout_seconds of {what} must be a whole number above 0, not {seconds!r}.")
