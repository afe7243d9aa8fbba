"""The step that copies data from one datastore to another."""

from __future__ import annotations

from typing import Any, cast

from airloom.data.data_reference import DataReference
from airloom.data.sql_data_reference import SqlDataReference
from airloom.data.tabular_dataset import TabularDataset
from airloom.exceptions import UserErrorException
from airloom.graph.model import DataTransferSettings, OutputPort, Retries
from airloom.graph.step_settings import ReferenceType, SqlTable, TableFormat
from airloom.pipeline.core._build import BuildContext, StepParts
from airloom.pipeline.core._checks import check_choice, make_retries
from airloom.pipeline.core._data import BoundOutput
from airloom.pipeline.core.builder import PipelineData, PipelineStep
from airloom.pipeline.core.graph import InputPortBinding
from airloom.pipeline.steps.python_script_step import compute_name

REFERENCE_TYPES = ("file", "directory")
FILE_FORMATS = ("parquet", "csv")


class DataTransferStep(PipelineStep):
    """Copies a file, a folder or rows of a database from one datastore to another.

    `source_data_reference` is a DataReference, a SqlDataReference (a table or a query), an output of another step or a
    file dataset (`dataset.as_named_input(...)`); `destination_data_reference` a DataReference, or a SqlDataReference
    with a `sql_table`, whose rows are replaced. `get_output()` is what further steps read.

    `source_reference_type` and `destination_reference_type` are 'file' or 'directory'; without them, what lies at the
    path decides. A file that is copied to a directory keeps its name. What is at the destination is replaced in one
    step when all has been copied.

    Rows become a Parquet file, which keeps their types, or CSV if the destination's name ends in .csv or
    `file_format='csv'` asks for it. `compute_target` is a DataFactoryCompute, any other compute target, or a name: so
    many transfers run on it at a time. Without it, the step runs on the deployment's own workers.

    A step whose source is unchanged, and whose destination still has the copy, is not run again; a step that reads or
    writes a database always runs. `timeout_seconds` ends one that takes longer; `retries` and its pauses are those of
    PythonScriptStep, and a further try copies only what is still lacking.
    """

    def __init__(
        self,
        name: str,
        source_data_reference: Any = None,
        destination_data_reference: Any = None,
        compute_target: Any = None,
        source_reference_type: str | None = None,
        destination_reference_type: str | None = None,
        allow_reuse: bool = True,
        *,
        file_format: str | None = None,
        version: str | None = None,
        timeout_seconds: int | None = None,
        retries: int = 0,
        retry_delay_seconds: float = Retries(count=1).delay_seconds,
        retry_backoff: float = Retries(count=1).backoff,
        retry_max_delay_seconds: float = Retries(count=1).max_delay_seconds,
    ) -> None:
        what = f"step '{name}'"
        source = _given(source_data_reference, "source_data_reference", what)
        destination = _destination(destination_data_reference, what)
        rows = _sql_reference(source)
        if rows is None and isinstance(_innermost(source), TabularDataset):
            raise UserErrorException(
                f"The source of {what} is a tabular dataset; a transfer copies files. Use Dataset.File."
            )
        super().__init__(name, [] if rows else [source], None)
        self._settings = DataTransferSettings(
            source_type=_reference_type(source_reference_type, "source_reference_type", what),
            destination_type=_reference_type(destination_reference_type, "destination_reference_type", what),
            rows=rows._to_rows() if rows else None,
            table=_table(destination, what),
            file_format=_file_format(file_format, what),
        )
        self._output = None if self._settings.table else self._add_output(destination)
        self._compute_target = compute_name(compute_target, what)
        self._allow_reuse = bool(allow_reuse)
        self._version = None if version is None else str(version)
        self._timeout_seconds = timeout_seconds
        self._retries = make_retries(retries, retry_delay_seconds, retry_backoff, retry_max_delay_seconds, what)

    def get_output(self) -> PipelineData:
        """What the step has copied, as an input of further steps.

        Raises UserErrorException if it goes to a table, which no step reads as a file.
        """
        if self._output is None:
            raise UserErrorException(
                f"Step '{self.name}' writes to a table. Let the steps that need it run_after() this one, and read the "
                "table with a SqlDataReference."
            )
        return self._output

    def _add_output(self, destination: DataReference) -> PipelineData:
        name = destination.data_reference_name
        taken = {port.name for port in self._inputs}
        port = f"OUTPUT_{name}" if name in taken else name
        data = PipelineData(name, datastore=destination.datastore, output_name=port)
        location = destination._to_source().location
        if not location.path:
            raise UserErrorException(
                f"The destination of step '{self.name}' is the root of the datastore '{location.datastore}', which "
                "cannot be replaced. Give a path_on_datastore."
            )
        self._outputs.append(
            BoundOutput(data, OutputPort(name=port, datastore=location.datastore, destination=location.path), data)
        )
        data._producer = self
        return data

    def _parts(self, context: BuildContext) -> StepParts:
        return StepParts(
            settings=self._settings,
            compute_target=self._compute_target,
            allow_reuse=self._allow_reuse,
            version=self._version,
            timeout_seconds=self._timeout_seconds,
            retries=self._retries,
        )


def _given(reference: Any, argument: str, what: str) -> Any:
    if reference is None:
        raise UserErrorException(f"{what[0].upper()}{what[1:]} needs a {argument}.")
    return reference


def _innermost(reference: Any) -> Any:
    """What a binding or a named input stands for."""
    while (inner := getattr(reference, "bind_object", None) or getattr(reference, "dataset", None)) is not None:
        reference = inner
    return reference


def _sql_reference(reference: Any) -> SqlDataReference | None:
    found = _innermost(reference)
    return found if isinstance(found, SqlDataReference) else None


def _destination(reference: Any, what: str) -> DataReference:
    given = _given(reference, "destination_data_reference", what)
    found = given.bind_object if isinstance(given, InputPortBinding) else given
    if not isinstance(found, DataReference):
        raise UserErrorException(
            f"The destination_data_reference of {what} must be a DataReference or SqlDataReference, not {given!r}."
        )
    return found


def _table(destination: DataReference, what: str) -> SqlTable | None:
    if not isinstance(destination, SqlDataReference):
        return None
    if destination.sql_table is None:
        raise UserErrorException(f"The destination of {what} is a query. Give a sql_table, whose rows it replaces.")
    return SqlTable(datastore=destination.datastore.name, table=destination.sql_table)


def _reference_type(value: str | None, argument: str, what: str) -> ReferenceType | None:
    return None if value is None else cast(ReferenceType, check_choice(value, REFERENCE_TYPES, f"{argument} of {what}"))


def _file_format(value: str | None, what: str) -> TableFormat | None:
    return None if value is None else cast(TableFormat, check_choice(value, FILE_FORMATS, f"file_format of {what}"))
