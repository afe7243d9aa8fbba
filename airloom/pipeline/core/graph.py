"""Ports and parameters: how steps name the data and the values that reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom._lazy import lazy_exports
from airloom.core._compat import ignored, not_yet
from airloom.exceptions import UserErrorException
from airloom.pipeline.core._checks import check_choice, check_port_name, datastore_name

if TYPE_CHECKING:
    from airloom.core import Workspace
    from airloom.pipeline.core.builder import PipelineStep
    from airloom.pipeline.core.pipeline_output_dataset import DatasetRegistration
    from airloom.pipeline.core.run import StepRun

__all__ = ["InputPortBinding", "OutputPortBinding", "PipelineDataset", "PipelineParameter", "PortDataReference"]

# Defined in modules that need this one.
_ELSEWHERE = {
    **dict.fromkeys(
        ("DataSourceNode", "Edge", "Graph", "InputPort", "ModuleNode", "Node", "OutputPort", "Param"),
        "airloom.pipeline.core._graph_view",
    ),
    "PublishedPipeline": "airloom.pipeline.core.published_pipeline",
}
__getattr__, __dir__ = lazy_exports(__name__, _ELSEWHERE)

INPUT_MODES = ("mount", "download", "direct")
OUTPUT_MODES = ("mount", "upload")


class PipelineParameter:
    """A named value of a pipeline that each run may set anew.

    `default_value` is used by runs that do not set it, and fixes the type: int, float, bool, str, DataPath, a file
    or tabular dataset, or a PipelineDataset. One object may be used in many steps, as an argument, in `params`, or
    (data only) as an input. Raises UserErrorException if the name is empty or the type is none of these.
    """

    def __init__(self, name: str, default_value: Any) -> None:
        if not isinstance(name, str) or not name:
            raise UserErrorException(f"A PipelineParameter needs a name: text that is not empty, not {name!r}.")
        if default_value is None:
            raise UserErrorException(f"The PipelineParameter '{name}' needs a default_value, which fixes its type.")
        if isinstance(default_value, list | tuple | dict | set | PipelineParameter):
            raise UserErrorException(
                f"The default_value of PipelineParameter '{name}' is a {type(default_value).__name__}. "
                "It must be an int, float, bool, str, DataPath or dataset."
            )
        self.name = name
        self.default_value = default_value

    def __repr__(self) -> str:
        return f"PipelineParameter(name={self.name!r}, default_value={self.default_value!r})"


class InputPortBinding:
    """One input of a step: the data, and how it is brought to the script.

    `bind_object` is what is read: PipelineData, OutputPortBinding, DataReference, PortDataReference, a dataset input,
    or a PipelineParameter that holds data. `bind_mode` is mount (read where it lies), download (a copy of its own) or
    direct (datasets only: the script gets the dataset itself). `path_on_compute` puts the data at a path of your
    choice, and `overwrite` allows it to replace files there.
    """

    def __init__(
        self,
        name: str,
        bind_object: Any = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
        is_resource: bool = False,
        additional_transformations: Any = None,
        **kwargs: Any,
    ) -> None:
        self._name = check_port_name(name, "an InputPortBinding")
        if bind_object is None:
            raise UserErrorException(f"The InputPortBinding '{name}' needs a bind_object: the data that it reads.")
        if is_resource:
            raise not_yet(f"is_resource of the InputPortBinding '{name}'", "Read the file by the path of the input.")
        if additional_transformations is not None:
            raise not_yet(f"additional_transformations of the InputPortBinding '{name}'")
        self._bind_object = bind_object
        self._bind_mode = check_choice(bind_mode, INPUT_MODES, f"The bind_mode of input '{name}'")
        self._path_on_compute = path_on_compute
        self._overwrite = overwrite

    @property
    def name(self) -> str:
        """Name of the input; also the end of the environment variable AZUREML_DATAREFERENCE_<name>."""
        return self._name

    @property
    def bind_object(self) -> Any:
        """The data that is read."""
        return self._bind_object

    @property
    def bind_mode(self) -> str:
        """mount, download or direct."""
        return self._bind_mode

    @property
    def path_on_compute(self) -> str | None:
        """Where the script finds the data; None lets Airloom choose."""
        return self._path_on_compute

    @property
    def overwrite(self) -> bool | None:
        """True if files at `path_on_compute` may be replaced."""
        return self._overwrite

    @property
    def data_reference_name(self) -> str:
        """Name of the bound data."""
        return self.get_bind_object_name()

    @property
    def data_type(self) -> Any:
        """Data type of the bound data, None if it has none."""
        return self.get_bind_object_data_type()

    @property
    def is_resource(self) -> bool:
        """Always False: resource inputs are not available."""
        return False

    @property
    def additional_transformations(self) -> None:
        """Always None: transformations of inputs are not available."""
        return None

    def as_resource(self) -> InputPortBinding:
        """Raises UserErrorException: inputs as resources of the job are not available."""
        raise not_yet(f"as_resource() of input '{self._name}'", "Read the file by the path of the input.")

    def get_bind_object_name(self) -> str:
        """Name of the bound data; that of this input if the data has none."""
        bound = self._bind_object[0] if isinstance(self._bind_object, tuple) else self._bind_object
        name = getattr(bound, "data_reference_name", None) or getattr(bound, "name", None)
        return str(name or self._name)

    def get_bind_object_data_type(self) -> Any:
        """Data type of the bound data, None if it has none."""
        return getattr(self._bind_object, "data_type", None)

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self._name}"

    def __repr__(self) -> str:
        return f"InputPortBinding(name={self._name!r}, bind_object={self._bind_object!r}, mode={self._bind_mode!r})"


class OutputPortBinding:
    """One output of a step, which other steps may read.

    The script writes a file or folder at the path it is given; `is_directory` makes the folder beforehand. The
    output goes to `datastore`, or to the pipeline's default. `pipeline_output_name` lets the run offer it under
    that name (`PipelineRun.get_pipeline_output`). One step only may produce it.
    """

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: str | None = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        is_directory: bool | None = None,
        overwrite: bool | None = None,
        data_type: Any = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
        dataset_registration: Any = None,
        dataset_output: Any = None,
    ) -> None:
        self._name = check_port_name(name, "an OutputPortBinding")
        self._output_name = check_port_name(output_name or name, "an OutputPortBinding")
        refuse_output_extras(name, training_output, dataset_output)
        self._dataset_registration = check_registration(dataset_registration, name)
        datastore_name(datastore, f"output '{name}'")
        self._datastore = datastore
        self._bind_mode = check_choice(bind_mode, OUTPUT_MODES, f"The bind_mode of output '{name}'")
        self._path_on_compute = path_on_compute
        self._is_directory = is_directory
        self._overwrite = overwrite
        self._data_type = noted_data_type(data_type)
        self._pipeline_output_name = pipeline_output_name
        self._producer: PipelineStep | None = None

    @property
    def name(self) -> str:
        """Name of the data; the port is called `output_name`, or the same."""
        return self._name

    @property
    def datastore(self) -> Any:
        """Where the output goes; None means the default datastore."""
        return self._datastore

    @property
    def bind_mode(self) -> str:
        """mount (written where it will lie) or upload (copied there when the script has ended)."""
        return self._bind_mode

    @property
    def path_on_compute(self) -> str | None:
        """Where the script writes; None lets Airloom choose."""
        return self._path_on_compute

    @property
    def is_directory(self) -> bool | None:
        """True if the folder is made before the script starts."""
        return self._is_directory

    @property
    def overwrite(self) -> bool | None:
        """True if an output at the same place may be replaced."""
        return self._overwrite

    @property
    def data_type(self) -> Any:
        """The data type that was given. It is kept, and not checked."""
        return self._data_type

    @property
    def pipeline_output_name(self) -> str | None:
        """Name under which the run offers this output."""
        return self._pipeline_output_name

    @property
    def training_output(self) -> None:
        """Always None: training outputs are not available."""
        return None

    @property
    def dataset_registration(self) -> DatasetRegistration | None:
        """The dataset that the output becomes when its step has succeeded; None if it does not."""
        return self._dataset_registration

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self._output_name}"


class PipelineDataset:
    """A dataset as input of a step: which one, under which name, and in which mode.

    Code of today writes `dataset.as_named_input('name').as_mount()` instead. `parameter_name` marks a dataset that
    stands for a PipelineParameter of that name.
    """

    dataset: Any
    name: str
    bind_mode: str
    path_on_compute: str | None
    overwrite: bool
    parameter_name: str | None

    def __init__(
        self,
        dataset: Any = None,
        name: str | None = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
        parameter_name: str | None = None,
    ) -> None:
        self.validate_dataset(dataset)
        self.dataset = dataset
        self.name = check_port_name(name or self.default_name(dataset), "a PipelineDataset")
        self.bind_mode = check_choice(bind_mode, INPUT_MODES, f"The bind_mode of PipelineDataset '{self.name}'")
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite
        self.parameter_name = parameter_name

    @staticmethod
    def default_name(dataset: Any) -> str:
        """The registered name of a dataset in the characters of a port name, else "dataset"."""
        name = getattr(dataset, "name", None)
        return "".join(c if c.isascii() and c.isalnum() else "_" for c in name) if name else "dataset"

    @staticmethod
    def is_dataset(dset: Any) -> bool:
        """True for file and tabular datasets."""
        from airloom.data import FileDataset, TabularDataset

        return isinstance(dset, FileDataset | TabularDataset)

    @staticmethod
    def validate_dataset(dset: Any) -> None:
        """Raise UserErrorException for anything but a file or tabular dataset."""
        if not PipelineDataset.is_dataset(dset):
            raise UserErrorException(f"A PipelineDataset needs a file or tabular dataset, not {type(dset).__name__}.")

    @staticmethod
    def create(dataset: Any, name: str | None = None, parameter_name: str | None = None) -> PipelineDataset:
        """Make one from a dataset, or from the result of `dataset.as_named_input(...)`, with its name and mode."""
        from airloom.data import DatasetConsumptionConfig

        if isinstance(dataset, DatasetConsumptionConfig):
            return PipelineDataset(
                dataset.dataset, name or dataset.name, dataset.mode, dataset.path_on_compute, False, parameter_name
            )
        return PipelineDataset(dataset, name, "direct", None, False, parameter_name)

    @property
    def workspace(self) -> Any:
        """Workspace of the dataset, None if it is not bound to one."""
        return getattr(self.dataset, "workspace", None)

    @property
    def dataset_id(self) -> str | None:
        """Id of the registered dataset, None if it is not registered."""
        return getattr(self.dataset, "id", None)

    @property
    def saved_dataset_id(self) -> str | None:
        """The same as `dataset_id`: what a dataset reads never changes under one id."""
        return self.dataset_id

    @property
    def dataset_version(self) -> int | None:
        """Version of the registered dataset, None if it is not registered."""
        return getattr(self.dataset, "version", None)


class PortDataReference:
    """Where an output of a finished step lies. It can be downloaded, or be an input of a step of another pipeline."""

    def __init__(
        self, context: Workspace, pipeline_run_id: str, data_reference: Any, step_run: StepRun | None = None
    ) -> None:
        self._workspace = context
        self.pipeline_run_id = pipeline_run_id
        self._data_reference = data_reference
        self._step_run = step_run

    @property
    def name(self) -> str:
        """Name of the output port."""
        return str(self._data_reference.data_reference_name)

    @property
    def datastore(self) -> Any:
        """The datastore that holds the output."""
        return self._data_reference.datastore

    @property
    def datastore_name(self) -> str:
        """Name of the datastore that holds the output."""
        return str(datastore_name(self._data_reference.datastore, f"output '{self.name}'"))

    @property
    def path_on_datastore(self) -> str:
        """Path of the file or folder, relative to the root of the datastore."""
        return str(self._data_reference.path_on_datastore)

    @property
    def _path_on_datastore(self) -> str:
        """What code written for v1 reads to find the downloaded files: v1 had no public way."""
        return self.path_on_datastore

    def download(self, local_path: str, overwrite: bool | None = None, show_progress: bool | None = None) -> int:
        """Copy the output to `local_path`/<path_on_datastore>, and return the number of files.

        Files that are there already are kept unless `overwrite` is True. `show_progress` (default True) shows how
        far the copying is.
        """
        shown = True if show_progress is None else show_progress
        count: int = self.datastore.download(
            target_path=local_path, prefix=self.path_on_datastore, overwrite=bool(overwrite), show_progress=shown
        )
        return count

    def as_download(
        self, input_name: str | None = None, path_on_compute: str | None = None, overwrite: bool | None = None
    ) -> InputPortBinding:
        """Use it as an input of which the step gets a copy of its own."""
        return self.create_input_binding(input_name, "download", path_on_compute, overwrite)

    def as_mount(self, input_name: str | None = None) -> InputPortBinding:
        """Use it as an input that is read where it lies."""
        return self.create_input_binding(input_name, "mount")

    def as_input(self, input_name: str) -> InputPortBinding:
        """Use it as an input with a name of your choice."""
        return self.create_input_binding(input_name)

    def create_input_binding(
        self,
        input_name: str | None = None,
        mode: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
    ) -> InputPortBinding:
        """Use it as an input; the defaults are its own name, mode mount, and a path chosen by Airloom."""
        return InputPortBinding(input_name or self.name, self, mode or "mount", path_on_compute, overwrite)

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{self.name}"

    def __repr__(self) -> str:
        return f"PortDataReference({self.datastore_name}/{self.path_on_datastore})"


def refuse_output_extras(name: str, training_output: Any, dataset_output: Any = None) -> None:
    """Refuse what outputs of v1 can carry and those of this version cannot; nothing of it is dropped silently."""
    if training_output is not None:
        raise not_yet(f"training_output of output '{name}'", "Let the script write the model or the metrics.")
    if dataset_output is not None:
        raise not_yet(f"dataset_output of output '{name}'", "Pass the OutputFileDatasetConfig itself as the output.")


def check_registration(registration: Any, output: str) -> DatasetRegistration | None:
    """What was given as dataset_registration. Raises UserErrorException for anything else."""
    from airloom.pipeline.core.pipeline_output_dataset import DatasetRegistration

    if registration is None or isinstance(registration, DatasetRegistration):
        return registration
    raise UserErrorException(
        f"dataset_registration of output '{output}' must be a DatasetRegistration, not {registration!r}."
    )


def noted_data_type(data_type: Any) -> Any:
    """Keep a data type as it was given, with one warning that nothing checks it."""
    if data_type is not None:
        ignored("data_type", "outputs are files and folders; Airloom does not check their type.")
    return data_type
