"""A graph as v1 shows it: nodes with ports, edges and parameters, to be looked at and not to be changed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airloom.core._compat import not_yet
from airloom.exceptions import UserErrorException
from airloom.graph.model import (
    DatasetRegistration,
    DataSource,
    FromParameter,
    FromSource,
    LiteralValue,
    OutputOf,
    PipelineGraph,
    Step,
)
from airloom.graph.model import InputPort as InputDefinition
from airloom.graph.model import OutputPort as OutputDefinition
from airloom.graph.suggest import did_you_mean
from airloom.graph.validate import GraphProblem, validate_graph
from airloom.pipeline.core._checks import ANY
from airloom.pipeline.core.graph import PipelineParameter

DATA_PORT = "data"


class InputPort:
    """An input of a node."""

    def __init__(self, node: Node, input_port_def: InputDefinition) -> None:
        self.node = node
        self.input_port_def = input_port_def

    @property
    def name(self) -> str:
        """Name of the input."""
        return self.input_port_def.name

    @property
    def bind_mode(self) -> str:
        """mount, download or direct."""
        return self.input_port_def.mode

    @property
    def path_on_compute(self) -> str | None:
        """Where the script finds the data; None lets Airloom choose."""
        return self.input_port_def.path_on_compute

    @property
    def overwrite(self) -> bool:
        """True if files at `path_on_compute` may be replaced."""
        return self.input_port_def.overwrite

    @property
    def incoming_edge(self) -> Edge | None:
        """The link that brings the data."""
        return next((edge for edge in self.node.graph.edges if edge.dest_port is self), None)


class OutputPort:
    """An output of a node. That of data which steps only read is called `data`, and is written nowhere."""

    def __init__(self, node: Node, output_port_def: OutputDefinition) -> None:
        self.node = node
        self.output_port_def = output_port_def

    @property
    def name(self) -> str:
        """Name of the output."""
        return self.output_port_def.name

    @property
    def datastore_name(self) -> str | None:
        """The datastore written to; None stands for the workspace's default."""
        return self.output_port_def.datastore

    @property
    def bind_mode(self) -> str:
        """mount or upload."""
        return self.output_port_def.mode

    @property
    def path_on_compute(self) -> str | None:
        """Where the script writes; None lets Airloom choose."""
        return self.output_port_def.path_on_compute

    @property
    def overwrite(self) -> bool:
        """True if files at `path_on_compute` may be replaced."""
        return self.output_port_def.overwrite

    @property
    def pipeline_output_name(self) -> str | None:
        """The name by which `PipelineRun.get_pipeline_output` finds it."""
        return self.output_port_def.pipeline_output_name

    @property
    def dataset_registration(self) -> DatasetRegistration | None:
        """The dataset that it becomes when the step has succeeded."""
        return self.output_port_def.registration


class Edge:
    """A link from the output of one node to an input of another."""

    def __init__(self, source_port: OutputPort, dest_port: InputPort) -> None:
        self.source_port, self.dest_port = source_port, dest_port

    def __repr__(self) -> str:
        source, target = self.source_port, self.dest_port
        return f"Edge({source.node.name}.{source.name} -> {target.node.name}.{target.name})"


class Param:
    """What a step gets as an environment variable: a literal value, or a PipelineParameter."""

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name, value

    def get_value(self) -> Any:
        """The literal value or the PipelineParameter."""
        return self.value


