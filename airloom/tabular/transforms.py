"""What is done to a table, one thing after the other, without reading it yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airloom.errors import InvalidGraph
from airloom.graph.tables import DropColumns, Filter, KeepColumns, Sample, Skip, Split, Take, Transform
from airloom.tabular.delimited import MARK
from airloom.tabular.expressions import columns_of, evaluated
from airloom.tabular.failures import missing_column

if TYPE_CHECKING:
    import polars as pl

_ROW = "__airloom_row__"
_BITS = 1 << 64


def transformed(frame: pl.LazyFrame, transforms: Sequence[Transform]) -> pl.LazyFrame:
    """The table after all of it. Raises InvalidGraph for columns that it does not have."""
    for transform in transforms:
        frame = _apply(frame, transform)
    return frame


def kept(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """These columns only."""
    _check(frame, columns)
    return frame.select([*dict.fromkeys(columns), *_marks(frame, columns)])


def _apply(frame: pl.LazyFrame, transform: Transform) -> pl.LazyFrame:
    match transform:
        case Take(count=count):
            return frame.head(count)
        case Skip(count=count):
            return frame.slice(count)
        case Sample(probability=probability, seed=seed):
            return _drawn(frame, 0.0, probability, seed)
        case Split(fraction=fraction, seed=seed, part=part):
            return _drawn(frame, 0.0, fraction, seed) if part == "first" else _drawn(frame, fraction, 1.0, seed)
        case KeepColumns(columns=columns):
            return kept(frame, columns)
        case DropColumns(columns=columns):
            _check(frame, columns)
            return frame.drop([*columns, *_marks(frame, columns)])
        case Filter(condition=condition):
            _check(frame, sorted(columns_of(condition)))
            return frame.filter(evaluated(condition))


def _marks(frame: pl.LazyFrame, columns: Sequence[str]) -> list[str]:
    """The marks of these columns, if the table has marks."""
    marks = {MARK + name for name in columns}
    return [name for name in frame.collect_schema().names() if name in marks]


def _check(frame: pl.LazyFrame, columns: Sequence[str]) -> None:
    known = [name for name in frame.collect_schema().names() if not name.startswith(MARK)]
    for name in columns:
        if name not in known:
            raise missing_column(name, known)


def _drawn(frame: pl.LazyFrame, low: float, high: float, seed: int) -> pl.LazyFrame:
    """The rows whose lot is at least `low` and below `high`, both from 0 to 1."""
    import polars as pl

    if _ROW in frame.collect_schema():
        raise InvalidGraph(f"A column is called {_ROW}, a name that Airloom keeps for itself.")
    lot, first, end = pl.col(_ROW), int(low * _BITS), int(high * _BITS)
    condition = pl.lit(first < end)
    if 0 < first < end:
        condition = lot >= pl.lit(first, pl.UInt64)
    if first < end < _BITS:
        condition = condition & (lot < pl.lit(end, pl.UInt64))
    return _with_lots(frame, seed).filter(condition).drop(_ROW)


def _with_lots(frame: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    """A column with a number from 0 to 2**64 - 1 for each row: SplitMix64 of the row's number.

    Not the hash of polars, which is another one in another version: a seed would give other rows.
    """
    import polars as pl

    def constant(value: int) -> pl.Expr:
        return pl.lit(value % _BITS, pl.UInt64)

    lot = pl.col(_ROW)
    start = (lot.cast(pl.UInt64) + constant(1)) * constant(0x9E3779B97F4A7C15) + constant(_mixed(seed))
    frame = frame.with_row_index(_ROW).with_columns(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        frame = frame.with_columns((lot ^ (lot // constant(1 << shift))) * constant(factor))
    return frame.with_columns(lot ^ (lot // constant(1 << 31)))


def _mixed(seed: int) -> int:
    """The seed as a start that is far from that of its neighbours: else seed 1 would be seed 0 moved by a row."""
    mixed = (seed + 0x632BE59BD9B4E019) % _BITS
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % _BITS
    return (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % _BITS
