"""Digests and keys that must never change by accident, computed anew. The expected ones are in golden.json.

`python -m tests.unit.reuse.golden` prints them, in any process, on any machine; with `--write` it makes golden.json
anew, which is right only together with a raised KEY_FORMAT.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from airloom.graph.model import (
    DataLocation,
    Definition,
    EnvironmentSpec,
    FilesSource,
    FromParameter,
    LiteralValue,
    OutputPort,
    ParameterDef,
    ParameterValue,
    PipelineGraph,
    PythonScriptSettings,
    Step,
    TabularSource,
)
from airloom.reuse.hashing import pipeline_key, step_key
from airloom.reuse.records import PipelineRecord, Record
from airloom.storage.definitions import dag_id, digest16
from airloom.storage.snapshot import collect
from airloom.storage.stat_cache import null_cache
from airloom.storage.tree import scan_tree
from tests.support.builders import a_graph, a_path, a_step, an_input

FILE = Path(__file__).parent / "golden.json"
PARAMETERS = {"alpha": 1, "rate": 0.5, "fast": True, "style": "größer"}
TABLE = TabularSource(
    locations=(DataLocation(datastore="blob", path="t/*.csv"), DataLocation(datastore="blob", path="u.csv")),
    separator=";",
    header=False,
    encoding="latin1",
    keep_columns=("b", "a"),
)
SOURCES = {
    "raw": a_path("blob/raw"),
    "files": FilesSource(locations=(DataLocation(datastore="blob", path="images/**/*.png"),)),
    "table": TABLE,
}
PLAIN = a_step("train", reads=["prepare.table"], writes=["model"])
TREE = {"main.py": b"print(1)\n", "lib/\xe9t\xe9.py": b"", "lib/deep/er.txt": b"1\r\n2\r\n", "a b": bytes(range(256))}


def steps() -> dict[str, Step]:
    """One step for each thing that counts."""
    environment = EnvironmentSpec(
        python_version="3.11",
        packages=("pandas", "numpy==2.0.0"),
        interpreter_path="/opt/python",
        variables={"B": "2", "A": "ü"},
        image="docker.io/library/python:3.11",
    )
    settings = PythonScriptSettings(script_name="a.py", snapshot="0" * 64, environment=environment)
    values = ("ünï\n", "", 0, -1, 2**70, 0.1, -0.0, 1e300, True, False)
    ports = (
        OutputPort(name="uploaded", mode="upload", datastore="other"),
        OutputPort(name="here", is_directory=True, path_on_compute="work/out"),
        OutputPort(name="there", destination="results/{run-id}/{output-name}", overwrite=True),
        OutputPort(name="named", pipeline_output_name="final"),
    )
    return {
        "plain": PLAIN,
        "environment": PLAIN.model_copy(update={"settings": settings}),
        "hash paths": PLAIN.model_copy(
            update={"settings": PLAIN.settings.model_copy(update={"hash_paths": ("lib", "a.txt")})}
        ),
        "values": a_step("values", arguments=tuple(LiteralValue(value=value) for value in values)),
        "parameters": a_step("parameters", arguments=tuple(ParameterValue(parameter=name) for name in PARAMETERS)),
        "params": a_step("params", params={"b": ParameterValue(parameter="rate"), "a": LiteralValue(value="x")}),
        "outputs": a_step("outputs").model_copy(update={"outputs": ports}),
        "inputs": a_step(
            "inputs",
            inputs=(
                an_input("raw", mode="download", path_on_compute="data", overwrite=True),
                an_input("files"),
                an_input("table", mode="direct"),
                an_input("given", binding=FromParameter(parameter="given")),
            ),
        ),
        "version": PLAIN.model_copy(update={"version": "2"}),
        "nothing": Step(id="nothing", name="nothing", settings=PLAIN.settings),
    }


def key_of(step: Step) -> str:
    """The key of a golden step; digests of inputs are made up."""
    return step_key(
        step,
        source_digest="5" * 64,
        input_digests={port.name: f"{number}" * 64 for number, port in enumerate(step.inputs)},
        parameters=PARAMETERS,
        sources=SOURCES,
    ).key


def graphs() -> dict[str, PipelineGraph]:
    """A graph of everything, and the smallest one."""
    types = {"alpha": "int", "rate": "float", "fast": "bool", "style": "string"}
    parameters = [ParameterDef(name=name, type=types[name], default=value) for name, value in PARAMETERS.items()]  # type: ignore[arg-type]
    parameters.append(ParameterDef(name="given", type="datapath", default=a_path("blob/given")))
    everything = [step.model_copy(update={"id": step_id.replace(" ", "-")}) for step_id, step in steps().items()]
    settings: dict[str, Any] = {
        "compute_target": "cpu", "run_after": ("plain",), "allow_reuse": False, "reuse": "off", "timeout_seconds": 9
    }  # fmt: skip
    everything.append(a_step("settings", **settings))
    full = PipelineGraph(
        description="everything",
        parameters=tuple(parameters),
        sources=dict(SOURCES),
        steps=tuple(everything),
        continue_on_step_failure=True,
    )
    return {"full": full, "small": a_graph(a_step("only"))}


def definitions() -> dict[str, Definition]:
    """The golden graphs, bound to a workspace."""
    fields = {"workspace": "lab", "experiment": "Größe 1", "store": "file:///srv/airloom", "default_datastore": "blob"}
    return {name: Definition(**fields, pools={"cpu": "airloom-cpu"}, graph=graph) for name, graph in graphs().items()}


def trees() -> dict[str, str]:
    """Digests of a folder, of one file, and of the folder as a source folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "tree")
        for path, data in TREE.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        (folder / "empty").mkdir()
        return {
            "folder": scan_tree(folder, null_cache()).digest,
            "file": scan_tree(folder / "main.py", null_cache()).digest,
            "empty folder": scan_tree(folder / "empty", null_cache()).digest,
            "source folder": collect(folder, cache=null_cache()).digest,
        }


def golden() -> dict[str, Any]:
    """Everything that golden.json holds."""
    digests = {f"source:{name}": "7" * 64 for name in SOURCES}
    return {
        "steps": {name: key_of(step) for name, step in steps().items()},
        "pipelines": {name: pipeline_key(graph, digests, PARAMETERS) for name, graph in graphs().items()},
        "definitions": {name: digest16(definition) for name, definition in definitions().items()},
        "DAG ids": {name: dag_id(definition) for name, definition in definitions().items()},
        "trees": trees(),
        "fields of a record": sorted(Record.model_fields),
        "fields of a pipeline record": sorted(PipelineRecord.model_fields),
    }


if __name__ == "__main__":
    text = json.dumps(golden(), indent=2, ensure_ascii=True) + "\n"
    if "--write" in sys.argv:
        FILE.write_text(text, encoding="ascii")
    sys.stdout.write(text)
