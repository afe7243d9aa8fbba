"""Assets of the tasks of a pipeline: who reads and writes what, under names that outlive its versions."""

from __future__ import annotations

import pytest
from airflow.sdk import DAG, Asset

from airloom.graph.model import (
    DataLocation,
    DatasetRef,
    DatasetRegistration,
    DataTransferSettings,
    Definition,
    FilesSource,
    FromParameter,
    InputPort,
    OutputPort,
    ParameterDef,
    Publication,
)
from airloom.graph.step_settings import SqlRows, SqlTable
from airloom.plugins.dag_factory import build_dag
from tests.support.builders import a_graph, a_path, a_step
from tests.unit.plugins.conftest import a_definition


def names(assets: list[Asset]) -> list[str]:
    return [asset.name for asset in assets]


def a_pipeline(**changes: object) -> Definition:
    graph = a_graph(
        a_step("prepare", reads=("raw",), **changes),
        a_step("train", reads=("prepare.out",), writes=("model", "metrics")),
        sources={"raw": "workspaceblobstore/cars/raw.csv"},
    )
    return a_definition(graph=graph)


@pytest.fixture
def dag() -> DAG:
    return build_dag(a_pipeline())


def test_what_one_step_writes_is_what_the_next_one_reads(dag: DAG) -> None:
    prepare, train = dag.get_task("prepare"), dag.get_task("train")
    assert names(prepare.inlets) == ["default/datastores/workspaceblobstore/cars/raw.csv"]
    assert names(prepare.outlets) == names(train.inlets) == ["default/outputs/cars/prepare/out"]
    assert names(train.outlets) == ["default/outputs/cars/train/model", "default/outputs/cars/train/metrics"]
    assert dag.get_task("reuse").inlets == dag.get_task("reuse").outlets == []


def test_each_name_has_one_address(dag: DAG) -> None:
    (outlet,) = dag.get_task("prepare").outlets
    assert outlet.uri == "x-airloom://default/outputs/cars/prepare/out"
    assert outlet.group == "airloom"


def test_a_changed_pipeline_writes_what_it_wrote_before(dag: DAG) -> None:
    changed = build_dag(a_pipeline(version="2", allow_reuse=False))
    assert changed.dag_id != dag.dag_id
    assert [task.outlets for task in changed.tasks] == [task.outlets for task in dag.tasks]


def test_a_published_pipeline_goes_by_its_name(dag: DAG) -> None:
    publication = Publication(id="1" * 8, name="nightly", version="7")
    published = build_dag(a_pipeline().model_copy(update={"publication": publication}), "published")
    assert names(published.get_task("prepare").outlets) == ["default/outputs/nightly/prepare/out"]


def test_outputs_with_a_place_are_known_by_it() -> None:
    """So that whoever reads the place by its path is seen to read what this step writes."""
    port = OutputPort(name="out", datastore="lake", destination="/curated/{output-name}", is_directory=True)
    elsewhere = OutputPort(name="own", datastore="lake", destination="runs/{run-id}/own", is_directory=True)
    writer = build_dag(a_definition(graph=a_graph(a_step("write", outputs=(port, elsewhere), arguments=()))))
    reader = build_dag(a_definition(graph=a_graph(a_step("read", reads=("in",)), sources={"in": "lake/curated/out"})))
    outlets = writer.get_task("write").outlets
    assert names(outlets) == ["default/datastores/lake/curated/out", "default/outputs/cars/write/own"]
    assert reader.get_task("read").inlets == outlets[:1]


def test_data_of_several_places_and_of_parameters() -> None:
    files = FilesSource(locations=(DataLocation(datastore="raw", path="a/*.csv"), DataLocation(datastore="raw")))
    by_parameter = InputPort(name="given", binding=FromParameter(parameter="where"))
    graph = a_graph(
        a_step("read", inputs=(by_parameter,), arguments=()),
        a_step("all", reads=("files",)),
        parameters=(ParameterDef(name="where", type="datapath", default=a_path("raw/b")),),
    ).model_copy(update={"sources": {"files": files}})
    dag = build_dag(a_definition(graph=graph))
    assert names(dag.get_task("read").inlets) == ["default/datastores/raw/b"]
    assert names(dag.get_task("all").inlets) == ["default/datastores/raw/a/*.csv", "default/datastores/raw"]


def test_registered_datasets_are_known_by_their_names() -> None:
    """Whatever version of it is read; and an output that becomes one is both."""
    versions = []
    for version in (1, 2):
        pinned = DatasetRef(id=f"{version}", name="cars", version=version, digest=f"{version:064x}")
        source = FilesSource(locations=(DataLocation(datastore="raw", path=f"v{version}"),), dataset=pinned)
        port = OutputPort(name="out", is_directory=True, registration=DatasetRegistration(name="prices"))
        graph = a_graph(a_step("read", reads=("cars",), outputs=(port,))).model_copy(
            update={"sources": {"cars": source}}
        )
        versions.append(build_dag(a_definition(graph=graph)).get_task("read"))
    assert names(versions[0].inlets) == ["default/datasets/cars"]
    assert names(versions[0].outlets) == ["default/outputs/cars/read/out", "default/datasets/prices"]
    assert versions[0].inlets == versions[1].inlets


def test_transfers_name_tables() -> None:
    export = DataTransferSettings(rows=SqlRows(datastore="db", table="cars"), file_format="parquet")
    query = DataTransferSettings(
        rows=SqlRows(datastore="db", query="select 1"), table=SqlTable(datastore="dwh", table="t")
    )
    out = OutputPort(name="destination", datastore="lake", destination="cars.parquet")
    graph = a_graph(
        a_step("export", settings=export, writes=(), outputs=(out,), arguments=()),
        a_step("copy", settings=query, writes=(), arguments=()),
    )
    dag = build_dag(a_definition(graph=graph))
    assert names(dag.get_task("export").inlets) == ["default/datastores/db/cars"]
    assert names(dag.get_task("export").outlets) == ["default/datastores/lake/cars.parquet"]
    assert names(dag.get_task("copy").inlets) == ["default/datastores/db"]
    assert names(dag.get_task("copy").outlets) == ["default/datastores/dwh/t"]


def test_addresses_hold_any_name() -> None:
    graph = a_graph(a_step("read", reads=("in",)), sources={"in": "raw/odd ?#/ünï.csv"})
    (inlet,) = build_dag(a_definition(graph=graph)).get_task("read").inlets
    assert inlet.name == "default/datastores/raw/odd ?#/ünï.csv"
    assert inlet.uri == "x-airloom://default/datastores/raw/odd%20%3F%23/%C3%BCn%C3%AF.csv"


def test_an_asset_is_made_once_in_a_process(dag: DAG) -> None:
    again = build_dag(a_pipeline())
    assert again.get_task("prepare").outlets[0] is dag.get_task("train").inlets[0]
