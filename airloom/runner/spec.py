"""What the runner must be told of a step, as one JSON document, so that any host can be given it as a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airloom.graph.canonical import digest_value
from airloom.graph.model import (
    DataLocation,
    EnvironmentSpec,
    InputMode,
    InputPath,
    LiteralValue,
    Model,
    OutputMode,
    OutputPath,
)
from airloom.graph.results import OutputRef
from airloom.graph.tables import TableReading

ResolvedArgument = Annotated[LiteralValue | InputPath | OutputPath, Field(discriminator="kind")]
"""One argument of the script, pipeline parameters replaced by their values."""


class TabularOptions(TableReading):
    """How the files of a table are read, and what is done to it."""


class StagedInput(Model):
    """An input whose data is known: where it lies, and in which way the script gets it.

    `digest` is that of the content; with mode `direct` it is what the script is given in place of a path.
    `path_on_compute` is relative to the script's working folder.
    """

    name: str
    mode: InputMode = "mount"
    kind: Literal["path", "files", "tabular"] = "path"
    paths: tuple[DataLocation, ...]
    digest: str
    path_on_compute: str | None = None
    overwrite: bool = False
    tabular: TabularOptions = TabularOptions()

    @property
    def is_dataset(self) -> bool:
        """True if the script gets the dataset itself and not a path."""
        return self.mode == "direct" or self.kind == "tabular"

    @property
    def is_query(self) -> bool:
        """True for the rows of a query, which lie nowhere before it is run."""
        return self.kind == "tabular" and self.tabular.format == "sql"

    @property
    def dataset_id(self) -> str:
        """By what the script knows a dataset: two tables that are parts of the same files differ in it."""
        if self.kind != "tabular" or self.tabular == TabularOptions():
            return self.digest
        return digest_value([self.digest, self.tabular.model_dump(mode="json")])


class StagedOutput(Model):
    """An output and its final path on a datastore, at which it appears when the step has succeeded.

    With mode `mount`, what was there before is replaced; with mode `upload` only if `overwrite` is set.
    """

    name: str
    datastore: str
    path: str
    mode: OutputMode = "mount"
    is_directory: bool = False
    path_on_compute: str | None = None
    overwrite: bool = False


class StepSpec(Model):
    """One attempt of one step. `run_id` is the run of the pipeline, `store` the address of the deployment's store.

    `timeout_seconds` limits the script, not the making of its environment or the copying of data. `changes` is the key
    of the batch of changes that the run was started for, if that is so.
    """

    format: Literal[1] = 1
    store: str
    workspace: str
    experiment: str
    run_id: str
    step_id: str
    step_name: str
    attempt: str
    snapshot: str
    script_name: str
    arguments: tuple[ResolvedArgument, ...] = ()
    environment_variables: dict[str, str] = Field(default_factory=dict)
    environment: EnvironmentSpec = EnvironmentSpec()
    inputs: tuple[StagedInput, ...] = ()
    outputs: tuple[StagedOutput, ...] = ()
    timeout_seconds: float | None = None
    pipeline_parameters: dict[str, Any] = Field(default_factory=dict)
    changes: str | None = None

    @property
    def step_run_id(self) -> str:
        """The id that the script knows its own run by; `run_id` is the parent of that run."""
        return f"{self.run_id}_{self.step_id}"


class StepOutcome(Model):
    """What a step left that succeeded. `seconds` is the whole attempt, with staging and environment."""

    outputs: dict[str, OutputRef]
    seconds: float
    exit_code: int = 0
