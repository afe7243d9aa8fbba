"""Steps, the data between them, and sequences of steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core._compat import not_yet
from airloom.exceptions import UserErrorException
from airloom.pipeline.core._bindings import Token, bind_step
from airloom.pipeline.core._checks import check_choice, check_port_name, datastore_name
from airloom.pipeline.core._data import BoundInput, BoundOutput
from airloom.pipeline.core.graph import OUTPUT_MODES, InputPortBinding, noted_data_type, refuse_output_extras

if TYPE_CHECKING:
    from airloom.pipeline.core._build import BuildContext, StepParts
    from airloom.pipeline.core.pipeline_output_dataset import DatasetRegistration, PipelineOutputFileDataset

__all__ = ["PipelineData", "PipelineStep", "StepSequence"]


class PipelineData:
    """A named output of one step, which any number of other steps may read.

    The script writes a file or folder at the path that it gets in place of this object; with `is_directory` the
    folder exists already. `output_name` names the port (default: `name`); both may hold letters, digits and '_'.
    `output_mode` is mount or upload. Without `datastore` it goes to the default datastore of the pipeline.
    `pipeline_output_name` lets the run offer it under that name. `data_type` is kept and not checked.
    """

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: str | None = None,
        output_mode: str = "mount",
        output_path_on_compute: str | None = None,
        output_overwrite: bool | None = None,
        data_type: Any = None,
        is_directory: bool | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
    ) -> None:
        self._name = check_port_name(name, "a PipelineData")
        self._output_name = check_port_name(output_name or name, f"the output of PipelineData '{name}'")
        refuse_output_extras(name, training_output)
        datastore_name(datastore, f"PipelineData '{name}'")
        self._datastore = datastore
        self._output_mode = check_choice(output_mode, OUTPUT_MODES, f"The output_mode of PipelineData '{name}'")
        self._output_path_on_compute = output_path_on_compute
        self._output_overwrite = output_overwrite
        self._data_type = noted_data_type(data_type)
        self._is_directory = is_directory
        self._pipeline_output_name = pipeline_output_name
        self._dataset_registration: DatasetRegistration | None = None
        self._producer: PipelineStep | None = None

    @property
    def name(self) -> str:
        """Name of the data."""
        return self._name

    @property
    def datastore(self) -> Any:
        """Where it is written; None means the default datastore of the pipeline."""
        return self._datastore

    @property
    def data_type(self) -> Any:
        """The data type that was given, None if none was."""
        return self._data_type

    def as_download(
        self, input_name: str | None = None, path_on_compute: str | None = None, overwrite: bool | None = None
    ) -> InputPortBinding:
        """Read it as a copy of its own, which the script may change."""
        return self.create_input_binding(input_name, "download", path_on_compute, overwrite)

    def as_mount(self, input_name: str | None = None) -> InputPortBinding:
        """Read it where it lies (the default)."""
        return self.create_input_binding(input_name, "mount")

    def as_input(self, input_name: str) -> InputPortBinding:
        """Read it under a name of your choice."""
        return self.create_input_binding(input_name)

    def create_input_binding(
        self,
        input_name: str | None = None,
        mode: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
    ) -> InputPortBinding:
        """Read it with all settings given; the defaults are its own name and mode mount."""
        return InputPortBinding(input_name or self._name, self, mode or "mount", path_on_compute, overwrite)

    def as_dataset(self) -> PipelineOutputFileDataset:
        """Read it as a file dataset."""
        from airloom.pipeline.core.pipeline_output_dataset import PipelineOutputFileDataset

        return PipelineOutputFileDataset(self)

    def get_env_variable_name(self) -> str:
        """The environment variable in which the script finds the path."""
        return f"AZUREML_DATAREFERENCE_{self._output_name}"

    def __str__(self) -> str:
        return f"${self.get_env_variable_name()}"

    def __repr__(self) -> str:
        return f"PipelineData({self._name!r})"


class PipelineStep(ABC):
    """What all steps have in common: a name, inputs, outputs, arguments, and their order.

    With `fix_port_name_collisions`, an input and an output of the same name become INPUT_<name> and OUTPUT_<name>.
    Raises UserErrorException for data in `arguments` that is in neither `inputs` nor `outputs` (datasets and
    OutputFileDatasetConfig may be in `arguments` alone), and for objects that cannot be inputs, outputs or arguments.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any] | None,
        outputs: Sequence[Any] | None,
        arguments: Sequence[Any] | None = None,
        fix_port_name_collisions: bool = False,
        resource_inputs: Sequence[Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UserErrorException(f"A step needs a name: text that is not empty, not {name!r}.")
        if resource_inputs:
            raise not_yet(f"resource_inputs of step '{name}'", "Put the files into the source_directory.")
        self.name = name
        bound = bind_step(name, inputs, outputs, arguments, fix_port_name_collisions)
        self._inputs: list[BoundInput] = bound.inputs
        self._outputs: list[BoundOutput] = bound.outputs
        self._arguments: list[Token] = bound.arguments
        self._run_after: list[PipelineStep] = []
        for output in self._outputs:
            output.data._producer = self

    def run_after(self, step: PipelineStep | Sequence[PipelineStep]) -> None:
        """Start this step only when `step` (or each of several) has ended, though no data passes between them."""
        for other in [step] if isinstance(step, PipelineStep) else _steps_of(step, "run_after"):
            if other is self:
                raise UserErrorException(f"Step '{self.name}' cannot run after itself.")
            if other not in self._run_after:
                self._run_after.append(other)

    @staticmethod
    def validate_arguments(
        arguments: Sequence[Any] | None, inputs: Sequence[Any] | None, outputs: Sequence[Any] | None
    ) -> None:
        """Raise UserErrorException unless all data in `arguments` is declared and all values can be passed."""
        bind_step("validate_arguments", inputs, outputs, arguments, fix_collisions=False)

    @abstractmethod
    def _parts(self, context: BuildContext) -> StepParts:
        """What the graph says of this step beside its ports and its order."""

    def _source_folder(self, default: Path | None) -> Path | None:
        """The folder whose content travels with the step; None for steps that have none."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


class StepSequence:
    """Steps that run one after another, each when all before it have ended.

    An element may also be a list, whose steps run side by side, or another StepSequence. The steps themselves are
    not changed: in a pipeline without the sequence they keep no trace of it.
    """

    def __init__(self, steps: Sequence[Any] | None = None) -> None:
        self._steps: list[Any] = list(steps or [])
        for _ in iter_steps(self._steps):
            pass

    def __iter__(self) -> Iterator[Any]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def iter_steps(items: Iterable[Any]) -> Iterator[PipelineStep]:
    """All steps in nested lists and sequences, in order. Raises UserErrorException for anything else in them."""
    for item in items:
        if isinstance(item, PipelineStep):
            yield item
        elif isinstance(item, StepSequence | list | tuple):
            yield from iter_steps(item)
        else:
            raise UserErrorException(
                f"A pipeline is made of steps, lists and StepSequences, but contains a {type(item).__name__}."
            )


def _steps_of(items: object, what: str) -> list[PipelineStep]:
    if isinstance(items, list | tuple) and items and all(isinstance(item, PipelineStep) for item in items):
        return list(items)
    raise UserErrorException(f"{what} needs a step or a list of steps, not {type(items).__name__}.")
