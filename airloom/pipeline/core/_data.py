"""What each kind of data object means as an input or output port of a step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from airloom.core._compat import not_yet
from airloom.data._output_tables import OutputTabularDatasetConfig
from airloom.data.data_reference import DataReference
from airloom.data.datapath import DataPath, DataPathComputeBinding
from airloom.data.dataset_consumption_config import DatasetConsumptionConfig
from airloom.data.file_dataset import FileDataset
from airloom.data.output_dataset_config import OutputDatasetConfig, OutputFileDatasetConfig
from airloom.data.tabular_dataset import TabularDataset
from airloom.exceptions import UserErrorException
from airloom.graph.model import DatasetRegistration as Registration
from airloom.graph.model import DataSource, FilesSource, InputMode, OutputPort, PathSource, TabularSource
from airloom.graph.tables import TableReading
from airloom.pipeline.core._checks import check_choice, check_port_name, datastore_name
from airloom.pipeline.core.graph import (
    INPUT_MODES,
    InputPortBinding,
    OutputPortBinding,
    PipelineDataset,
    PipelineParameter,
    PortDataReference,
)
from airloom.pipeline.core.pipeline_output_dataset import PipelineOutputAbstractDataset

DATA_TYPES = (DataPath, FileDataset, TabularDataset, PipelineDataset, DatasetConsumptionConfig)
"""What a PipelineParameter may hold beside int, float, bool and str."""


@dataclass(frozen=True)
class BoundInput:
    """An input port.

    `reads` is the data: an output of a step (PipelineData, OutputPortBinding, OutputFileDatasetConfig), a data source
    of the graph, or a PipelineParameter that holds data. `source_name` is what the graph calls a data source. `given`
    is the object that the user listed; arguments find the port by it.
    """

    name: str
    reads: Any
    source_name: str
    mode: InputMode = "mount"
    path_on_compute: str | None = None
    overwrite: bool = False
    table: TableReading | None = None
    given: Any = field(default=None, compare=False)

    def reads_same(self, other: BoundInput) -> bool:
        """True if both read the same data: the same output or parameter, or equal data sources."""
        return bool(self.reads == other.reads) and self.table == other.table


@dataclass(frozen=True)
class BoundOutput:
    """An output port; `data` is the object that the step produces, and `port` all about it but its final datastore."""

    data: Any
    port: OutputPort
    given: Any = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Name of the port."""
        return self.port.name

    def renamed(self, name: str) -> BoundOutput:
        """The same output under another port name."""
        return replace(self, port=self.port.model_copy(update={"name": name}))


def is_data(item: Any) -> bool:
    """True for everything that can be an input or output of a step."""
    if isinstance(item, tuple):
        return True
    return _is_produced(item) or isinstance(
        item,
        InputPortBinding
        | PortDataReference
        | PipelineOutputAbstractDataset
        | DataReference
        | DatasetConsumptionConfig
        | PipelineDataset
        | FileDataset
        | TabularDataset,
    )


def declares_itself(item: Any) -> Literal["input", "output"] | None:
    """What an object that stands in the arguments only is taken for; None for those that must be declared."""
    if isinstance(item, OutputDatasetConfig):
        return "output"
    return "input" if isinstance(item, DatasetConsumptionConfig) else None


def is_data_parameter(parameter: PipelineParameter) -> bool:
    """True if the parameter holds data rather than a value."""
    return isinstance(parameter.default_value, DATA_TYPES)


def data_source(value: Any) -> DataSource:
    """The graph's form of a DataPath or dataset, however it is wrapped."""
    while isinstance(value, PipelineDataset | DatasetConsumptionConfig):
        value = value.dataset
    in_graph = getattr(value, "_graph_source", value._to_source)
    return cast(PathSource | FilesSource | TabularSource, in_graph())


# --- inputs -----------------------------------------------------------------------------------------------------


