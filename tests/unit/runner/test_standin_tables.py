"""Tables in a script: lazy, read by the worker's Python, and the same as outside."""

from __future__ import annotations

from datetime import datetime

import pandas
import polars
import pytest

from airloom.graph.tables import ReadOptions, Take
from airloom.runner import ScriptFailed, TabularOptions
from airloom.tabular import Part, Table
from airloom.tabular.columns import pandas_columns
from tests.unit.runner.support import Host, an_input
from tests.unit.runner.test_standin import in_script

pytestmark = pytest.mark.integration


def test_a_table_is_lazy(host: Host) -> None:
    host.put("t/2020/a.csv", "n,t\n" + "".join(f"{number},x{number}\n" for number in range(10)))
    script = """
    from azureml.core import Dataset, Run
    table = Run.get_context().input_datasets["raw"]
    assert type(table).__name__ == "TabularDataset" and Dataset.get_by_id(None, table.id).id == table.id
    print(table.filter(table["n"] > 6).skip(1).to_pandas_dataframe().to_dict("list"))
    one, other = table.random_split(0.5, seed=1)
    print(sorted([*one.to_pandas_dataframe()["n"], *other.to_pandas_dataframe()["n"]]) == list(range(9)))
    (copy,) = table.take(1).drop_columns("year").to_csv_files().download("here")
    print(open(copy).read().split())
    print(table.take(1).to_parquet_files().to_path())
    for wrong in (lambda: table.keep_columns("prize", validate=True), lambda: table.take(-1)):
        try:
            wrong()
        except Exception as error:
            print(type(error).__name__, error)
    """
    options = TabularOptions(options=ReadOptions(partition_format="/t/{year}/*.csv"), transforms=(Take(count=9),))
    spec = an_input("raw", "t/**/*.csv", kind="tabular", mode="direct", tabular=options)
    lines = in_script(host, script, inputs=(spec,))
    assert lines[0] == "{'year': ['2020'], 'n': [8], 't': ['x8']}"
    assert lines[1] == "True"
    assert lines[2:4] == ["['n,t', '0,x0']", "['/part-00000.parquet']"]
    assert lines[4].startswith("UserErrorException") and "has no column 'prize'. It has 'year', 'n', 't'" in lines[4]
    assert "count must be a number of rows" in lines[5]


def test_what_cannot_be_read_as_a_table_is_told_to_the_script(host: Host) -> None:
    host.put("t.parquet", "x")
    script = "from azureml.core import Run; Run.get_context().input_datasets['raw'].to_pandas_dataframe()"
    spec = an_input("raw", "t.parquet", kind="tabular", mode="direct", tabular=TabularOptions(format="parquet"))
    with pytest.raises(ScriptFailed, match=r"t\.parquet is not a Parquet file"):
        host.run(host.step(script, inputs=(spec,)))


def test_only_some_files_of_a_folder_are_the_table(host: Host) -> None:
    host.put("out/part/a.csv", "n\n1\n")
    host.put("out/_SUCCESS", "done")
    script = """
    from azureml.core import Run
    print(Run.get_context().input_datasets["raw"].to_pandas_dataframe()["n"].tolist())
    """
    chosen = TabularOptions(options=ReadOptions(path_glob="**/*.csv"))
    assert in_script(host, script, inputs=(an_input("raw", "out", kind="tabular", mode="direct", tabular=chosen),)) == [
        "[1]"
    ]


def test_columns_of_all_kinds_reach_a_script(host: Host) -> None:
    """A DataFrame is the same in a script and in the program that made the pipeline."""
    values = {
        "n": [1, None],
        "b": [True, None],
        "s": ["x", None],
        "l": [[1], None],
        "r": [b"\0", None],
        "e": [None] * 2,
    }
    frame = polars.DataFrame(values).with_columns(d=polars.lit(datetime(2020, 1, 1)))
    host.data.mkdir(exist_ok=True)
    frame.write_parquet(host.data / "t.parquet")
    script = """
    from azureml.core import Run
    frame = Run.get_context().input_datasets["raw"].to_pandas_dataframe()
    print([(name, str(kind)) for name, kind in frame.dtypes.items()])
    print(frame.astype(object).where(frame.notna(), None).values.tolist())
    """
    spec = an_input("raw", "t.parquet", kind="tabular", mode="direct", tabular=TabularOptions(format="parquet"))
    kinds, rows = in_script(host, script, inputs=(spec,))
    with Table([Part(host.data / "t.parquet", "t.parquet")], TabularOptions(format="parquet")) as table:
        here = pandas.DataFrame(dict(pandas_columns(table.collect())))
    assert kinds == str([(name, str(kind)) for name, kind in here.dtypes.items()])
    assert rows == str(here.astype(object).where(here.notna(), None).values.tolist())
