"""Builders of SDK objects for tests that need no server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.data.data_reference import DataReference
from airloom.data.datapath import DataPath
from airloom.graph.model import PipelineGraph, Step
from airloom.pipeline.core import Pipeline, PipelineData
from airloom.pipeline.steps import PythonScriptStep


@dataclass(frozen=True)
class Named:
    """A datastore, workspace or compute target of which only the name matters."""

    name: str


STORE = Named("workspaceblobstore")
WORKSPACE: Any = Named("default")


def a_step(name: str = "train.py", *, reads: Any = (), writes: Any = (), **changes: Any) -> PythonScriptStep:
    """A step of the folder `src` of the working folder, whose data is in its arguments too."""
    fields: dict[str, Any] = {
        "script_name": "train.py",
        "name": name,
        "inputs": list(reads),
        "outputs": list(writes),
        "arguments": [*reads, *writes],
        "source_directory": "src",
    }
    return PythonScriptStep(**{**fields, **changes})


def data(name: str = "data", **changes: Any) -> PipelineData:
    """Data between steps, on the default datastore."""
    return PipelineData(name, **changes)


def a_reference(name: str = "raw", path: str = "titanic/Titanic.csv", **changes: Any) -> DataReference:
    """A file on the blob store."""
    return DataReference(STORE, name, path, **changes)


def a_path(path: str = "in") -> DataPath:
    """A place on the blob store."""
    return DataPath(STORE, path)


def a_pipeline(*steps: Any, **changes: Any) -> Pipeline:
    """A pipeline that is not submitted."""
    return Pipeline(WORKSPACE, list(steps), **changes)


def graph_of(*steps: Any, **changes: Any) -> PipelineGraph:
    """The graph of some steps."""
    return a_pipeline(*steps, **changes).graph.definition


def built(step: PythonScriptStep) -> Step:
    """The graph's form of the last step of its pipeline."""
    return graph_of(step).steps[-1]


def write(path: str | os.PathLike[str], text: str = "") -> Path:
    """A file with its folders."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file
