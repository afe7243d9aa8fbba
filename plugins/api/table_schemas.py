"""What is said of tables over HTTP."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Value = bool | int | float | str | None


class TableColumn(BaseModel):
    """A column: `type` is int, float, bool, string, datetime, binary, list or record."""

    name: str
    type: str


class TablePreview(BaseModel):
    """The first rows of a table; each has a value per column."""

    columns: list[TableColumn]
    rows: list[list[Any]]


class Bin(BaseModel):
    """How many numbers lie between `low` and `high`; the last range has its end in it."""

    low: float
    high: float
    count: int


class TopValue(BaseModel):
    """How often a value is there."""

    value: Value
    count: int


class ColumnProfile(TableColumn):
    """What is in a column. What does not apply to its type is null or empty.

    `count` values are there, `missing` are not, `errors` are not of the column's type, `empty` are texts without a
    character. `distinct` is an estimate. `shortest` and `longest` are lengths of texts.
    """

    count: int
    missing: int
    errors: int
    empty: int | None
    distinct: int | None
    min: Value
    max: Value
    mean: float | None
    std: float | None
    variance: float | None
    skewness: float | None
    kurtosis: float | None
    quantiles: dict[str, float | None]
    histogram: list[Bin]
    top_values: list[TopValue]
    shortest: int | None
    longest: int | None


class TableProfile(BaseModel):
    """What is in a table."""

    rows: int
    columns: list[ColumnProfile]
