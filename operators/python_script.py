"""PythonScriptOperator: a step that runs one Python script, on the worker that executes the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.errors import InvalidGraph
from airloom.execution.spec import make_spec
from airloom.graph.model import (
    DataLocation,
    EnvironmentSpec,
    FromSource,
    InputPath,
    InputPort,
    LiteralValue,
    OutputOf,
    OutputPath,
    OutputPort,
    ParameterValue,
    PathSource,
    PythonScriptSettings,
    Retries,
    Scalar,
    Step,
)
from airloom.graph.suggest import did_you_mean
from airloom.operators.retrying import task_settings
from airloom.operators.secrets import TaskSecrets
from airloom.operators.step import STEP_DEFAULTS, StepOperator
from airloom.runner import StepRunner

if TYPE_CHECKING:
    from airloom.execution import RunInfo
    from airloom.graph.model import Argument, Definition
    from airloom.graph.results import OutputRef, StepResult

Argumentish = Scalar | InputPath | OutputPath | ParameterValue


class PythonScriptOperator(StepOperator):
    """Runs a Python script of a source folder, with typed inputs and outputs, and reuses its result if unchanged.

    In a hand-written DAG, give:

    - `script_name` and `source_directory`: the script and its folder, on a path that the workers see;
    - `inputs`: port name -> `"datastore/path"`, or an output of another step (`other.port("name")`), which the step
      then runs after;
    - `outputs`: names of the output ports;
    - `arguments`: literals, `InputPath(port=...)`, `OutputPath(port=...)` or `ParameterValue(parameter=...)`;
    - `environment`: packages and Python version; default: the worker's own environment;
    - `hash_paths`: files and folders of the source folder that count for reuse; default: all;
    - `allow_reuse`, `version`: as for PythonScriptStep;
    - `script_retries`: how often the script is run again when it fails, such as `Retries(count=3, delay_seconds=30)`.

    The DAG factory uses `from_step` instead.
    """

    ui_color = "#e4f0fb"

    def __init__(
        self,
        *,
        task_id: str,
        script_name: str = "",
        source_directory: str | Path | None = None,
        arguments: Sequence[Argumentish] = (),
        inputs: Mapping[str, str | OutputOf] | None = None,
        outputs: Sequence[str] = (),
        environment: EnvironmentSpec | None = None,
        hash_paths: Sequence[str] = (),
        allow_reuse: bool = True,
        version: str | None = None,
        script_retries: Retries | None = None,
        step: Step | None = None,
        **kwargs: Any,
    ) -> None:
        sources = {value: _source(value) for value in (inputs or {}).values() if isinstance(value, str)}
        if step is None:
            step = Step(
                id=task_id,
                name=task_id,
                settings=PythonScriptSettings(
                    script_name=script_name,
                    snapshot="",
                    hash_paths=tuple(hash_paths),
                    environment=environment or EnvironmentSpec(),
                ),
                inputs=tuple(_input(name, value) for name, value in (inputs or {}).items()),
                outputs=tuple(OutputPort(name=name) for name in outputs),
                arguments=tuple(_argument(argument) for argument in arguments),
                allow_reuse=allow_reuse,
                version=version,
                retries=script_retries,
            )
        definition: Definition | None = kwargs.pop("definition", None)
        settings = {**STEP_DEFAULTS, **kwargs}
        super().__init__(task_id=task_id, **{**settings, **task_settings(step, settings["retries"])})
        self._set_up(step, definition, sources, source_directory)
        self._runner: StepRunner | None = None

    @classmethod
    def from_step(cls, step: Step, definition: Definition, **kwargs: Any) -> PythonScriptOperator:
        """The task for a step of a definition."""
        return cls(task_id=step.id, step=step, definition=definition, **kwargs)

    def port(self, name: str) -> OutputOf:
        """A reference to an output port, to be given as an input of another step. Raises InvalidGraph."""
        outputs = [port.name for port in self.step.outputs]
        if name not in outputs:
            raise InvalidGraph(
                f"Task {self.task_id!r} has no output {name!r}.",
                hint=f"Declare it in outputs=[...]. {did_you_mean(name, outputs)}".strip(),
                target=self.task_id,
            )
        return OutputOf(step=self.step.id, port=name)

    def compute(
        self, step: Step, definition: Definition, run: RunInfo, attempt: str, results: Mapping[str, StepResult]
    ) -> Mapping[str, OutputRef]:
        """Run the script here, its output line by line in the task's log."""
        secrets = TaskSecrets()
        spec = make_spec(step, definition, run, attempt, results, secrets)
        self._runner = StepRunner(spec, on_line=lambda stream, line: self.log.info("%s", line), secrets=secrets)
        outcome = self._runner.run()
        self.log.info("The script ended well after %.1f s.", outcome.seconds)
        return outcome.outputs

    def cancel(self) -> None:
        """End the script and everything that it started."""
        if self._runner is not None:
            self._runner.cancel()


def _source(address: str) -> PathSource:
    datastore, _, path = address.partition("/")
    return PathSource(location=DataLocation(datastore=datastore, path=path))


def _input(name: str, value: str | OutputOf) -> InputPort:
    return InputPort(name=name, binding=value if isinstance(value, OutputOf) else FromSource(source=value))


def _argument(value: Argumentish) -> Argument:
    return value if isinstance(value, InputPath | OutputPath | ParameterValue) else LiteralValue(value=value)
