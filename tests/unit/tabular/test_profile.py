"""What is said of a table: counts, ranges and distributions, as JSON, and the answers of the process that reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airloom.graph.tables import DropColumns, KeepColumns, TableReading, Take
from airloom.tabular import Part, Table
from airloom.tabular.profile import preview, profile
from tests.unit.tabular.tables import part

TEXT = "n,x,t,ok,when\n" + "".join(
    f"{number},{number / 4},{'even' if number % 2 == 0 else 'odd'},{number < 30},2020-01-{number % 28 + 1:02}\n"
    for number in range(100)
)


def profiled(source: Part, reading: TableReading = TableReading()) -> dict[str, Any]:  # noqa: B008
    """The columns of a profile by name; it is checked to be JSON."""
    with Table([source], reading) as table:
        found = json.loads(json.dumps(profile(table), allow_nan=False))
    return {**{column["name"]: column for column in found["columns"]}, "rows": found["rows"]}


def test_numbers(tmp_path: Path) -> None:
    found = profiled(part(tmp_path, "t.csv", TEXT))
    number = found["n"]
    assert found["rows"] == 100
    assert (number["type"], number["count"], number["missing"], number["errors"]) == ("int", 100, 0, 0)
    assert (number["min"], number["max"], number["mean"]) == (0, 99, 49.5)
    assert number["variance"] == pytest.approx(841.6666, abs=1e-3) and number["skewness"] == pytest.approx(0)
    assert number["quantiles"]["0.5"] == 49.5 and number["quantiles"]["0.25"] == 24.75
    assert [entry["count"] for entry in number["histogram"]] == [10] * 10
    assert (number["histogram"][0]["low"], number["histogram"][-1]["high"]) == (0, 99)
    assert (found["x"]["type"], found["x"]["max"]) == ("float", 24.75)


def test_texts_flags_and_times(tmp_path: Path) -> None:
    found = profiled(part(tmp_path, "t.csv", TEXT))
    assert found["t"]["top_values"] == [{"value": "even", "count": 50}, {"value": "odd", "count": 50}]
    assert (found["t"]["shortest"], found["t"]["longest"], found["t"]["distinct"]) == (3, 4, 2)
    assert found["ok"]["top_values"] == [{"value": False, "count": 70}, {"value": True, "count": 30}]
    assert (found["when"]["type"], found["when"]["min"]) == ("datetime", "2020-01-01T00:00:00")
    assert found["when"]["max"] == "2020-01-28T00:00:00"


def test_what_is_missing_and_what_is_wrong_are_told_apart(tmp_path: Path) -> None:
    """A value that is of another type than the first ten thousand is no number."""
    text = "n\n" + "1\n" * 10_000 + '""\nx\n2.5\n'
    found = profiled(part(tmp_path, "t.csv", text))
    assert (found["rows"], found["n"]["count"], found["n"]["missing"], found["n"]["errors"]) == (10_003, 10_000, 1, 2)
    few = profiled(part(tmp_path, "t.csv", text), TableReading(transforms=(Take(count=5),)))
    assert (few["rows"], few["n"]["errors"]) == (5, 0)
    left = TableReading(transforms=(KeepColumns(columns=("n",)),))
    assert profiled(part(tmp_path, "t.csv", text), left)["n"]["errors"] == 2
    gone = TableReading(transforms=(DropColumns(columns=("n",)),))
    assert list(profiled(part(tmp_path, "t.csv", "n,m\nx,1\n"), gone)) == ["m", "rows"]


@pytest.mark.parametrize("values", ["", "nan\n", "inf\n-inf\n", "1\n", "1e308\n-1e308\n"])
def test_strange_numbers(values: str, tmp_path: Path) -> None:
    found = profiled(part(tmp_path, "t.csv", f"k,v\n{''.join(f'1,{value}' + chr(10) for value in values.split())}"))
    assert found["rows"] == len(values.split())


def test_previews_are_json(tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", "a,b,c\n1,2020-01-01,nan\n2,,2.5\n")
    with Table([source], TableReading()) as table:
        found = preview(table, 1)
    assert found == {
        "columns": [{"name": "a", "type": "int"}, {"name": "b", "type": "datetime"}, {"name": "c", "type": "float"}],
        "rows": [[1, "2020-01-01T00:00:00", None]],
    }


def ask(**question: Any) -> Any:
    """The answer of a process of its own."""
    asked = subprocess.run(
        [sys.executable, "-m", "airloom.tabular"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(asked.stdout)


def test_a_process_of_its_own_answers(tmp_path: Path) -> None:
    source = part(tmp_path, "t.csv", "a\n1\n")
    files = [[source.name, str(source.path)]]
    assert ask(action="schema", files=files, reading={}) == {"result": [["a", "int"]]}
    wrong = ask(action="preview", rows=1, files=files, reading={"keep_columns": ["b"]})
    assert wrong["error"]["code"] == "InvalidGraph" and "no column 'b'" in wrong["error"]["message"]
    gone = ask(action="schema", files=[["x", str(tmp_path / "none")]], reading={})
    assert "No such file" in gone["error"]["message"]
    assert "description" in ask(action="schema", files=files, reading={"format": "xml"})["error"]["message"]
