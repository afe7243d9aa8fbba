"""What can be done to a table without reading it: the same in a script and in the SDK, which has this class too."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from datetime import date, datetime, timedelta, timezone
from typing import Any, TypeVar

TableT = TypeVar("TableT", bound="LazyTable")

_LONGEST_SEED = 2**31


class ColumnExpression:
    """A value of each row: `table['price'] * 2`, or a condition: `(table['price'] > 5) & ~table['name'].is_null()`."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, form: dict[str, Any]) -> None:
        self._form = form

    def __eq__(self, other: object) -> ColumnExpression:  # type: ignore[override]
        return _call("eq", self, other)

    def __ne__(self, other: object) -> ColumnExpression:  # type: ignore[override]
        return _call("ne", self, other)

    def __lt__(self, other: Any) -> ColumnExpression:
        return _call("lt", self, other)

    def __le__(self, other: Any) -> ColumnExpression:
        return _call("le", self, other)

    def __gt__(self, other: Any) -> ColumnExpression:
        return _call("gt", self, other)

    def __ge__(self, other: Any) -> ColumnExpression:
        return _call("ge", self, other)

    def __and__(self, other: Any) -> ColumnExpression:
        return _call("and", self, other)

    def __or__(self, other: Any) -> ColumnExpression:
        return _call("or", self, other)

    def __invert__(self) -> ColumnExpression:
        return _call("not", self)

    def __add__(self, other: Any) -> ColumnExpression:
        return _call("add", self, other)

    def __radd__(self, other: Any) -> ColumnExpression:
        return _call("add", other, self)

    def __sub__(self, other: Any) -> ColumnExpression:
        return _call("sub", self, other)

    def __rsub__(self, other: Any) -> ColumnExpression:
        return _call("sub", other, self)

    def __mul__(self, other: Any) -> ColumnExpression:
        return _call("mul", self, other)

    def __rmul__(self, other: Any) -> ColumnExpression:
        return _call("mul", other, self)

    def __truediv__(self, other: Any) -> ColumnExpression:
        return _call("div", self, other)

    def __rtruediv__(self, other: Any) -> ColumnExpression:
        return _call("div", other, self)

    def __mod__(self, other: Any) -> ColumnExpression:
        return _call("mod", self, other)

    def __neg__(self) -> ColumnExpression:
        return _call("neg", self)

    def __bool__(self) -> bool:
        raise TypeError("Conditions on columns are joined by &, | and ~, not by 'and', 'or', 'not' and chains.")

    def is_null(self) -> ColumnExpression:
        """True where the value is missing."""
        return _call("is_null", self)

    def is_in(self, values: Any) -> ColumnExpression:
        """True where the value is one of these."""
        return _call("is_in", self, *values)

    def contains(self, text: str) -> ColumnExpression:
        """True where the value holds this text."""
        return _call("contains", self, text)

    def starts_with(self, text: str) -> ColumnExpression:
        """True where the value begins with this text."""
        return _call("starts_with", self, text)

    def ends_with(self, text: str) -> ColumnExpression:
        """True where the value ends with this text."""
        return _call("ends_with", self, text)


