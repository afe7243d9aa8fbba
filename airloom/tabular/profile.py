"""What is in a table: for each column its type, counts, least and greatest value, distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airloom.tabular.delimited import MARK
from airloom.tabular.failures import explained
from airloom.tabular.table import Table, visible

if TYPE_CHECKING:
    import polars as pl

Profile = dict[str, Any]

BINS = 10
QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
TOP = 10
_MOMENTS = ("mean", "std", "variance", "skewness", "kurtosis")
_LONGEST_VALUE = 200


def profile(table: Table) -> Profile:
    """The profile of a table: {"rows", "columns": [...]}, all of it JSON. Reads the table twice."""
    import polars as pl

    with explained(table.parts, table.reading):
        frame = table.marked()
        schema = frame.collect_schema()
        names = visible(schema.names())
        if not names:
            return {"rows": 0, "columns": []}
        asked = [expression for name in names for expression in _questions(name, schema[name], MARK + name in schema)]
        found = frame.select(pl.len().alias("rows"), *asked).collect(engine="streaming").row(0, named=True)
        more = [_distribution(frame, name, schema[name], found) for name in names]
        answers = pl.collect_all([frame for frame in more if frame is not None], engine="streaming")
    given = iter(answers)
    columns = [
        _column(name, schema[name], found, None if wanted is None else next(given))
        for name, wanted in zip(names, more, strict=True)
    ]
    return {"rows": found["rows"], "columns": columns}


def preview(table: Table, rows: int) -> Profile:
    """The first rows of a table: {"columns": [{name, type}], "rows": [[...]]}, all of it JSON."""
    head = table.collect(rows)
    return {
        "columns": [{"name": name, "type": type_name(kind)} for name, kind in head.schema.items()],
        "rows": [[plain(value) for value in row] for row in head.iter_rows()],
    }


def type_name(kind: pl.DataType) -> str:
    """The type of a column in the words of the SDK."""
    import polars as pl

    if kind.is_integer():
        return "int"
    if kind.is_numeric():
        return "float"
    names: dict[type[pl.DataType], str] = {pl.Boolean: "bool", pl.Datetime: "datetime", pl.Date: "datetime"}
    names.update({pl.String: "string", pl.Binary: "binary", pl.List: "list", pl.Struct: "record", pl.Null: "string"})
    return names.get(type(kind), "string")


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers that are none become null, times text in ISO form, long texts are cut."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value[:_LONGEST_VALUE]]
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _questions(name: str, kind: pl.DataType, marked: bool) -> list[pl.Expr]:
    import polars as pl

    column = pl.col(name)
    if kind.is_float():
        column = column.fill_nan(None)
    asked = {"missing": column.null_count()}
    if marked:
        asked["errors"] = pl.col(MARK + name).sum()
    if kind.is_numeric():
        finite = column.cast(pl.Float64)
        finite = finite.filter(finite.is_finite())
        asked |= {"min": column.min(), "max": column.max(), "low": finite.min(), "high": finite.max()}
        asked |= {"mean": finite.mean(), "std": finite.std(), "variance": finite.var()}
        asked |= {"skewness": finite.skew(), "kurtosis": finite.kurtosis()}
        asked |= {f"quantile {part}": finite.quantile(part, "linear") for part in QUANTILES}
    elif kind.is_temporal() or kind == pl.Boolean:
        asked |= {"min": column.min(), "max": column.max()}
    elif kind == pl.String:
        lengths = column.str.len_chars()
        asked |= {"min": column.min(), "max": column.max(), "empty": (column == "").sum()}
        asked |= {"shortest": lengths.min(), "longest": lengths.max()}
    if not kind.is_nested() and kind not in (pl.Binary, pl.Null):
        asked["distinct"] = column.drop_nulls().approx_n_unique()
    return [expression.alias(f"{question}\n{name}") for question, expression in asked.items()]


def _distribution(frame: pl.LazyFrame, name: str, kind: pl.DataType, found: Mapping[str, Any]) -> pl.LazyFrame | None:
    """How often which value, or for numbers how many in each of equal ranges."""
    import polars as pl

    column = pl.col(name)
    if kind.is_numeric():
        low, high = found[f"low\n{name}"], found[f"high\n{name}"]
        if low is None:
            return None
        width = (high - low) / BINS or 1.0
        if not math.isfinite(width):
            return None
        value = column.cast(pl.Float64)
        place = ((value - low) / width).floor().clip(0, BINS - 1).cast(pl.Int32)
        return frame.filter(value.is_finite()).group_by(place.alias("bin")).len()
    if kind.is_temporal() or kind.is_nested() or kind in (pl.Binary, pl.Null):
        return None
    return frame.filter(column.is_not_null()).group_by(column.alias("value")).len().top_k(TOP, by=["len"])


def _column(name: str, kind: pl.DataType, found: Mapping[str, Any], counts: pl.DataFrame | None) -> Profile:
    def answer(question: str) -> Any:
        return plain(found.get(f"{question}\n{name}"))

    errors = answer("errors") or 0
    column: Profile = {
        "name": name,
        "type": type_name(kind),
        "count": found["rows"] - answer("missing"),
        "missing": answer("missing") - errors,
        "errors": errors,
        "empty": answer("empty"),
        "distinct": answer("distinct"),
        "min": answer("min"),
        "max": answer("max"),
        **{moment: answer(moment) for moment in _MOMENTS},
        "quantiles": {},
        "histogram": [],
        "top_values": [],
        "shortest": answer("shortest"),
        "longest": answer("longest"),
    }
    if kind.is_numeric():
        column["quantiles"] = {str(part): answer(f"quantile {part}") for part in QUANTILES}
        column["histogram"] = _histogram(answer("low"), answer("high"), counts)
    elif counts is not None:
        rows = sorted(counts.iter_rows(), key=lambda row: (-row[1], str(row[0])))
        column["top_values"] = [{"value": plain(value), "count": count} for value, count in rows]
    return column


def _histogram(low: float | None, high: float | None, counts: pl.DataFrame | None) -> list[Profile]:
    if low is None or high is None or counts is None:
        return []
    width = (high - low) / BINS
    if not width:
        return [{"low": low, "high": high, "count": int(counts["len"].sum())}]
    number = dict(counts.iter_rows())
    edges = [low + width * edge for edge in range(BINS)] + [high]
    return [{"low": edges[bin], "high": edges[bin + 1], "count": number.get(bin, 0)} for bin in range(BINS)]
