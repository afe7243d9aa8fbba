"""Registered datasets as users of the SDK have them, on a real server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airloom.core import Dataset, Workspace
from airloom.core._config_file import Connection
from airloom.data import DatasetConsumptionConfig, FileDataset, TabularDataset
from airloom.exceptions import AlreadyExistsException, NotFoundException, UserErrorException
from airloom.graph.model import DatasetRef, FilesSource
from airloom.pipeline.core import PipelineParameter
from airloom.pipeline.steps import PythonScriptStep
from tests.integration.api.server import ApiServer
from tests.unit.sdk_pipeline.builders import graph_of

JsonObject = dict[str, Any]


@pytest.fixture
def ws(sqlite_server: ApiServer, tmp_path: Path) -> Workspace:
    """A new workspace with two files in `data` on its default datastore."""
    client = sqlite_server.client()
    name = f"ws-{uuid4().hex[:12]}"
    client.create_workspace({"name": name})
    for path in ("data/a.csv", "data/b.csv"):
        client.upload_file(name, "workspaceblobstore", path, b"x,y\n1,2\n")
    connection = Connection(sqlite_server.url, "admin", sqlite_server.password_file)
    return Workspace._opened(connection, None, name)


@pytest.fixture
def files(ws: Workspace) -> FileDataset:
    return Dataset.File.from_files(ws.get_default_datastore().path("data/*.csv"))


def test_the_life_of_a_dataset(ws: Workspace, files: FileDataset) -> None:
    assert (files.name, files.version, files.tags) == (None, None, {})
    cars = files.register(ws, "cars", "two files", {"kind": "csv"})
    assert (cars.name, cars.version, cars.description, cars.tags) == ("cars", 1, "two files", {"kind": "csv"})
    assert isinstance(cars, FileDataset)
    assert cars.to_path() == ["/a.csv", "/b.csv"]
    assert cars == files
    for found in (
        Dataset.get_by_name(ws, "cars"),
        Dataset.get_by_name(ws, "cars", version=1),
        Dataset.get_by_name(ws, "cars", version="latest"),
        Dataset.get_by_id(ws, cars.id),
        ws.datasets["cars"],
        Dataset.get_all(ws)["cars"],
        Dataset.get_all_versions(ws, "cars")[0],
    ):
        assert (found.id, found.name, found.version) == (cars.id, "cars", 1)
    assert cars.add_tags({"more": "yes"}).tags == {"kind": "csv", "more": "yes"}
    assert cars.remove_tags(["kind", "none"]).tags == {"more": "yes"}
    cars.update(description="said later")
    again = Dataset.get_by_name(ws, "cars")
    assert (again.description, again.tags) == ("said later", {"more": "yes"})
    again.unregister_all_versions()
    assert again.name is None
    assert ws.datasets == {}


def test_versions_of_a_name(ws: Workspace, files: FileDataset) -> None:
    first = files.register(ws, "cars")
    with pytest.raises(AlreadyExistsException, match="create_new_version=True"):
        files.take(1).register(ws, "cars")
    second = files.take(1).register(ws, "cars", create_new_version=True)
    assert (second.version, second.to_path()) == (2, ["/a.csv"])
    assert [each.version for each in Dataset.get_all_versions(ws, "cars")] == [2, 1]
    second.unregister()
    assert Dataset.get_by_name(ws, "cars").id == first.id


def test_a_dataset_tells_that_its_content_has_moved_on(ws: Workspace, files: FileDataset) -> None:
    cars = files.register(ws, "cars")
    assert not cars.changed_since_registered
    before = cars.data_changed_time
    assert before is not None and before < datetime.now(UTC)
    client, store = ws._client, "workspaceblobstore"
    client.upload_file(ws.name, store, "data/b.csv", b"x,y\n3,4\n", overwrite=True)
    assert cars.changed_since_registered
    assert cars.content_changes["changed"] == [f"{store}/data/b.csv"]
    assert cars.register(ws, "cars", create_new_version=True).version == 2
    with pytest.raises(UserErrorException, match="is not registered"):
        files.content_changes  # noqa: B018


def test_tables_are_registered_too(ws: Workspace) -> None:
    table = Dataset.Tabular.from_delimited_files(ws.get_default_datastore().path("data/a.csv")).keep_columns("y")
    rows = Dataset.get_by_id(ws, table.register(ws, "rows").id)
    assert isinstance(rows, TabularDataset)
    assert rows.to_pandas_dataframe()["y"].tolist() == [2]
    assert rows == table


@pytest.mark.parametrize("name", ["", "a/b", 7, None])
def test_names_that_cannot_be(ws: Workspace, files: FileDataset, name: Any) -> None:
    with pytest.raises(UserErrorException, match="name of a dataset"):
        files.register(ws, name)
    with pytest.raises(UserErrorException, match="name of a dataset"):
        Dataset.get_by_name(ws, name)


def test_what_is_not_there(ws: Workspace, files: FileDataset) -> None:
    files.register(ws, "cars")
    with pytest.raises(NotFoundException, match=r"no dataset 'car'.*Did you mean 'cars'"):
        Dataset.get_by_name(ws, "car")
    with pytest.raises(NotFoundException, match=r"no version 7\. It has: 1"):
        Dataset.get_by_name(ws, "cars", 7)
    with pytest.raises(UserErrorException, match="is not registered"):
        files.unregister()


# --- in pipelines -------------------------------------------------------------------------------------------------


def test_a_pipeline_names_the_version_that_it_reads(ws: Workspace, files: FileDataset, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print()")
    cars = files.register(ws, "cars")
    reference = DatasetRef.model_validate(ws._client.get_dataset_version(ws.name, "cars")["source"]["dataset"])
    parameter = PipelineParameter("data", cars)
    given = DatasetConsumptionConfig("p", parameter).as_mount()
    step = PythonScriptStep("main.py", source_directory=str(tmp_path), inputs=[cars.as_mount(), given])
    graph = graph_of(step)
    sources = [*graph.sources.values(), *(each.default for each in graph.parameters)]
    assert [source.dataset for source in sources if isinstance(source, FilesSource)] == [reference, reference]


def graph_reading(source: JsonObject, default: JsonObject) -> JsonObject:
    """A pipeline of one step that reads a source, with a parameter that is a dataset."""
    settings = {"type": "python_script", "script_name": "main.py", "snapshot": "0" * 64}
    port = {"name": "data", "binding": {"kind": "source", "source": "cars"}}
    return {
        "sources": {"cars": source},
        "parameters": [{"name": "p", "type": "dataset", "default": default}],
        "steps": [{"id": "a", "name": "a", "settings": settings, "inputs": [port]}],
    }


def test_references_in_graphs_are_resolved_by_the_server(ws: Workspace, files: FileDataset) -> None:
    first, second = files.register(ws, "cars"), files.take(1).register(ws, "cars", create_new_version=True)
    graph = graph_reading({"kind": "dataset", "name": "cars", "version": 1}, {"kind": "dataset", "name": "cars"})
    draft = ws._client.create_draft(
        ws.name, {"name": "d", "graph": graph, "parameters": {"p": graph["sources"]["cars"]}}
    )
    kept = ws._client.get_draft_graph(ws.name, draft["id"])
    assert kept["sources"]["cars"]["dataset"]["id"] == first.id
    assert kept["parameters"][0]["default"]["dataset"]["id"] == second.id
    assert ws._client.get_draft(ws.name, draft["id"])["parameters"]["p"]["dataset"]["version"] == 1
    assert [each["code"] for each in ws._client.validate_graph(ws.name, graph)] == []


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"kind": "dataset", "name": "none"}, "no dataset 'none'"),
        ({"kind": "dataset", "name": "cars", "version": 5}, "no version 5"),
        ({"kind": "dataset", "id": "none"}, "no dataset 'none'"),
        ({"kind": "dataset"}, "not understood"),
        ({"kind": "dataset", "name": "cars", "path": "x"}, "not understood"),
        ({"kind": "dataset", "name": "cars", "version": [1]}, "not understood"),
    ],
)
def test_references_that_lead_nowhere(ws: Workspace, files: FileDataset, reference: JsonObject, message: str) -> None:
    files.register(ws, "cars")
    graph = graph_reading(reference, {"kind": "dataset", "name": "cars"})
    with pytest.raises(UserErrorException, match=message):
        ws._client.create_draft(ws.name, {"name": "d", "graph": graph})
    assert message in ws._client.validate_graph(ws.name, graph)[0]["message"]
