"""Parquet, JSON lines, columns made of paths, and what tables are written to."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from airloom.errors import InvalidGraph
from airloom.graph.model import DataLocation
from airloom.graph.tables import ColumnType, Filter, ReadOptions, TableReading, Take
from airloom.tabular import Part, Table, full_names
from airloom.tabular.columns import pandas_columns
from airloom.tabular.failures import UnreadableTable
from tests.unit.tabular.tables import columns, part, rows
from tests.unit.tabular.test_transforms import A, call, value

PARQUET = TableReading(format="parquet")
JSON = TableReading(format="json_lines")


def parquet(folder: Path, name: str, **values: list[object]) -> Part:
    """A Parquet file."""
    source = part(folder, name, "")
    pl.DataFrame(values).write_parquet(source.path)
    return source


def test_parquet_files_may_lack_columns_of_the_first(tmp_path: Path) -> None:
    one, other = parquet(tmp_path, "1.parquet", a=[1], b=["x"]), parquet(tmp_path, "2.parquet", a=[2], c=[0.5])
    assert rows([one, other], PARQUET) == [(1, "x"), (2, None)]
    texts = ReadOptions(column_types={"a": ColumnType(type="string")})
    assert rows([one], PARQUET.model_copy(update={"options": texts})) == [("1", "x")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.parquet is not a Parquet file \(0 bytes\)"),
        (b"a,b\n1,2\n" * 9, r"x\.parquet is not a Parquet file \(72 bytes\)"),
        (b"PAR1" + bytes(100), r"x\.parquet is the beginning of a Parquet file only"),
        (b"PAR1" + bytes(100) + b"PAR1", r"x\.parquet cannot be read as Parquet"),
    ],
)
def test_what_is_no_parquet_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    good = parquet(tmp_path, "a.parquet", a=[1])
    with pytest.raises(UnreadableTable, match=message):
        rows([good, part(tmp_path, "x.parquet", content)], PARQUET)


def test_parquet_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    one, other = parquet(tmp_path, "1.parquet", a=[1]), parquet(tmp_path, "2.parquet", a=["x"])
    with pytest.raises(UnreadableTable, match=r"1\.parquet and 1 more file\(s\) cannot be read as Parquet"):
        rows([one, other], PARQUET)


def test_json_lines(tmp_path: Path) -> None:
    one = part(tmp_path, "1.jsonl", '{"a": 1, "b": "ä"}\n\n{"a": 2.5, "c": [1, 2]}\n')
    other = part(tmp_path, "2.jsonl", '{"b": "y", "d": "2020-01-01"}\n')
    assert rows([one, other], JSON) == [
        (1.0, "ä", None, None),
        (2.5, None, [1, 2], None),
        (None, "y", None, "2020-01-01"),
    ]
    dates = ReadOptions(column_types={"d": ColumnType(type="datetime")})
    assert rows([other], JSON.model_copy(update={"options": dates})) == [("y", datetime(2020, 1, 1))]


@pytest.mark.parametrize("line", ["{broken", "[1]", '"text"', '{"a": 1} {"a": 2}'])
def test_a_broken_line_is_named_or_dropped(line: str, tmp_path: Path) -> None:
    source = part(tmp_path, "x.jsonl", f'{{"a": 1}}\n{line}\n{{"a": 3}}\n', "utf-16")
    reading = JSON.model_copy(update={"encoding": "utf-16"})
    with pytest.raises(UnreadableTable, match=r"x\.jsonl, line 2 is not a JSON object"):
        rows([source], reading)
    dropping = reading.model_copy(update={"options": ReadOptions(invalid_lines="drop")})
    assert rows([source], dropping) == [(1,), (3,)]


def test_paths_become_columns(tmp_path: Path) -> None:
    names = ["w/2019-03/de/x.csv", "w/2020-12/fr/y.csv"]
    sources = [part(tmp_path, name, f"a\n{number}\n") for number, name in enumerate(names)]
    options = ReadOptions(include_path=True, partition_format="/{month:yyyy-MM}/{land}/*.csv")
    found = rows(sources, TableReading(options=options))
    assert found == [
        ("/w/2019-03/de/x.csv", datetime(2019, 3, 1), "de", 0),
        ("/w/2020-12/fr/y.csv", datetime(2020, 12, 1), "fr", 1),
    ]
    chosen = TableReading(options=options, transforms=(Filter(condition=call("gt", A, value(0))), Take(count=1)))
    assert rows(sources, chosen) == found[1:]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("/{y:yyyy}/{land}/z.csv", "does not fit the partition format"),
        ("/{land:yyyy}/x.csv", "does not fit"),
        ("folder", "is not one"),
        ("{a}/{a}.csv", "is wrong"),
        ("{a:hour}.csv", "is wrong"),
        ("{a", "is not one"),
        ("/{y:MM}/de/x.csv", "holds no date"),
    ],
)
def test_partition_formats_that_do_not_fit(form: str, message: str, tmp_path: Path) -> None:
    source = part(tmp_path, "w/13/de/x.csv", "a\n1\n")
    with pytest.raises(InvalidGraph, match=message):
        rows([source], TableReading(options=ReadOptions(partition_format=form)))


@pytest.mark.parametrize(
    ("paths", "names", "full"),
    [
        (["w/*.csv"], ["a.csv"], ["w/a.csv"]),
        (["w"], ["a.csv", "x/b.csv"], ["w/a.csv", "w/x/b.csv"]),
        (["w/a.csv"], ["a.csv"], ["w/a.csv"]),
        (["w/1/a.csv", "w/2/b.csv"], ["1/a.csv", "2/b.csv"], ["w/1/a.csv", "w/2/b.csv"]),
        ([""], ["a.csv"], ["a.csv"]),
    ],
)
def test_the_names_of_files_on_their_datastore(paths: list[str], names: list[str], full: list[str]) -> None:
    assert full_names([DataLocation(datastore="d", path=path) for path in paths], names) == full


def test_columns_for_pandas(tmp_path: Path) -> None:
    source = parquet(
        tmp_path,
        "t.parquet",
        whole=[1, 2],
        gap=[1, None],
        flag=[True, None],
        day=[date(2020, 1, 1), None],
        text=["x", None],
        exact=[Decimal("1.50"), None],
        many=[[1], None],
        raw=[b"\0", None],
    )
    with Table([source], PARQUET) as table:
        found = dict(pandas_columns(table.collect()))
    assert [str(getattr(found[name], "dtype", "list")) for name in found] == [
        "int64", "float64", "list", "datetime64[us]", "list", "float64", "list", "list",
    ]  # fmt: skip
    assert found["text"] == ["x", None] and found["many"] == [[1], None] and found["raw"] == [b"\0", None]


def test_a_table_is_written(tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", 'k,v,w\na,1,"x,y"\nb,2,\n,3,z\n')
    with Table([source], TableReading()) as table:
        table.write_parquet(tmp_path / "t.parquet", row_group_size=1)
        table.write_csv(tmp_path / "copy.csv", "\t")
        parts = table.write_partitions(["k"], tmp_path)
    assert rows([Part(tmp_path / "t.parquet", "t.parquet")], PARQUET) == rows([source])
    assert (tmp_path / "copy.csv").read_text() == "k\tv\tw\na\t1\tx,y\nb\t2\t\n\t3\tz\n"
    assert [(keys, rows([Part(path, "p")], PARQUET)) for keys, path in parts] == [
        ({"k": ""}, [(3, "z")]),
        ({"k": "a"}, [(1, "x,y")]),
        ({"k": "b"}, [(2, None)]),
    ]


def test_lists_have_no_place_in_delimited_text(tmp_path: Path) -> None:
    source = parquet(tmp_path, "t.parquet", many=[[1]])
    with Table([source], PARQUET) as table, pytest.raises(InvalidGraph, match="'many' holds lists or records"):
        table.write_csv(tmp_path / "t.csv")
    assert columns([source], PARQUET) == {"many": "List(Int64)"}