def bind_input(item: Any, step: str) -> BoundInput:
    """The port that an object in `inputs` stands for. Raises UserErrorException for what cannot be one."""
    if isinstance(item, PipelineOutputAbstractDataset):
        bound = bind_input(item.create_input_binding(), step)
        return replace(bound, table=getattr(item, "_reading", None), given=item)
    if isinstance(item, InputPortBinding):
        return _bind_explicitly(item, step)
    if isinstance(item, tuple):
        return _bind_datapath(item, step)
    if isinstance(item, OutputDatasetConfig):
        raise UserErrorException(f"{item!r} is an input of {step}. Pass {item.name}.as_input() instead.")
    if _is_produced(item):
        return BoundInput(item.name, item, item.name, given=item)
    if isinstance(item, PortDataReference):
        return BoundInput(item.name, data_source(item._data_reference), item.name, given=item)
    if isinstance(item, DataReference):
        return _bind_reference(item, step)
    if isinstance(item, DatasetConsumptionConfig | PipelineDataset):
        return _bind_dataset(item, step)
    raise UserErrorException(_cannot_be_input(item, step))


def _cannot_be_input(item: Any, step: str) -> str:
    what = f"{item!r} cannot be an input of {step}."
    if isinstance(item, FileDataset | TabularDataset):
        return f"{what} Give it a name: dataset.as_named_input('name'), with .as_mount() or .as_download() for files."
    if isinstance(item, PipelineParameter):
        if isinstance(item.default_value, DataPath):
            return f"{what} Pass the pair (parameter, DataPathComputeBinding(mode='mount'))."
        if is_data_parameter(item):
            return f"{what} Pass DatasetConsumptionConfig('name', parameter)."
        return f"{what} It holds a value, not data: pass it in arguments or params."
    if isinstance(item, DataPath):
        return f"{what} Pass datapath.create_data_reference('name')."
    return f"{what} Inputs are PipelineData, DataReference, dataset.as_named_input(...) and the like."


def _bind_explicitly(binding: InputPortBinding, step: str) -> BoundInput:
    bound = binding.bind_object
    data_parameter = isinstance(bound, PipelineParameter) and is_data_parameter(bound)
    if data_parameter or isinstance(bound, OutputFileDatasetConfig):
        inner = BoundInput(binding.name, bound, bound.name)
    elif isinstance(bound, FileDataset | TabularDataset):
        inner = BoundInput(binding.name, data_source(bound), binding.name)
    else:
        inner = bind_input(bound, step)
    return replace(
        inner,
        name=binding.name,
        mode=_mode(binding.bind_mode, f"Input '{binding.name}' of {step}"),
        path_on_compute=binding.path_on_compute,
        overwrite=bool(binding.overwrite),
        given=binding,
    )


def _bind_datapath(pair: tuple[Any, ...], step: str) -> BoundInput:
    expected = f"An input of {step} is a tuple; it must be (PipelineParameter of a DataPath, DataPathComputeBinding)"
    if len(pair) != 2:
        raise UserErrorException(f"{expected}, not {len(pair)} things.")
    parameter, binding = pair
    if not isinstance(parameter, PipelineParameter) or not isinstance(parameter.default_value, DataPath):
        raise UserErrorException(f"{expected}, but its first part is {parameter!r}.")
    if not isinstance(binding, DataPathComputeBinding):
        raise UserErrorException(f"{expected}, but its second part is {binding!r}.")
    name = check_port_name(parameter.name, f"the DataPath parameter of {step}")
    return BoundInput(
        name,
        parameter,
        name,
        _mode(binding.mode, f"Input '{name}' of {step}"),
        binding.path_on_compute,
        binding.overwrite,
        given=pair,
    )


def _bind_reference(reference: DataReference, step: str) -> BoundInput:
    name = reference.data_reference_name
    mode = _mode(reference.mode, f"Input '{name}' of {step}")
    return BoundInput(
        name, data_source(reference), name, mode, reference.path_on_compute, bool(reference.overwrite), given=reference
    )


