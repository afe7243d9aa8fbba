"""The settings of a step, by its type: what it does beside reading its inputs and writing its outputs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from airloom.graph.base import Model

ReferenceType = Literal["file", "directory"]
TableFormat = Literal["parquet", "csv"]


class EnvironmentSpec(Model):
    """What the script's Python environment must hold.

    With no packages, no Python version and no interpreter path, the worker's own default environment is used.
    `packages` are PEP 508 requirements, `python_version` is like "3.11". `image` names a container image, which counts
    only on computes that run containers.
    """

    python_version: str | None = None
    packages: tuple[str, ...] = ()
    interpreter_path: str | None = None
    variables: dict[str, str] = Field(default_factory=dict)
    image: str | None = None

    @property
    def is_default(self) -> bool:
        """True if the worker's own environment serves."""
        return not self.packages and self.python_version is None and self.interpreter_path is None


class PythonScriptSettings(Model):
    """Settings of a step that runs one Python script of a source folder.

    `snapshot` is the digest of the uploaded source folder. `hash_paths`, when given, names the files and folders in
    it that count for reuse beside the script itself; all others may change freely.
    """

    type: Literal["python_script"] = "python_script"
    script_name: str
    snapshot: str
    hash_paths: tuple[str, ...] = ()
    environment: EnvironmentSpec = EnvironmentSpec()


class SqlRows(Model):
    """Rows of a database to be read: all of a table, or the result of a query. Exactly one of both is given."""

    datastore: str
    table: str | None = None
    query: str | None = None


class SqlTable(Model):
    """A table of a database to be written: what it holds is replaced in one step."""

    datastore: str
    table: str


class DataTransferSettings(Model):
    """Settings of a step that copies data from one datastore to another.

    Files come through the step's only input and go to its only output, whose destination is where they are wanted.
    Rows of a database are no files: they are read as `rows`, in place of an input, or written to `table`, in place of
    an output. `source_type` None means that what lies at the path decides. `file_format` None leaves it to the suffix
    of the file.
    """

    type: Literal["data_transfer"] = "data_transfer"
    source_type: ReferenceType | None = None
    destination_type: ReferenceType | None = None
    rows: SqlRows | None = None
    table: SqlTable | None = None
    file_format: TableFormat | None = None


def _type_of(settings: Any) -> Any:
    """Settings without a type are those of a script, as in graphs from before there were other types."""
    if isinstance(settings, dict):
        return settings.get("type", "python_script")
    return getattr(settings, "type", None)


StepSettings = Annotated[
    Annotated[PythonScriptSettings, Tag("python_script")] | Annotated[DataTransferSettings, Tag("data_transfer")],
    Discriminator(_type_of),
]
