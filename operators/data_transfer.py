"""DataTransferOperator: a step that copies data from one datastore to another, in the worker's own process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airloom.errors import InvalidGraph
from airloom.execution.transfer_spec import make_transfer
from airloom.graph.model import (
    DataLocation,
    DataTransferSettings,
    FromSource,
    InputPort,
    OutputOf,
    OutputPort,
    PathSource,
    Retries,
    Step,
)
from airloom.graph.step_settings import ReferenceType, SqlRows, SqlTable, TableFormat
from airloom.operators.retrying import task_settings
from airloom.operators.secrets import TaskSecrets
from airloom.operators.step import STEP_DEFAULTS, StepOperator
from airloom.storage.object_store import open_store
from airloom.storage.workspace import WorkspaceStore
from airloom.transfer.run import TransferRun

if TYPE_CHECKING:
    from airloom.execution import RunInfo
    from airloom.graph.model import Definition
    from airloom.graph.results import OutputRef, StepResult

SOURCE = "source"
DESTINATION = "destination"


class DataTransferOperator(StepOperator):
    """Copies files, folders or rows of a database from one datastore to another, and is reused if unchanged.

    In a hand-written DAG, give:

    - `source`: `"datastore/path"`, an output of another step (`other.port("name")`), which the copying then runs
      after, or `SqlRows(datastore=..., query=...)`, with `table=` in place of `query=` for a whole table;
    - `destination`: `"datastore/path"`, or `SqlTable(datastore=..., table=...)`;
    - `source_type` and `destination_type`: "file" or "directory"; default: what is there decides;
    - `file_format`: "parquet" or "csv", for rows; default: as the file's suffix says;
    - `allow_reuse`, `version`: as for DataTransferStep;
    - `transfer_retries`: how often it is tried again when it fails, such as `Retries(count=3, delay_seconds=30)`.

    The DAG factory uses `from_step` instead.
    """

    ui_color = "#e7f6ec"

    def __init__(
        self,
        *,
        task_id: str,
        source: str | OutputOf | SqlRows | None = None,
        destination: str | SqlTable | None = None,
        source_type: ReferenceType | None = None,
        destination_type: ReferenceType | None = None,
        file_format: TableFormat | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        transfer_retries: Retries | None = None,
        step: Step | None = None,
        **kwargs: Any,
    ) -> None:
        if step is None:
            step = Step(
                id=task_id,
                name=task_id,
                settings=DataTransferSettings(
                    source_type=source_type,
                    destination_type=destination_type,
                    rows=source if isinstance(source, SqlRows) else None,
                    table=destination if isinstance(destination, SqlTable) else None,
                    file_format=file_format,
                ),
                inputs=_inputs(source),
                outputs=_outputs(destination),
                allow_reuse=allow_reuse,
                version=version,
                retries=transfer_retries,
            )
        definition: Definition | None = kwargs.pop("definition", None)
        settings = {**STEP_DEFAULTS, **kwargs}
        super().__init__(task_id=task_id, **{**settings, **task_settings(step, settings["retries"])})
        self._set_up(step, definition, {source: _source(source)} if isinstance(source, str) else {}, None)
        self._run: TransferRun | None = None

    @classmethod
    def from_step(cls, step: Step, definition: Definition, **kwargs: Any) -> DataTransferOperator:
        """The task for a step of a definition."""
        return cls(task_id=step.id, step=step, definition=definition, **kwargs)

    def port(self, name: str = DESTINATION) -> OutputOf:
        """A reference to what is copied, to be given as an input of another step. Raises InvalidGraph."""
        if name not in [port.name for port in self.step.outputs]:
            raise InvalidGraph(
                f"Task {self.task_id!r} has no output {name!r}.",
                hint="A transfer to files has one, 'destination'; one to a table of a database has none.",
                target=self.task_id,
            )
        return OutputOf(step=self.step.id, port=name)

    def compute(
        self, step: Step, definition: Definition, run: RunInfo, attempt: str, results: Mapping[str, StepResult]
    ) -> Mapping[str, OutputRef]:
        """Copy the data, with a line in the task's log now and then."""
        spec = make_transfer(step, definition, run, attempt, results)
        workspace = WorkspaceStore(open_store(definition.store), definition.workspace, secrets=TaskSecrets())
        self._run = TransferRun(workspace, spec, lambda line: self.log.info("%s", line))
        return self._run.run()

    def cancel(self) -> None:
        """Let the copying end after the pieces that are under way."""
        if self._run is not None:
            self._run.cancel()


def _inputs(source: str | OutputOf | SqlRows | None) -> tuple[InputPort, ...]:
    if isinstance(source, str):
        return (InputPort(name=SOURCE, binding=FromSource(source=source)),)
    return (InputPort(name=SOURCE, binding=source),) if isinstance(source, OutputOf) else ()


def _outputs(destination: str | SqlTable | None) -> tuple[OutputPort, ...]:
    if not isinstance(destination, str):
        return ()
    datastore, _, path = destination.partition("/")
    return (OutputPort(name=DESTINATION, datastore=datastore, destination=path),)


def _source(address: str) -> PathSource:
    datastore, _, path = address.partition("/")
    return PathSource(location=DataLocation(datastore=datastore, path=path))
