"""Graphs as v1 shows them: nodes, ports, edges, parameters."""

from __future__ import annotations

import pytest

from airloom.exceptions import UserErrorException
from airloom.pipeline.core import InputPortBinding, PipelineParameter, graph
from airloom.pipeline.core.graph import DataSourceNode, Graph, ModuleNode
from tests.unit.sdk_pipeline.builders import a_path, a_pipeline, a_reference, a_step, data, write

pytestmark = pytest.mark.usefixtures("scripts")


@pytest.fixture
def shown() -> Graph:
    """Two steps: one reads a fixed file, the other a path given by a parameter and what the first writes."""
    table = data("table", pipeline_output_name="the table")
    folder, rounds = PipelineParameter("folder", a_path()), PipelineParameter("rounds", 5)
    first = a_step("first", reads=[a_reference("raw")], writes=[table], params={"depth": rounds, "kind": "tree"})
    second = a_step("second", reads=[table, InputPortBinding("given", folder, "download", "/in", True)])
    second.run_after(first)
    return a_pipeline(first, second).graph


def test_nodes(shown: Graph) -> None:
    assert [node.name for node in shown.nodes] == ["raw", "folder", "first", "second"]
    assert [node.name for node in shown.module_nodes] == ["first", "second"]
    assert [node.name for node in shown.datasource_nodes] == ["raw", "folder"]
    assert set(shown.node_dict) == {node.node_id for node in shown.nodes}
    assert shown.node_name_dict["first"] == [shown.get_node("first")]
    node = shown.get_node("first")
    assert isinstance(node, ModuleNode) and node.step == shown.definition.steps[0]
    assert repr(node) == "ModuleNode(Name: first, Id: first)"
    with pytest.raises(UserErrorException, match=r"no node 'frist'\. Did you mean 'first'"):
        shown.get_node("frist")


def test_edges_lead_from_producer_to_consumer(shown: Graph) -> None:
    links = {(edge.source_port.node.name, edge.dest_port.node.name, edge.dest_port.name) for edge in shown.edges}
    assert links == {("raw", "first", "raw"), ("first", "second", "table"), ("folder", "second", "given")}
    port = shown.get_node("second").input_dict["table"]
    assert port.incoming_edge is not None
    assert port.incoming_edge.source_port is shown.get_node("first").get_output("table")
    assert repr(port.incoming_edge) == "Edge(first.table -> second.table)"


def test_ports(shown: Graph) -> None:
    second = shown.get_node("second")
    given = second.get_input("given")
    assert given is not None
    assert (given.bind_mode, given.path_on_compute, given.overwrite) == ("download", "/in", True)
    table = shown.get_node("first").output_dict["table"]
    assert (table.pipeline_output_name, table.bind_mode, table.overwrite) == ("the table", "mount", False)
    assert (table.datastore_name, table.path_on_compute) == (None, None)
    assert (second.get_input("nothing"), second.get_output("nothing")) == (None, None)


def test_params(shown: Graph) -> None:
    assert {name: parameter.name for name, parameter in shown.params.items()} == {
        "folder": "folder",
        "rounds": "rounds",
    }
    assert shown.params["rounds"].default_value == 5
    first = shown.get_node("first")
    depth, kind = first.get_param("depth"), first.get_param("kind")
    assert depth is not None and depth.get_value() is shown.params["rounds"]
    assert kind is not None and kind.get_value() == "tree"
    assert first.get_param("nothing") is None


def test_data_of_a_parameter_names_it(shown: Graph) -> None:
    raw, folder = shown.datasource_nodes
    assert isinstance(folder, DataSourceNode)
    assert (raw.datapath_param_name, folder.datapath_param_name) == (None, "folder")
    (default,) = [each.default for each in shown.definition.parameters if each.name == "folder"]
    assert folder.source == default


def test_equal_pipelines_have_equal_graphs(shown: Graph) -> None:
    write("src/train.py", "print('changed')\n")
    assert a_pipeline(a_step()).graph == a_pipeline(a_step()).graph != shown
    assert "first" in repr(shown)


def test_validating_needs_no_server(shown: Graph) -> None:
    assert shown.validate() == []


def test_graphs_are_not_built_by_hand() -> None:
    with pytest.raises(UserErrorException, match="Building a Graph by hand is not available"):
        Graph("name", None)


def test_the_module_knows_its_names() -> None:
    assert {"Graph", "PublishedPipeline", "PipelineParameter"} <= set(dir(graph))
    with pytest.raises(AttributeError, match="has no attribute 'Grpah'"):
        graph.Grpah  # noqa: B018
