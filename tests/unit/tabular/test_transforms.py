"""What is done to tables: rows and columns taken, left out, drawn and chosen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from airloom.errors import InvalidGraph
from airloom.graph.tables import (
    Call,
    ColumnValue,
    Constant,
    DropColumns,
    Expression,
    Filter,
    Function,
    KeepColumns,
    Moment,
    Sample,
    Skip,
    Split,
    TableReading,
    Take,
)
from airloom.tabular import Part
from tests.unit.tabular.tables import numbers, part, rows

ROWS = 100_000
SEED_7 = [12715, 25171, 39990, 50331, 51485, 70751, 75351, 77342, 93744]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """The numbers from 0, in a file."""
    return part(tmp_path_factory.mktemp("numbers"), "n.csv", "".join(f"{number}\n" for number in range(ROWS)))


def call(function: Function, *arguments: Expression) -> Call:
    """A function of expressions."""
    return Call(function=function, arguments=arguments)


def less_than(limit: int) -> Filter:
    """The numbers below a limit."""
    return Filter(condition=call("lt", ColumnValue(name="Column1"), Constant(value=limit)))


def test_rows_are_taken_in_the_order_in_which_it_is_said(source: Part) -> None:
    assert numbers(source, Skip(count=3), Take(count=2)) == [3, 4]
    assert numbers(source, Take(count=2), Skip(count=3)) == []
    assert numbers(source, Take(count=3), less_than(2)) == [0, 1]
    assert numbers(source, less_than(10), Skip(count=8)) == [8, 9]


def test_a_sample_has_about_the_share_and_is_the_same_again(source: Part) -> None:
    sample = numbers(source, Sample(probability=0.1, seed=1))
    assert abs(len(sample) - ROWS / 10) < 500
    assert sample == sorted(sample) == numbers(source, Sample(probability=0.1, seed=1))
    other = numbers(source, Sample(probability=0.1, seed=2))
    assert abs(len({*sample} & {*other}) - ROWS / 100) < 200


def test_seeds_keep_their_meaning(source: Part) -> None:
    """Whoever has noted a seed gets the same rows from a later version."""
    assert numbers(source, Sample(probability=0.0001, seed=7)) == SEED_7


@pytest.mark.parametrize(("probability", "count"), [(0.0, 0), (1.0, ROWS)])
def test_nothing_and_everything_can_be_drawn(source: Part, probability: float, count: int) -> None:
    assert len(numbers(source, Sample(probability=probability, seed=3))) == count


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.999999, 1.0])
def test_each_row_is_in_one_part_of_a_split(source: Part, fraction: float) -> None:
    first, second = (numbers(source, Split(fraction=fraction, seed=5, part=part)) for part in ("first", "second"))
    assert sorted(first + second) == list(range(ROWS))
    assert abs(len(first) - fraction * ROWS) < 1000


def test_a_sample_of_a_sample_is_drawn_anew(source: Part) -> None:
    twice = numbers(source, Sample(probability=0.5, seed=1), Sample(probability=0.5, seed=1))
    assert abs(len(twice) - ROWS / 4) < 1000


def test_columns(tmp_path: Path) -> None:
    table = part(tmp_path, "t.csv", "a,b,c\n1,2,3\n")
    keep, drop = KeepColumns(columns=("c", "a")), DropColumns(columns=("a",))
    assert rows([table], TableReading(transforms=(keep,))) == [(3, 1)]
    assert rows([table], TableReading(transforms=(keep, drop))) == [(3,)]
    assert rows([table], TableReading(keep_columns=("b", "a"), transforms=(drop,))) == [(2,)]
    with pytest.raises(InvalidGraph, match=r"no column 'prize'\."):
        rows([table], TableReading(transforms=(drop, KeepColumns(columns=("prize",)))))
    with pytest.raises(InvalidGraph, match=r"no column 'a'\."):
        rows([table], TableReading(transforms=(drop, drop)))


A, TEXT, WHEN = (ColumnValue(name=name) for name in ("a", "text", "when"))


def value(constant: bool | int | float | str | None) -> Constant:
    """A constant."""
    return Constant(value=constant)


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        (call("gt", A, value(1)), [2, 3]),
        (call("and", call("ge", A, value(1)), call("ne", A, value(2))), [1, 3]),
        (call("or", call("lt", A, value(2)), call("eq", A, value(3))), [1, 3]),
        (call("not", call("le", A, value(2))), [3]),
        (call("eq", call("mod", A, value(2)), value(1)), [1, 3]),
        (call("gt", call("mul", call("sub", A, value(1)), value(2.5)), call("add", A, value(1))), [3]),
        (call("eq", call("div", A, value(2)), value(1.5)), [3]),
        (call("lt", call("neg", A), value(-2)), [3]),
        (call("is_null", TEXT), [3]),
        (call("not", call("is_null", TEXT)), [1, 2]),
        (call("contains", TEXT, value(".")), [1]),
        (call("starts_with", TEXT, value("x")), [1, 2]),
        (call("ends_with", TEXT, value("b")), [1]),
        (call("is_in", A, value(3), value(1), value(9)), [1, 3]),
        (call("ge", WHEN, Moment(value="2020-02-01")), [2, 3]),
        (call("lt", WHEN, Moment(value="2020-02-01T01:00:00+01:00")), [1]),
        (call("ne", TEXT, value("x")), [1]),
    ],
)
def test_conditions(condition: Expression, left: list[int], tmp_path: Path) -> None:
    table = part(tmp_path, "t.csv", "a,text,when\n1,x.b,2020-01-01\n2,x,2020-02-01\n3,,2020-03-01\n")
    found = rows([table], TableReading(transforms=(Filter(condition=condition), KeepColumns(columns=("a",)))))
    assert [row[0] for row in found] == left


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (call("eq", A), r"'eq' cannot have 1 argument"),
        (call("not", A, A), r"'not' cannot have 2 argument"),
        (call("eq", ColumnValue(name="b"), A), "no column 'b'"),
        (call("eq", A, Moment(value="tomorrow")), "'tomorrow' is no time"),
    ],
)
def test_conditions_that_mean_nothing(condition: Expression, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidGraph, match=message):
        rows([part(tmp_path, "t.csv", "a\n1\n")], TableReading(transforms=(Filter(condition=condition),)))


def test_times_in_conditions_are_in_utc(tmp_path: Path) -> None:
    table = part(tmp_path, "t.csv", "when\n2020-01-01T00:00:00Z\n")
    noon = call("eq", ColumnValue(name="when"), Moment(value="2020-01-01T02:00:00+02:00"))
    assert rows([table], TableReading(transforms=(Filter(condition=noon),))) == [(datetime(2020, 1, 1),)]