class Node:
    """A part of a graph: a step, or data that steps read."""

    def __init__(self, graph: Graph, node_id: str, name: str) -> None:
        self.graph, self.node_id, self.name = graph, node_id, name
        self.inputs: list[InputPort] = []
        self.outputs: list[OutputPort] = []
        self.params: list[Param] = []

    @property
    def input_dict(self) -> dict[str, InputPort]:
        """The inputs, by name."""
        return {port.name: port for port in self.inputs}

    @property
    def output_dict(self) -> dict[str, OutputPort]:
        """The outputs, by name."""
        return {port.name: port for port in self.outputs}

    def get_input(self, name: str) -> InputPort | None:
        """The input of this name; None if there is none."""
        return self.input_dict.get(name)

    def get_output(self, name: str) -> OutputPort | None:
        """The output of this name; None if there is none."""
        return self.output_dict.get(name)

    def get_param(self, name: str) -> Param | None:
        """The param of this name; None if there is none."""
        return next((param for param in self.params if param.name == name), None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(Name: {self.name}, Id: {self.node_id})"


class ModuleNode(Node):
    """A step. `step` is all that the graph says of it."""

    def __init__(self, graph: Graph, step: Step) -> None:
        super().__init__(graph, step.id, step.name)
        self.step = step
        self.inputs += [InputPort(self, port) for port in step.inputs]
        self.outputs += [OutputPort(self, port) for port in step.outputs]
        for name, value in step.params.items():
            given = value.value if isinstance(value, LiteralValue) else graph.params[value.parameter]
            self.params.append(Param(name, given))


class DataSourceNode(Node):
    """Data that steps read. `source` says where it lies; `datapath_param_name` is the parameter that may say else."""

    def __init__(self, graph: Graph, node_id: str, name: str, source: DataSource, parameter: str | None = None) -> None:
        super().__init__(graph, node_id, name)
        self.source, self.datapath_param_name = source, parameter
        self.outputs.append(OutputPort(self, OutputDefinition(name=DATA_PORT)))


class Graph:
    """The graph of a pipeline: `definition` is the whole of it as data; nodes, edges and params show it as v1 does.

    Graphs are made by `Pipeline` and cannot be changed.
    """

    def __init__(self, name: str, context: Any, **kwargs: Any) -> None:
        definition = kwargs.get("_definition")
        if definition is None:
            raise not_yet("Building a Graph by hand", "Make steps and a Pipeline of them.")
        self.name = name
        self._definition: PipelineGraph = definition

    @staticmethod
    def _of(definition: PipelineGraph, name: str = "") -> Graph:
        return Graph(name, None, _definition=definition)

    @property
    def definition(self) -> PipelineGraph:
        """The whole graph as data."""
        return self._definition

    @cached_property
    def params(self) -> dict[str, PipelineParameter]:
        """The pipeline's parameters, by name; defaults that are data are shown as the graph has them."""
        return {each.name: PipelineParameter(each.name, each.default) for each in self.definition.parameters}

    @cached_property
    def nodes(self) -> list[Node]:
        """All nodes: data first, then the steps in the order of the pipeline."""
        return [*self.datasource_nodes, *self.module_nodes]

    @cached_property
    def module_nodes(self) -> list[ModuleNode]:
        """The steps."""
        return [ModuleNode(self, step) for step in self.definition.steps]

    @cached_property
    def datasource_nodes(self) -> list[DataSourceNode]:
        """The data that steps read and that no step writes: fixed sources, and parameters that hold data."""
        fixed = [DataSourceNode(self, _source_id(name), name, data) for name, data in self.definition.sources.items()]
        given = [
            DataSourceNode(self, _parameter_id(each.name), each.name, each.default, each.name)
            for each in self.definition.parameters
            if not isinstance(each.default, bool | int | float | str)
        ]
        return [*fixed, *given]

    @cached_property
    def edges(self) -> list[Edge]:
        """All links that carry data."""
        return [Edge(self._producer(port.input_port_def), port) for node in self.module_nodes for port in node.inputs]

    def _producer(self, port: InputDefinition) -> OutputPort:
        match port.binding:
            case OutputOf(step=step, port=name):
                return self.get_node(step).output_dict[name]
            case FromSource(source=source):
                return self.get_node(_source_id(source)).outputs[0]
            case FromParameter(parameter=parameter):
                return self.get_node(_parameter_id(parameter)).outputs[0]

    @cached_property
    def node_dict(self) -> dict[str, Node]:
        """The nodes, by id."""
        return {node.node_id: node for node in self.nodes}

    @property
    def node_name_dict(self) -> dict[str, list[Node]]:
        """The nodes, by name; several may have the same."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.name, []).append(node)
        return found

    def get_node(self, node_id: str) -> Node:
        """The node with this id; for steps that is the step's id. Raises UserErrorException if there is none."""
        if node_id not in self.node_dict:
            raise UserErrorException(f"The graph has no node {node_id!r}. {did_you_mean(node_id, self.node_dict)}")
        return self.node_dict[node_id]

    def validate(self) -> list[GraphProblem]:
        """All that keeps the graph from running, as far as it can be seen without the server."""
        return validate_graph(self.definition, datastores=ANY, computes=ANY)

    def generate_yaml(self) -> str:
        """The graph as YAML, which `Pipeline.load_yaml` reads; source folders are named by their snapshots."""
        from airloom.graph.yaml import write_pipeline  # YAML is read and written by few

        return write_pipeline(self.definition, name=self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.definition == other.definition

    __hash__ = None  # type: ignore[assignment]  # its definition holds dicts

    def __repr__(self) -> str:
        return f"Graph(Name: {self.name!r}, Steps: {[step.name for step in self.definition.steps]})"


def _source_id(name: str) -> str:
    return f"source:{name}"


def _parameter_id(name: str) -> str:
    return f"parameter:{name}"
