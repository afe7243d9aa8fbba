"""Conditions on rows, from the graph's form to that of polars."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airloom.errors import InvalidGraph
from airloom.graph.tables import Call, ColumnValue, Constant, Expression, Function, Moment

if TYPE_CHECKING:
    import polars as pl

_BINARY: dict[Function, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge, "and": operator.and_, "or": operator.or_, "add": operator.add, "sub": operator.sub,
    "mul": operator.mul, "div": operator.truediv, "mod": operator.mod,
}  # fmt: skip
_UNARY: dict[Function, Callable[[Any], Any]] = {
    "not": operator.invert,
    "neg": operator.neg,
    "is_null": lambda value: value.is_null(),
}
_TEXT: dict[Function, Callable[[Any, Any], Any]] = {
    "contains": lambda value, part: value.str.contains(part, literal=True),
    "starts_with": lambda value, part: value.str.starts_with(part),
    "ends_with": lambda value, part: value.str.ends_with(part),
}


def evaluated(expression: Expression) -> pl.Expr:
    """The expression as polars has it. Raises InvalidGraph for functions with a wrong number of arguments."""
    import polars as pl

    match expression:
        case ColumnValue(name=name):
            return pl.col(name)
        case Constant(value=value):
            return pl.lit(value)
        case Moment(value=value):
            return pl.lit(moment(value)).cast(pl.Datetime("us"))
        case Call(function=function, arguments=arguments):
            return _call(function, [evaluated(argument) for argument in arguments])


def moment(text: str) -> datetime:
    """A time in ISO form, in UTC and without saying so, as times in tables are."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidGraph(f"{text!r} is no time.", hint="Write it like 2020-12-31T23:59:59.") from None
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def columns_of(expression: Expression) -> set[str]:
    """The columns that an expression reads."""
    if isinstance(expression, ColumnValue):
        return {expression.name}
    if isinstance(expression, Call):
        return set().union(*map(columns_of, expression.arguments))
    return set()


def _call(function: Function, arguments: Sequence[pl.Expr]) -> pl.Expr:
    result: pl.Expr
    if function in _UNARY and len(arguments) == 1:
        result = _UNARY[function](arguments[0])
    elif function in _BINARY and len(arguments) == 2:
        result = _BINARY[function](*arguments)
    elif function in _TEXT and len(arguments) == 2:
        result = _TEXT[function](*arguments)
    elif function == "is_in" and len(arguments) > 1:
        result = _any_of([arguments[0] == other for other in arguments[1:]])
    else:
        raise InvalidGraph(f"The function {function!r} cannot have {len(arguments)} argument(s).")
    return result


def _any_of(conditions: Sequence[pl.Expr]) -> pl.Expr:
    import polars as pl

    return pl.any_horizontal(conditions)
