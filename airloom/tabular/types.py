"""The types of columns: found out from a sample of text, and given to columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING

from airloom.graph.tables import ColumnType

if TYPE_CHECKING:
    import polars as pl

TEXT = ColumnType(type="string")

ISO_DATES = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S%.f",
)
MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%Y %H:%M:%S%.f", "%m/%d/%Y %H:%M")
KNOWN_DATES = (*ISO_DATES, *MONTH_FIRST)


def infer(sample: pl.DataFrame) -> dict[str, ColumnType]:
    """The type that all values of each column of text have; a column without values is text."""
    return {column.name: _infer(column.drop_nulls()) for column in sample.iter_columns()}


def _infer(values: pl.Series) -> ColumnType:
    if values.is_empty():
        return TEXT
    name = values.name
    tries = [ColumnType(type="bool"), ColumnType(type="int"), ColumnType(type="float")]
    tries += [ColumnType(type="datetime", formats=(form,)) for form in KNOWN_DATES]
    for wanted in tries:
        if values.to_frame().select(from_text(name, wanted).is_not_null().all()).item():
            return wanted
    return TEXT


def from_text(name: str, wanted: ColumnType, *, strict: bool = False) -> pl.Expr:
    """The values of a column of text in a type; those that are not of it become null, or with `strict` an error."""
    import polars as pl

    text = pl.col(name).str.strip_chars()
    match wanted.type:
        case "int":
            return text.cast(pl.Int64, strict=strict).alias(name)
        case "float":
            return text.cast(pl.Float64, strict=strict).alias(name)
        case "bool":
            word = text.str.to_lowercase().cast(pl.Enum(["false", "true"]), strict=strict)
            return (word == "true").alias(name)
        case "datetime":
            return _date(text, wanted.formats or KNOWN_DATES, strict=strict).alias(name)
        case _:
            return pl.col(name)


def _date(text: pl.Expr, formats: tuple[str, ...], *, strict: bool) -> pl.Expr:
    """The text read with the first format that it has. Python's fractions of seconds are written differently here."""
    import polars as pl

    def read(text: pl.Expr, form: str, *, strict: bool) -> pl.Expr:
        return text.str.to_datetime(form.replace(".%f", "%.f"), strict=strict, time_unit="us")

    found = reduce(lambda one, other: one.fill_null(other), (read(text, form, strict=False) for form in formats))
    if not strict:
        return found
    return found.fill_null(read(pl.when(found.is_null()).then(text), formats[-1], strict=True))


def native(wanted: ColumnType) -> pl.DataType | None:
    """The type that the reader of delimited text can give at once, without making text of the column first."""
    import polars as pl

    return {"int": pl.Int64(), "float": pl.Float64(), "string": pl.String(), "stream": pl.String()}.get(wanted.type)


def converted(frame: pl.LazyFrame, types: Mapping[str, ColumnType], *, strict: bool) -> list[pl.Expr]:
    """Columns that have types already, in the types that they are wanted in; failures become null or an error."""
    import polars as pl

    schema = frame.collect_schema()
    expressions = []
    for name, wanted in types.items():
        if name not in schema:
            continue
        if schema[name] == pl.String:
            expressions.append(from_text(name, wanted, strict=strict))
        else:
            expressions.append(pl.col(name).cast(_target(wanted), strict=strict))
    return expressions


def _target(wanted: ColumnType) -> pl.DataType:
    import polars as pl

    targets: dict[str, pl.DataType] = {
        "int": pl.Int64(),
        "float": pl.Float64(),
        "bool": pl.Boolean(),
        "datetime": pl.Datetime("us"),
    }
    return targets.get(wanted.type, pl.String())