class LazyTable(ABC):
    """A table of which nothing is read before it is asked for. Each method gives another table."""

    # --- what the two kinds of tables differ in ------------------------------------------------------------------

    @abstractmethod
    def _get_reading(self) -> dict[str, Any]:
        """How the table is read, as JSON."""

    @abstractmethod
    def _with_reading(self: TableT, reading: dict[str, Any]) -> TableT:
        """The same files, read in another way."""

    @abstractmethod
    def _column_names(self) -> list[str]:
        """The columns, for which the data must be looked at."""

    @abstractmethod
    def _wrong(self, message: str) -> Exception:
        """The exception for a wrong call."""

    def _no_timestamp(self, message: str) -> Exception:
        """The exception for a question about time to a table that has none."""
        return self._wrong(message)

    # --- rows ----------------------------------------------------------------------------------------------------

    def take(self: TableT, count: int) -> TableT:
        """The first `count` rows."""
        return self._then({"kind": "take", "count": self._checked_count(count)})

    def skip(self: TableT, count: int) -> TableT:
        """All rows but the first `count`."""
        return self._then({"kind": "skip", "count": self._checked_count(count)})

    def take_sample(self: TableT, probability: float, seed: int | None = None) -> TableT:
        """Each row with this probability. With a seed, the same rows each time; without, others for each call."""
        self._check_fraction(probability, "probability")
        return self._then({"kind": "sample", "probability": float(probability), "seed": self._seed(seed)})

    def random_split(self: TableT, percentage: float, seed: int | None = None) -> tuple[TableT, TableT]:
        """Two tables that share out the rows, the first with about this fraction of them (from 0 to 1)."""
        self._check_fraction(percentage, "percentage")
        split = {"kind": "split", "fraction": float(percentage), "seed": self._seed(seed)}
        return self._then({**split, "part": "first"}), self._then({**split, "part": "second"})

    def filter(self: TableT, expression: Any) -> TableT:
        """The rows for which a condition is true: `table.filter(table['price'] > 5)`."""
        if not isinstance(expression, ColumnExpression):
            raise self._wrong(f"filter needs a condition such as table['price'] > 5, not {expression!r}.")
        return self._then({"kind": "filter", "condition": expression._form})

    def __getitem__(self, name: str) -> ColumnExpression:
        """A column, for conditions."""
        if not isinstance(name, str):
            raise self._wrong(f"A column is named by its name, not by {name!r}. For several, see keep_columns.")
        return ColumnExpression({"kind": "column", "name": name})

    def __iter__(self) -> Any:
        raise TypeError("A table is read by to_pandas_dataframe().")

    # --- columns -------------------------------------------------------------------------------------------------

    def keep_columns(self: TableT, columns: str | list[str], validate: bool = False) -> TableT:
        """These columns only, in this order; `validate` checks at once that the table has them."""
        wanted = self._listed(columns)
        if validate:
            self._check_columns(wanted)
        reading = self._get_reading()
        stamps = [name if name in wanted else None for name in reading.get("timestamps") or []]
        reading["timestamps"] = stamps if any(stamps) else None
        if reading.get("transforms") or reading.get("keep_columns") is not None:
            return self._with_reading(reading)._then({"kind": "keep_columns", "columns": wanted})
        return self._with_reading({**reading, "keep_columns": wanted})

    def drop_columns(self: TableT, columns: str | list[str]) -> TableT:
        """All columns but these. The columns of the time series cannot go."""
        unwanted = self._listed(columns)
        for name in self.timestamp_columns:
            if name in unwanted:
                raise self._wrong(f"The column {name!r} tells the time of rows. First call with_timestamp_columns().")
        return self._then({"kind": "drop_columns", "columns": unwanted})

    # --- time ----------------------------------------------------------------------------------------------------

    @property
    def timestamp_columns(self) -> tuple[str | None, str | None]:
        """The columns that hold the time of rows and of partitions; None where there is none."""
        first, second = self._get_reading().get("timestamps") or (None, None)
        return first, second

    def with_timestamp_columns(
        self: TableT,
        timestamp: str | None = None,
        partition_timestamp: str | None = None,
        validate: bool = False,
        **kwargs: Any,
    ) -> TableT:
        """The table as a time series: the column with the time of rows, and that of the path's partitions.

        Without columns, it is one no longer.
        """
        timestamp = kwargs.pop("fine_grain_timestamp", timestamp)
        partition_timestamp = kwargs.pop("coarse_grain_timestamp", partition_timestamp)
        if kwargs:
            raise self._wrong(f"with_timestamp_columns does not know the argument(s) {', '.join(sorted(kwargs))}.")
        given = [name for name in (timestamp, partition_timestamp) if name is not None]
        if len(set(given)) < len(given):
            raise self._wrong("The columns for timestamp and partition_timestamp must be different ones.")
        if validate:
            self._check_columns(given)
        stamps = [timestamp, partition_timestamp] if given else None
        return self._with_reading({**self._get_reading(), "timestamps": stamps})

    def time_before(self: TableT, end_time: datetime, include_boundary: bool = True, validate: bool = True) -> TableT:
        """The rows of a time series up to a time."""
        return self.filter(self._bound("le" if include_boundary else "lt", end_time, validate))

    def time_after(self: TableT, start_time: datetime, include_boundary: bool = True, validate: bool = True) -> TableT:
        """The rows of a time series from a time on."""
        return self.filter(self._bound("ge" if include_boundary else "gt", start_time, validate))

    def time_between(
        self: TableT, start_time: datetime, end_time: datetime, include_boundary: bool = True, validate: bool = True
    ) -> TableT:
        """The rows of a time series between two times."""
        return self.time_after(start_time, include_boundary, validate).time_before(end_time, include_boundary, False)

    def time_recent(
        self: TableT, time_delta: timedelta, include_boundary: bool = True, validate: bool = True
    ) -> TableT:
        """The rows of a time series from so long before now, in UTC, on. Now is when this is called."""
        if not isinstance(time_delta, timedelta):
            raise self._wrong(f"time_delta must be a datetime.timedelta, not {time_delta!r}.")
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        return self.time_after(now - time_delta, include_boundary, validate)

    # --- checks --------------------------------------------------------------------------------------------------

    def _then(self: TableT, transform: dict[str, Any]) -> TableT:
        reading = self._get_reading()
        return self._with_reading({**reading, "transforms": [*(reading.get("transforms") or []), transform]})

    def _bound(self, function: str, time: datetime, validate: bool) -> ColumnExpression:
        column = next(filter(None, self.timestamp_columns), None)
        if column is None:
            raise self._no_timestamp("This table has no column for time. First call with_timestamp_columns('column').")
        if not isinstance(time, datetime):
            raise self._wrong(f"A time must be a datetime.datetime, not {time!r}.")
        if validate:
            self._check_columns([column])
        return _call(function, self[column], time)

    def _check_columns(self, wanted: list[str]) -> None:
        present = self._column_names()
        for name in wanted:
            if name not in present:
                raise self._wrong(f"{self!r} has no column {name!r}. It has {', '.join(map(repr, present))}.")

    def _listed(self, columns: str | list[str]) -> list[str]:
        listed = [columns] if isinstance(columns, str) else list(columns)
        if not all(isinstance(name, str) for name in listed):
            raise self._wrong(f"Columns are named by text, unlike {columns!r}.")
        return listed

    def _checked_count(self, count: int) -> int:
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise self._wrong(f"count must be a number of rows, not {count!r}.")
        return count

    def _check_fraction(self, value: float, name: str) -> None:
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self._wrong(f"{name} must lie between 0 and 1, not be {value!r}.")

    def _seed(self, seed: int | None) -> int:
        if seed is None:
            return random.SystemRandom().randrange(_LONGEST_SEED)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise self._wrong(f"A seed must be a whole number, not {seed!r}.")
        return seed


def _call(function: str, *arguments: Any) -> ColumnExpression:
    return ColumnExpression({"kind": "call", "function": function, "arguments": [_form(item) for item in arguments]})


def _form(value: Any) -> dict[str, Any]:
    if isinstance(value, ColumnExpression):
        return value._form
    if isinstance(value, (datetime, date)):
        return {"kind": "moment", "value": value.isoformat()}
    if hasattr(value, "item") and not isinstance(value, (bool, int, float, str)):
        value = value.item()  # a number of numpy
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise TypeError(f"A column cannot be compared with {value!r}: only with numbers, text, times and None.")
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"A column cannot be compared with {value!r}. For missing values, there is is_null().")
    return {"kind": "value", "value": value}
