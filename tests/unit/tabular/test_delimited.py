"""Delimited text: types, headers, encodings, and rows that are broken."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from airloom.errors import InvalidGraph, NotFound
from airloom.graph.tables import ColumnType, ReadOptions, TableReading
from airloom.tabular.failures import UnreadableTable
from tests.unit.tabular.tables import columns, part, rows

CARS = 'id,price,sold,ok,name\n1, 2.5,2020-01-01,true,x\n2,3e3,2020-01-02,FALSE,\n3,,2020-02-03,True,"a ""b""\nc"\n'


def test_types_are_told_from_the_values(tmp_path: Path) -> None:
    cars = part(tmp_path, "cars.csv", CARS)
    assert list(columns([cars]).values()) == [
        "Int64", "Float64", "Datetime(time_unit='us', time_zone=None)", "Boolean", "String",
    ]  # fmt: skip
    assert rows([cars]) == rows([cars], on_error="fail") == [
        (1, 2.5, datetime(2020, 1, 1), True, "x"),
        (2, 3000.0, datetime(2020, 1, 2), False, None),
        (3, None, datetime(2020, 2, 3), True, 'a "b"\nc'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("1 |2", "Int64"),
        ("9223372036854775808|1", "Float64"),
        ("1|x", "String"),
        ("true|1", "String"),
        ("2020-01-31T10:11:12.5Z|2020-01-31T10:11:12Z", "Datetime(time_unit='us', time_zone=None)"),
        ("12/31/2020|1/2/2020", "Datetime(time_unit='us', time_zone=None)"),
        ("31/12/2020|1/2/2020", "String"),
        ("NaN|inf", "Float64"),
        ("|", "String"),
    ],
)
def test_a_type_is_that_of_all_values(values: str, kind: str, tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", "k,v\n" + "".join(f"1,{value}\n" for value in values.split("|")))
    assert columns([source])["v"] == kind


def test_types_of_later_files_count(tmp_path: Path) -> None:
    one, other = part(tmp_path, "1.csv", "v\n1\n"), part(tmp_path, "2.csv", "v\n2.5\n")
    assert rows([one, other]) == [(1.0,), (2.5,)]


def test_types_can_be_set_or_left_alone(tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", "a,b,c\n1,01.02.2020,7\nx,02.02.2020 10:00,\n")
    dates = ColumnType(type="datetime", formats=("%d.%m.%Y", "%d.%m.%Y %H:%M"))
    types = {"a": ColumnType(type="int"), "b": dates, "c": ColumnType(type="string")}
    reading = TableReading(options=ReadOptions(column_types=types))
    assert rows([source], reading) == [
        (1, datetime(2020, 2, 1), "7"),
        (None, datetime(2020, 2, 2, 10), None),
    ]
    text = TableReading(options=ReadOptions(infer_types=False, empty_as_string=True))
    assert rows([source], text)[1] == ("x", "02.02.2020 10:00", "")


@pytest.mark.parametrize(("kind", "value"), [("int", "x"), ("float", "y"), ("bool", "2"), ("datetime", "2020-13-01")])
def test_a_value_of_another_type_is_missing_or_an_error_that_shows_it(kind: str, value: str, tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", f"k,v\n1,\n2,{value}\n")
    wanted = ColumnType.model_validate({"type": kind})
    reading = TableReading(options=ReadOptions(column_types={"v": wanted}))
    assert rows([source], reading) == [(1, None), (2, None)]
    with pytest.raises(UnreadableTable, match=rf"(?s)t\.csv cannot be read as delimited text.*{value}"):
        rows([source], reading, "fail")


def test_a_row_with_too_many_values_loses_them_or_is_named(tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", 'a,b\n"1\n1",2\n3,4,5\n6\n')
    assert rows([source]) == [("1\n1", 2), ("3", 4), ("6", None)]
    with pytest.raises(UnreadableTable, match=r"t\.csv, line 4: the row has 3 values, but there are 2 columns\."):
        rows([source], on_error="fail")


def test_columns_without_names_are_numbered(tmp_path: Path) -> None:
    assert columns([part(tmp_path, "t.csv", "a,,c\n1,2,3\n")]) == {"a": "Int64", "Column2": "Int64", "c": "Int64"}
    none = TableReading(header=False)
    assert rows([part(tmp_path, "n.csv", "1;x\n")], none.model_copy(update={"separator": ";"})) == [(1, "x")]
    assert list(columns([part(tmp_path, "m.csv", "1,x\n")], none)) == ["Column1", "Column2"]


def test_headers_of_several_files(tmp_path: Path) -> None:
    one, turned = part(tmp_path, "1.csv", "a,b\n1,x\n"), part(tmp_path, "2.csv", "b,a\ny,2\n")
    assert rows([one, turned]) == [(1, "x"), (2, "y")]
    other = part(tmp_path, "3.csv", "b,c\nz,3\n")
    with pytest.raises(UnreadableTable, match=r"3\.csv has the columns b, c, but 1\.csv has a, b\."):
        rows([one, other])
    combined = TableReading(options=ReadOptions(headers="combined"))
    assert rows([one, other], combined) == [(1, "x", None), (None, "z", 3)]
    bare = part(tmp_path, "4.csv", "4,w\n")
    assert rows([one, bare], TableReading(options=ReadOptions(headers="first"))) == [(1, "x"), (4, "w")]


@pytest.mark.parametrize("encoding", ["utf8", "utf-8-sig", "iso8859-1", "cp1252", "utf-16"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", "näme,b\nä,1\n", encoding)
    assert rows([source], TableReading(encoding=encoding)) == [("ä", 1)]
    assert list(columns([source], TableReading(encoding=encoding))) == ["näme", "b"]


def test_text_of_another_encoding_is_refused(tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", "a\nä\n", "latin1")
    with pytest.raises(UnreadableTable, match=r"t\.csv cannot be read as delimited text: invalid utf-8"):
        rows([source])
    with pytest.raises(UnreadableTable, match=r"t\.csv is not text in the encoding utf-16"):
        rows([source], TableReading(encoding="utf-16"))
    with pytest.raises(InvalidGraph, match="no encoding 'klingon'"):
        rows([source], TableReading(encoding="klingon"))


def test_empty_files_hold_no_rows(tmp_path: Path) -> None:
    empty, full = part(tmp_path, "0.csv", ""), part(tmp_path, "1.csv", "a\n1\n")
    assert rows([empty, full]) == [(1,)]
    with pytest.raises(UnreadableTable, match=r"0\.csv is empty"):
        rows([empty])
    with pytest.raises(NotFound, match="no files"):
        rows([])


def test_names_with_wildcards_are_names(tmp_path: Path) -> None:
    part(tmp_path, "a1.csv", "a\n2\n")
    assert rows([part(tmp_path, "a[1]*.csv", "a\n1\n")]) == [(1,)]
