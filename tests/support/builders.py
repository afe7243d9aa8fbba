"""Builders of graphs for tests: short, and every value that a test does not care about has a default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airloom.graph.model import (
    DataLocation,
    FromSource,
    InputPath,
    InputPort,
    OutputOf,
    OutputPath,
    OutputPort,
    PathSource,
    PipelineGraph,
    PythonScriptSettings,
    Step,
)


def a_step(step_id: str, *, reads: Sequence[str] = (), writes: Sequence[str] = ("out",), **changes: Any) -> Step:
    """A step that reads ports given as "step.port" or as the name of a source, and writes the ports of `writes`."""
    inputs = tuple(an_input(read) for read in reads)
    outputs = tuple(OutputPort(name=name, is_directory=True) for name in writes)
    fields: dict[str, Any] = {
        "id": step_id,
        "name": step_id,
        "settings": PythonScriptSettings(script_name="main.py", snapshot="0" * 64),
        "inputs": inputs,
        "outputs": outputs,
        "arguments": (
            *(InputPath(port=port.name) for port in inputs),
            *(OutputPath(port=port.name) for port in outputs),
        ),
    }
    return Step(**{**fields, **changes})


def an_input(read: str, **changes: Any) -> InputPort:
    """An input port: "step.port" reads an output, a plain name reads the source of that name."""
    step, dot, port = read.partition(".")
    binding = OutputOf(step=step, port=port) if dot else FromSource(source=step)
    return InputPort(**{"name": read.replace(".", "_"), "binding": binding, **changes})


def a_graph(*steps: Step, sources: dict[str, str] | None = None, **changes: Any) -> PipelineGraph:
    """A graph of steps; `sources` maps names to "datastore/path"."""
    return PipelineGraph(
        steps=steps, sources={name: a_path(address) for name, address in (sources or {}).items()}, **changes
    )


def a_path(address: str) -> PathSource:
    """A data source from "datastore/path"."""
    datastore, _, path = address.partition("/")
    return PathSource(location=DataLocation(datastore=datastore, path=path))
