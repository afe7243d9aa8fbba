"""docs/sdk.md: imports and arguments that it names exist, and what it calls missing is missing, no more and no less."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator

import pytest

from airloom.core import Datastore, Experiment
from airloom.core.run import Run
from airloom.pipeline.core import Pipeline, PipelineRun, Schedule, StepRun
from airloom.pipeline.core._submit import SubmitOptions
from airloom.pipeline.core.graph import Graph
from airloom.pipeline.steps import PythonScriptStep
from tests.docs.support import ROOT, codes, rows, section, text_of

PAGE = "docs/sdk.md"
MISSING = "What is not there yet"

OF_AN_ARGUMENT = "The argument "

# The beginning of what an error says is not available, and what the page calls it.
NAMED_ON_THE_PAGE = {
    "A datastore on": "datastores on the Databricks file system",
    "A run that makes a profile": "`submit_profile_run`",
    "A list of registered environments": "registered and curated environments",
    "Attaching": "`ComputeTarget.attach`",
    "Building a Graph by hand": "building a `Graph` by hand",
    "Building an image from a Dockerfile": "images from a Dockerfile",
    "Deleting an experiment": "deleting experiments",
    "Mode direct for input": "mode direct for outputs of steps",
    "Reading the output": "mode direct for outputs of steps",
    "Registering the environment": "registered and curated environments",
    "Submitting a single script": "`ScriptRunConfig` as a submission",
    "TabularDataset.mount": "`TabularDataset.mount`",
    "A SqlDataReference to a stored procedure": "`SqlDataReference`",
    "The HDFS mode of inputs": "`as_hdfs()`",
    "The existing conda environment": "an existing conda environment as a base",
    "The framework PySpark": "PySpark",
    "The registered or curated environment": "registered and curated environments",
    "additional_transformations": "`additional_transformations`",
    "as_resource()": "`as_resource()`",
    "dataset_output": "`dataset_output`",
    "is_resource": "`is_resource`",
    "register_dask_dataframe": "`register_dask_dataframe`",
    "register_spark_dataframe": "`register_spark_dataframe`",
    "resource_inputs": "`resource_inputs`",
    "source_globs": "`source_globs`",
    "to_dask_dataframe": "`to_dask_dataframe`",
    "to_spark_dataframe": "`to_spark_dataframe`",
    "training_output": "`training_output`",
}


def calls_of(*names: str) -> Iterator[ast.Call]:
    """All calls of these functions in the SDK."""
    for file in (ROOT / "airloom").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield node


def refused_things() -> Iterator[str]:
    """What the SDK says is not available: the text at the beginning of each such error, unless a variable is there."""
    for call in calls_of("not_yet", "_no_registry"):
        text = call.args[0]
        first = text.values[0] if isinstance(text, ast.JoinedStr) else text
        if isinstance(first, ast.Constant):
            yield str(first.value)


def refused_arguments() -> Iterator[str]:
    """The arguments that are refused unless they have their default."""
    for call in calls_of("refuse_unless_default"):
        if isinstance(call.args[1], ast.Dict):
            yield from (str(key.value) for key in call.args[1].keys if isinstance(key, ast.Constant))


def test_everything_that_is_refused_is_named_on_the_page() -> None:
    page = " ".join(section(PAGE, MISSING).split())
    found = [text for text in refused_things() if text != OF_AN_ARGUMENT]
    assert len(found) > 20
    for text in found:
        named = [words for beginning, words in NAMED_ON_THE_PAGE.items() if text.startswith(beginning)]
        assert named, f"{text!r} is not available: name it in {PAGE}, and here"
        assert named[0] in page, f"{PAGE} does not name {named[0]}"


def test_every_argument_that_is_refused_is_named_on_the_page() -> None:
    refused = set(refused_arguments())
    assert refused
    assert refused <= set(codes(section(PAGE, MISSING)))


@pytest.mark.parametrize("row", rows(text_of(PAGE).partition("\n## ")[0]), ids=lambda row: str(row[0]))
def test_imports_of_v1_exist_here(row: list[str]) -> None:
    match = re.fullmatch(r"`from (azureml[\w.]*) import (.*)`", row[0])
    assert match
    module = importlib.import_module(match[1].replace("azureml", "airloom", 1))
    assert f"from {module.__name__} import" in row[1]
    for name in match[2].split(", "):
        assert name == "..." or hasattr(module, name)


def test_new_arguments_exist() -> None:
    submit = {*inspect.signature(Pipeline.submit).parameters, *SubmitOptions.__dataclass_fields__}
    known = {
        "PythonScriptStep": set(inspect.signature(PythonScriptStep).parameters),
        "Pipeline.submit": submit,
        "Experiment.submit": submit,
        "PipelineRun": set(dir(PipelineRun)),
        "StepRun": set(dir(StepRun)),
        "Datastore": set(dir(Datastore)),
        "Pipeline.publish": set(inspect.signature(Pipeline.publish).parameters),
        "PipelineRun.publish_pipeline": set(inspect.signature(PipelineRun.publish_pipeline).parameters),
        "PublishedPipeline.submit": submit,
        "PipelineEndpoint.submit": submit,
        "Schedule.create": set(inspect.signature(Schedule.create).parameters),
        "Schedule": set(dir(Schedule)),
        "Graph": set(dir(Graph)),
    }
    for owners, names, _ in rows(section(PAGE, "New arguments")):
        for owner in codes(owners):
            assert {name.removesuffix("()") for name in codes(names)} <= known[owner]


@pytest.mark.parametrize(
    "module", ["core.model", "core.webservice", "core.keyvault", "train", "interpret", "pipeline.core.module"]
)
def test_modules_that_are_called_missing_are_missing(module: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"airloom\."):
        importlib.import_module(f"airloom.{module}")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (importlib.import_module("airloom.pipeline.steps"), "ParallelRunStep"),
        (importlib.import_module("airloom.pipeline.core"), "Module"),
        (importlib.import_module("airloom.pipeline.core.graph"), "ModuleDef"),
        (importlib.import_module("airloom.pipeline.core.graph"), "ParamDef"),
        (Run, "get_metrics"),
        (Run, "log"),
        (Run, "upload_file"),
        (Run, "register_model"),
        (Experiment, "start_logging"),
    ],
    ids=str,
)
def test_names_that_are_called_missing_are_missing(owner: object, name: str) -> None:
    assert not hasattr(owner, name)
    assert name in section(PAGE, MISSING)
