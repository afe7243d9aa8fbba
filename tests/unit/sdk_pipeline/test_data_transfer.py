"""DataTransferStep and SqlDataReference: every argument of v1, and the errors that say how to mend a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from airloom.data.data_reference import DataReference
from airloom.data.sql_data_reference import SqlDataReference
from airloom.exceptions import ComputeTargetException, UserErrorException
from airloom.graph.model import DataTransferSettings, FromSource, OutputOf, PathSource, Retries
from airloom.graph.step_settings import SqlRows, SqlTable
from airloom.pipeline.core import PipelineData
from airloom.pipeline.steps import DataTransferStep
from tests.unit.sdk_pipeline.builders import a_step, graph_of


class Place:
    """A datastore as far as its name counts."""

    def __init__(self, name: str) -> None:
        self.name = name


STORE, DATABASE = Place("store"), Place("sales")
FILE = DataReference(STORE, "raw", "data/raw.csv")
COPY = DataReference(STORE, "copy", "data/copy.csv")


def test_every_argument_reaches_the_graph() -> None:
    step = DataTransferStep(
        "copy",
        FILE,
        COPY,
        ("adf", "DataFactory"),
        "file",
        "directory",
        False,
        version="2",
        timeout_seconds=60,
        retries=3,
        retry_delay_seconds=1,
        retry_backoff=3,
        retry_max_delay_seconds=9,
    )
    graph = graph_of(step)
    (found,) = graph.steps
    assert found.settings == DataTransferSettings(source_type="file", destination_type="directory")
    assert (found.name, found.compute_target, found.allow_reuse, found.version) == ("copy", "adf", False, "2")
    assert found.timeout_seconds == 60
    assert found.retries == Retries(count=3, delay_seconds=1, backoff=3, max_delay_seconds=9)
    (port,), (output,) = found.inputs, found.outputs
    assert isinstance(port.binding, FromSource)
    source = graph.sources[port.binding.source]
    assert isinstance(source, PathSource)
    assert source.location.path == "data/raw.csv"
    assert (output.name, output.datastore, output.destination) == ("copy", "store", "data/copy.csv")


@pytest.mark.usefixtures("scripts")
def test_its_output_is_read_by_further_steps() -> None:
    first = DataTransferStep("first", FILE, COPY)
    second = DataTransferStep("second", first.get_output(), DataReference(STORE, "raw", "again"))
    script = a_step(reads=[second.get_output().as_download()])
    graph = graph_of(script, second)
    assert [step.data_upstream() for step in graph.steps if step.id == "second"] == [("first",)]
    assert [step.data_upstream() for step in graph.steps if step.script is not None] == [("second",)]


@pytest.mark.usefixtures("scripts")
def test_it_reads_what_a_script_writes() -> None:
    table = PipelineData("table")
    script = a_step(writes=[table])
    graph = graph_of(script, DataTransferStep("keep", table, COPY))
    (keep,) = [step for step in graph.steps if step.id == "keep"]
    assert isinstance(keep.inputs[0].binding, OutputOf)


def test_source_and_destination_may_have_one_name() -> None:
    step = DataTransferStep("copy", FILE, DataReference(STORE, "raw", "elsewhere"))
    (found,) = graph_of(step).steps
    assert [port.name for port in (*found.inputs, *found.outputs)] == ["raw", "OUTPUT_raw"]


def test_rows_and_tables_of_a_database() -> None:
    rows = SqlDataReference(DATABASE, sql_query="SELECT 1")
    table = SqlDataReference(DATABASE, "target", sql_table="public.copy")
    (down,) = graph_of(DataTransferStep("down", rows, COPY, file_format="csv")).steps
    assert down.settings == DataTransferSettings(rows=SqlRows(datastore="sales", query="SELECT 1"), file_format="csv")
    assert down.inputs == ()
    up = DataTransferStep("up", FILE, table)
    (found,) = graph_of(up).steps
    assert found.settings == DataTransferSettings(table=SqlTable(datastore="sales", table="public.copy"))
    with pytest.raises(UserErrorException, match=r"run_after\(\)"):
        up.get_output()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, COPY), "needs a source_data_reference"),
        ((FILE, None), "needs a destination_data_reference"),
        ((FILE, "blob/path"), "must be a DataReference"),
        ((FILE, PipelineData("x")), "must be a DataReference"),
        ((FILE, DataReference(STORE, "root")), "root of the datastore"),
        ((FILE, SqlDataReference(DATABASE, sql_query="SELECT 1")), "Give a sql_table"),
        (("text", COPY), "cannot be an input"),
        ((FILE, COPY, "local"), "'local'"),
        ((FILE, COPY, None, "folder"), "source_reference_type"),
        ((FILE, COPY, None, None, "blob"), "destination_reference_type"),
    ],
)
def test_what_is_wrong_is_told(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UserErrorException, match=said):
        DataTransferStep("copy", *arguments)


@pytest.mark.parametrize(
    "given",
    [{}, {"sql_table": ""}, {"sql_table": "t", "sql_query": "SELECT 1"}, {"sql_stored_procedure": "p"}],
)
def test_a_reference_to_a_database_names_a_table_or_a_query(given: dict[str, str]) -> None:
    with pytest.raises(UserErrorException, match="SqlDataReference"):
        SqlDataReference(DATABASE, **given)


def test_rows_are_no_file() -> None:
    rows = SqlDataReference(DATABASE, sql_table="t")
    for use in (rows.as_mount, rows.as_download, rows.as_upload, rows.path, lambda: a_step(reads=[rows])):
        with pytest.raises(UserErrorException, match="SqlDataReference"):
            use()


def test_a_data_factory_is_named_in_one_way() -> None:
    from airloom.core.compute import DataFactoryCompute

    assert DataFactoryCompute.provisioning_configuration()._fields()["type"] == "DataFactory"
    DataFactoryCompute.attach_configuration(resource_id="/subscriptions/x")
    for given in ({}, {"resource_group": "g"}, {"resource_group": "g", "factory_name": "f", "resource_id": "/x"}):
        with pytest.raises(ComputeTargetException, match="resource_group and factory_name"):
            DataFactoryCompute.attach_configuration(**given)