def _bind_dataset(item: DatasetConsumptionConfig | PipelineDataset, step: str) -> BoundInput:
    dataset = item.dataset
    while isinstance(dataset, DatasetConsumptionConfig | PipelineDataset):
        dataset = dataset.dataset
    if isinstance(dataset, PipelineParameter):
        if not is_data_parameter(dataset):
            raise UserErrorException(f"Input '{item.name}' of {step} is {dataset!r}, which does not hold a dataset.")
        reads: Any = dataset
    elif isinstance(dataset, OutputTabularDatasetConfig):
        reads = dataset._files
    else:
        reads = dataset if isinstance(dataset, OutputFileDatasetConfig) else data_source(dataset)
    given_mode = item.mode if isinstance(item, DatasetConsumptionConfig) else item.bind_mode
    mode = check_choice(given_mode, INPUT_MODES, f"The mode of input '{item.name}' of {step}")
    if isinstance(dataset, OutputFileDatasetConfig) and mode == "direct":
        raise not_yet(f"Mode direct for input '{item.name}' of {step}", "Read the output with as_mount().")
    overwrite = isinstance(item, PipelineDataset) and item.overwrite
    table = dataset._reading if isinstance(dataset, OutputTabularDatasetConfig) else None
    return BoundInput(
        item.name, reads, item.name, cast(InputMode, mode), item.path_on_compute, overwrite, table, given=item
    )


def _mode(mode: str, what: str) -> InputMode:
    if mode == "upload":
        raise UserErrorException(f"{what} has mode upload, which is for outputs. Use mount or download.")
    return cast(InputMode, check_choice(mode, INPUT_MODES, f"The mode of {what[0].lower()}{what[1:]}"))


# --- outputs ----------------------------------------------------------------------------------------------------


def bind_output(item: Any, step: str) -> BoundOutput:
    """The port that an object in `outputs` stands for. Raises UserErrorException for what cannot be one."""
    from airloom.pipeline.core.builder import PipelineData

    if isinstance(item, PipelineOutputAbstractDataset):
        return replace(bind_output(item._pipeline_data, step), given=item)
    if isinstance(item, PipelineData):
        return _output(item, item._output_mode, item._output_path_on_compute, item._output_overwrite)
    if isinstance(item, OutputPortBinding):
        return _output(item, item.bind_mode, item.path_on_compute, item.overwrite)
    if isinstance(item, OutputTabularDatasetConfig):
        return replace(_output_files(item._files), given=item)
    if isinstance(item, OutputFileDatasetConfig):
        return _output_files(item)
    hint = "Outputs are PipelineData, OutputPortBinding and OutputFileDatasetConfig."
    if isinstance(item, DatasetConsumptionConfig | InputPortBinding):
        hint = "It reads data; pass the object that it was made from."
    raise UserErrorException(f"{item!r} cannot be an output of {step}. {hint}")


def _output(item: Any, mode: Any, path_on_compute: str | None, overwrite: bool | None) -> BoundOutput:
    port = OutputPort(
        name=item._output_name,
        datastore=datastore_name(item.datastore, f"output '{item.name}'"),
        mode=mode,
        is_directory=bool(item._is_directory),
        path_on_compute=path_on_compute,
        overwrite=bool(overwrite),
        pipeline_output_name=item._pipeline_output_name,
    )
    return BoundOutput(item, port, item)


def registration_of(output: BoundOutput) -> Registration | None:
    """The dataset that an output becomes. It may be asked for after the step was made, until the pipeline is."""
    files = isinstance(output.data, OutputFileDatasetConfig)
    wanted = output.data.registration if files else output.data._dataset_registration
    if wanted is None:
        return None
    reading = output.data._registered_as if files else wanted._reading
    return Registration(
        name=wanted.name,
        description=getattr(wanted, "description", None) or "",
        tags=getattr(wanted, "tags", None) or {},
        create_new_version=getattr(wanted, "create_new_version", True),
        **({} if reading is None else {"reading": _as_table(reading)}),
    )


def _as_table(reading: TableReading) -> TabularSource:
    """A table of which it is not known yet where it lies."""
    return TabularSource(locations=(), **{name: getattr(reading, name) for name in TableReading.model_fields})


def _output_files(item: OutputFileDatasetConfig) -> BoundOutput:
    port = OutputPort(
        name=item.name,
        datastore=datastore_name(item.datastore, f"output '{item.name}'"),
        mode=cast(Literal["mount", "upload"], item.mode),
        is_directory=True,
        path_on_compute=item.source,
        overwrite=bool(item.overwrite),
        destination=item.path_on_datastore,
    )
    return BoundOutput(item, port, item)


def _is_produced(item: Any) -> bool:
    from airloom.pipeline.core.builder import PipelineData

    return isinstance(item, PipelineData | OutputPortBinding | OutputDatasetConfig)
