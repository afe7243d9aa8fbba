"""How files are read as one table, and what is then done to it. Nothing here reads: `airloom.tabular` does.

All of it is data, so that a table can be part of a graph, be saved, and be handed to another process.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airloom.graph.base import Model, Scalar

TableFormat = Literal["delimited", "parquet", "json_lines", "sql"]
ValueType = Literal["string", "int", "float", "bool", "datetime", "stream"]

# --- expressions ------------------------------------------------------------------------------------------------


class ColumnValue(Model):
    """The value that a row has in a column."""

    kind: Literal["column"] = "column"
    name: str


class Constant(Model):
    """The same value for every row; None is the missing one."""

    kind: Literal["value"] = "value"
    value: Scalar | None


class Moment(Model):
    """The same date and time for every row, in ISO form; without an offset it is in UTC, as all times of tables."""

    kind: Literal["moment"] = "moment"
    value: str


Function = Literal[
    "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "add", "sub", "mul", "div", "mod", "neg",
    "is_null", "contains", "starts_with", "ends_with", "is_in",
]  # fmt: skip


class Call(Model):
    """A function of other expressions. Rows for which a condition is missing are not taken."""

    kind: Literal["call"] = "call"
    function: Function
    arguments: tuple[Expression, ...] = Field(min_length=1, max_length=1000)


Expression = Annotated[ColumnValue | Constant | Moment | Call, Field(discriminator="kind")]

# --- what is done to a table ------------------------------------------------------------------------------------


class Take(Model):
    """The first rows only."""

    kind: Literal["take"] = "take"
    count: int = Field(ge=0)


class Skip(Model):
    """All rows but the first."""

    kind: Literal["skip"] = "skip"
    count: int = Field(ge=0)


class Sample(Model):
    """Each row with this probability. The same rows of the same table have the same fate with the same seed."""

    kind: Literal["sample"] = "sample"
    probability: float = Field(ge=0, le=1)
    seed: int


class Split(Model):
    """One of the two parts of a table that is split at random; no row is in both, and every row in one."""

    kind: Literal["split"] = "split"
    fraction: float = Field(ge=0, le=1)
    seed: int
    part: Literal["first", "second"]


class KeepColumns(Model):
    """These columns only, in this order."""

    kind: Literal["keep_columns"] = "keep_columns"
    columns: tuple[str, ...]


class DropColumns(Model):
    """All columns but these."""

    kind: Literal["drop_columns"] = "drop_columns"
    columns: tuple[str, ...]


class Filter(Model):
    """The rows for which a condition is true."""

    kind: Literal["filter"] = "filter"
    condition: Expression


Transform = Annotated[Take | Skip | Sample | Split | KeepColumns | DropColumns | Filter, Field(discriminator="kind")]

# --- how files are read -----------------------------------------------------------------------------------------


class ColumnType(Model):
    """The type that a column is given. `formats` are those of dates, tried in order; without any, ISO and m/d/y."""

    type: ValueType
    formats: tuple[str, ...] = ()


class ReadOptions(Model):
    """The less common ways of reading a table.

    `headers` says where a delimited file with a header has it: each file the same one, only the first file, or each
    its own (`combined`: the table has all columns). `partition_format` makes columns of parts of the files' paths.
    `path_glob` chooses among the files, by their paths within the dataset.
    """

    infer_types: bool = True
    column_types: dict[str, ColumnType] = Field(default_factory=dict)
    include_path: bool = False
    partition_format: str | None = None
    headers: Literal["each", "first", "combined"] = "each"
    empty_as_string: bool = False
    invalid_lines: Literal["error", "drop"] = "error"
    path_glob: str | None = None
    query: str | None = None


class TableReading(Model):
    """How files are read as one table. `timestamps` are the columns of the time and of the partition's time."""

    separator: str = ","
    header: bool = True
    encoding: str = "utf8"
    keep_columns: tuple[str, ...] | None = None
    format: TableFormat = Field(default="delimited", exclude_if=lambda value: value == "delimited")
    options: ReadOptions = Field(default=ReadOptions(), exclude_if=lambda value: value == ReadOptions())
    transforms: tuple[Transform, ...] = Field(default=(), exclude_if=lambda value: not value)
    timestamps: tuple[str | None, str | None] | None = Field(default=None, exclude_if=lambda value: value is None)

    def then(self, *transforms: Transform) -> TableReading:
        """The same table with more done to it at the end."""
        return self.model_copy(update={"transforms": (*self.transforms, *transforms)})
