"""The data model of a pipeline.

Graphs are values: immutable, JSON-serialisable, and equal content has an equal digest. Whoever makes a pipeline
(SDK, YAML, designer, REST) makes a `PipelineGraph`; whoever runs one (DAG factory, operators, plan) reads it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airloom.graph.base import Model as Model
from airloom.graph.base import Scalar as Scalar
from airloom.graph.step_settings import DataTransferSettings as DataTransferSettings
from airloom.graph.step_settings import EnvironmentSpec as EnvironmentSpec
from airloom.graph.step_settings import PythonScriptSettings as PythonScriptSettings
from airloom.graph.step_settings import StepSettings as StepSettings
from airloom.graph.tables import TableReading

ParameterType = Literal["int", "float", "bool", "string", "datapath", "dataset"]
InputMode = Literal["mount", "download", "direct"]
OutputMode = Literal["mount", "upload"]
ReuseMode = Literal["auto", "off", "refresh"]


# --- data -------------------------------------------------------------------------------------------------------


class DataLocation(Model):
    """A file, folder or glob pattern on a datastore; `path` is relative to the datastore's root."""

    datastore: str
    path: str = ""


class PathSource(Model):
    """A file or folder on a datastore (v1: DataReference, DataPath)."""

    kind: Literal["path"] = "path"
    location: DataLocation


class DatasetRef(Model):
    """The version of a registered dataset that a source was taken from; `digest` is its content as registered."""

    id: str
    name: str
    version: int
    digest: str


def _is_none(value: object) -> bool:
    """For fields that came later: left out where they say nothing, so that digests of graphs stay what they were."""
    return value is None


class FilesSource(Model):
    """The files matched by one or more paths or globs (v1: FileDataset).

    `partition_format` names parts of the paths, such as `/{country}/{day:yyyy-MM-dd}/data.csv`.
    """

    kind: Literal["files"] = "files"
    locations: tuple[DataLocation, ...]
    partition_format: str | None = Field(default=None, exclude_if=_is_none)
    dataset: DatasetRef | None = Field(default=None, exclude_if=_is_none)


class TabularSource(TableReading):
    """Files read as one table, with what is done to it (v1: TabularDataset)."""

    kind: Literal["tabular"] = "tabular"
    locations: tuple[DataLocation, ...]
    dataset: DatasetRef | None = Field(default=None, exclude_if=_is_none)

    @property
    def reading(self) -> TableReading:
        """How the files are read, without where they lie."""
        return TableReading(**{name: getattr(self, name) for name in TableReading.model_fields})


DatasetSource = Annotated[FilesSource | TabularSource, Field(discriminator="kind")]
DataSource = Annotated[PathSource | FilesSource | TabularSource, Field(discriminator="kind")]


def source_locations(source: DataSource) -> tuple[DataLocation, ...]:
    """All places that a data source reads from."""
    return (source.location,) if isinstance(source, PathSource) else source.locations


def is_query(source: DataSource) -> bool:
    """True for the rows of a query: where they come from does not tell what they are before it is run."""
    return isinstance(source, TabularSource) and source.format == "sql"


class ParameterDef(Model):
    """A pipeline parameter: a named value that each run may set. The default fixes the type."""

    name: str
    type: ParameterType
    default: Scalar | DataSource


# --- ports ------------------------------------------------------------------------------------------------------


class OutputOf(Model):
    """The input is what another step wrote to one of its output ports."""

    kind: Literal["output"] = "output"
    step: str
    port: str


class FromSource(Model):
    """The input is one of the graph's data sources."""

    kind: Literal["source"] = "source"
    source: str


class FromParameter(Model):
    """The input is given by a pipeline parameter of type datapath or dataset."""

    kind: Literal["parameter"] = "parameter"
    parameter: str


class InputPort(Model):
    """A named input of a step. With mode `direct` the script gets the dataset itself, not a path.

    `table` says how the files that another step wrote are read as a table; data sources say so themselves.
    """

    name: str
    binding: Annotated[OutputOf | FromSource | FromParameter, Field(discriminator="kind")]
    mode: InputMode = "mount"
    path_on_compute: str | None = None
    overwrite: bool = False
    table: TableReading | None = Field(default=None, exclude_if=lambda table: table is None)


class DatasetRegistration(Model):
    """The dataset that an output becomes when its step has succeeded.

    `reading` says how the files are to be read; its locations are filled in then. Without `create_new_version`, a name
    that has a version with other data already is left as it is.
    """

    name: str
    description: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    create_new_version: bool = True
    reading: DatasetSource = FilesSource(locations=())


