"""Steps that copy data in pipeline files."""

from __future__ import annotations

from pathlib import Path

import pytest

from airloom.errors import InvalidGraph
from airloom.graph.model import DataTransferSettings, OutputOf, PipelineGraph
from airloom.graph.step_settings import SqlRows, SqlTable
from airloom.graph.validate import validate_graph
from airloom.graph.yaml import read_pipeline, write_pipeline
from tests.unit.graph.test_yaml import Context

FILE = """\
pipeline:
  steps:
    read:
      type: DataTransferStep
      compute: adf
      source_rows: {datastore: sales, sql_query: "SELECT * FROM orders"}
      outputs: {orders: {datastore: store, path_on_datastore: orders.parquet}}
      destination_reference_type: file
    load:
      type: DataTransferStep
      inputs: {orders: {source: orders}}
      destination_table: {datastore: archive, sql_table: public.orders}
      file_format: parquet
      allow_reuse: false
"""


def read(folder: Path, text: str) -> PipelineGraph:
    file = folder / "pipeline.yml"
    file.write_text(text)
    return read_pipeline(file, Context())


def test_a_file_becomes_steps_and_these_the_same_file(tmp_path: Path) -> None:
    graph = read(tmp_path, FILE)
    first, second = graph.steps
    assert first.settings == DataTransferSettings(
        destination_type="file", rows=SqlRows(datastore="sales", query="SELECT * FROM orders")
    )
    assert (first.compute_target, first.outputs[0].destination) == ("adf", "orders.parquet")
    assert second.settings == DataTransferSettings(
        table=SqlTable(datastore="archive", table="public.orders"), file_format="parquet"
    )
    assert second.inputs[0].binding == OutputOf(step="read", port="orders")
    assert validate_graph(graph, datastores=("sales", "store", "archive"), computes=("adf",)) == []
    assert read(tmp_path, write_pipeline(graph)) == graph


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("file_format: parquet", "file_format: xml", "pipeline.yml:13: file_format of step 'load' cannot be 'xml'"),
        ("file_format: parquet", "script_name: a.py", "pipeline.yml:13: .*script_name"),
        (', sql_query: "SELECT * FROM orders"', "", "needs either sql_table or sql_query"),
        ("datastore: archive, ", "", "has no datastore"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidGraph, match=f"(?i){said}"):
        read(tmp_path, FILE.replace(old, new))


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"outputs": ()}, "BadTransfer", "has 0 destinations"),
        ({"settings": DataTransferSettings()}, "BadTransfer", "has 0 sources"),
        ({"settings": DataTransferSettings(rows=SqlRows(datastore="sales"))}, "BadTransfer", "a table or the rows"),
        ({"settings": DataTransferSettings(rows=SqlRows(datastore="x", table="t"))}, "UnknownDatastore", "'x'"),
        (
            {
                "outputs": (),
                "settings": DataTransferSettings(
                    rows=SqlRows(datastore="sales", table="t"), table=SqlTable(datastore="sales", table=" ")
                ),
            },
            "BadTransfer",
            "a table without a name",
        ),
    ],
)
def test_a_transfer_has_one_source_and_one_destination(
    tmp_path: Path, changes: dict[str, object], code: str, said: str
) -> None:
    graph = read(tmp_path, FILE)
    step = graph.steps[0].model_copy(update=changes)
    problems = validate_graph(
        graph.model_copy(update={"steps": (step,)}), datastores=("sales", "store"), computes=("adf",)
    )
    assert [problem.code for problem in problems] == [code]
    assert said in problems[0].message


def test_a_destination_is_not_the_root(tmp_path: Path) -> None:
    graph = read(tmp_path, FILE.replace(", path_on_datastore: orders.parquet", ""))
    problems = validate_graph(graph, datastores=("sales", "store", "archive"), computes=("adf",))
    assert [problem.code for problem in problems] == ["BadTransfer"]