class OutputPort(Model):
    """A named output of a step.

    `datastore` None means the workspace's default datastore. `is_directory` True makes the folder before the script
    starts; otherwise the script itself makes a file or a folder at the path it is given. `destination` is the path on
    the datastore asked for by the author; None lets Airloom choose one of its own per attempt.
    """

    name: str
    datastore: str | None = None
    mode: OutputMode = "mount"
    is_directory: bool = False
    path_on_compute: str | None = None
    overwrite: bool = False
    destination: str | None = None
    pipeline_output_name: str | None = None
    registration: DatasetRegistration | None = Field(default=None, exclude_if=_is_none)


# --- arguments --------------------------------------------------------------------------------------------------


class LiteralValue(Model):
    """A value written into the pipeline. It reaches the script exactly as it is: nothing in it is a template."""

    kind: Literal["literal"] = "literal"
    value: Scalar


class InputPath(Model):
    """Replaced at run time by the path (mode direct: the id) of an input."""

    kind: Literal["input"] = "input"
    port: str


class OutputPath(Model):
    """Replaced at run time by the path at which the script must write an output."""

    kind: Literal["output"] = "output"
    port: str


class ParameterValue(Model):
    """Replaced at run time by the value of a pipeline parameter."""

    kind: Literal["parameter"] = "parameter"
    parameter: str


Argument = Annotated[LiteralValue | InputPath | OutputPath | ParameterValue, Field(discriminator="kind")]
ParamValue = Annotated[LiteralValue | ParameterValue, Field(discriminator="kind")]


# --- steps ------------------------------------------------------------------------------------------------------


class Retries(Model):
    """How often a step whose script fails is run again, and how long it waits before each time.

    It waits `delay_seconds` before the first time, and `backoff` times as long before each further one, but never
    longer than `max_delay_seconds`.
    """

    count: int
    delay_seconds: float = 10.0
    backoff: float = 2.0
    max_delay_seconds: float = 600.0

    def delay(self, failures: int) -> float:
        """The seconds to wait after so many failures in a row."""
        return min(self.max_delay_seconds, self.delay_seconds * self.backoff ** (failures - 1))


class Step(Model):
    """One unit of work. `id` is unique in the graph and names the Airflow task; `name` is the author's label.

    `timeout_seconds` None means no limit, `retries` None that a script which fails is not run again. `run_after` holds
    the ids of steps that must end before this one starts, beside those whose outputs it reads.
    """

    id: str
    name: str
    settings: StepSettings
    inputs: tuple[InputPort, ...] = ()
    outputs: tuple[OutputPort, ...] = ()
    arguments: tuple[Argument, ...] = ()
    params: dict[str, ParamValue] = Field(default_factory=dict)
    compute_target: str | None = None
    run_after: tuple[str, ...] = ()
    allow_reuse: bool = True
    reuse: ReuseMode = "auto"
    version: str | None = None
    timeout_seconds: int | None = None
    retries: Retries | None = Field(default=None, exclude_if=lambda retries: retries is None)

    @property
    def script(self) -> PythonScriptSettings | None:
        """The settings of a step that runs a script; None for steps of other types."""
        return self.settings if isinstance(self.settings, PythonScriptSettings) else None

    def upstream(self) -> tuple[str, ...]:
        """Ids of the steps that must end before this one, each once, in order of first mention."""
        return tuple(dict.fromkeys([*self.data_upstream(), *self.run_after]))

    def data_upstream(self) -> tuple[str, ...]:
        """Ids of the steps whose outputs this one reads, each once, in order of first mention."""
        return tuple(dict.fromkeys(port.binding.step for port in self.inputs if isinstance(port.binding, OutputOf)))


class PipelineGraph(Model):
    """A whole pipeline. `format` is the version of this model; readers refuse one that they do not know."""

    format: Literal[1] = 1
    description: str = ""
    parameters: tuple[ParameterDef, ...] = ()
    sources: dict[str, DataSource] = Field(default_factory=dict)
    steps: tuple[Step, ...]
    continue_on_step_failure: bool = False

    def snapshots(self) -> tuple[str, ...]:
        """The digests of the source folders of its steps, each once."""
        return tuple(dict.fromkeys(step.script.snapshot for step in self.steps if step.script is not None))

    def step(self, step_id: str) -> Step:
        """The step with this id. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


class Publication(Model):
    """What makes a definition that of a published pipeline, each of which has a DAG of its own."""

    id: str
    name: str
    description: str = ""
    version: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    owner: str = ""


class Definition(Model):
    """A graph made runnable: bound to a workspace and an experiment. One Airflow DAG runs one definition.

    `store` is the address of the deployment's store (`file:///...`), `pools` maps compute targets to Airflow pools.
    With a `publication` the experiment is only the default of runs that name none.
    """

    format: Literal[1] = 1
    workspace: str
    experiment: str
    store: str
    default_datastore: str
    pools: dict[str, str] = Field(default_factory=dict)
    graph: PipelineGraph
    publication: Publication | None = Field(default=None, exclude_if=lambda publication: publication is None)


JsonObject = dict[str, Any]
