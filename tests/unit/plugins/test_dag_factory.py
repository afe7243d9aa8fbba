"""A definition as an Airflow DAG: its tasks, parameters and pools, and that it is the same one every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.param import process_params
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from airloom.graph.model import (
    DataLocation,
    Definition,
    EnvironmentSpec,
    FilesSource,
    ParameterDef,
    ParameterValue,
    PipelineGraph,
    PythonScriptSettings,
    TabularSource,
)
from airloom.plugins.dag_factory import build_dag
from airloom.storage.definitions import dag_id
from tests.support.builders import a_graph, a_path, a_step
from tests.unit.plugins.conftest import a_definition

ROOT = Path(__file__).parents[3]

PARAMETERS = (
    ParameterDef(name="rate", type="float", default=0.5),
    ParameterDef(name="depth", type="int", default=3),
    ParameterDef(name="name", type="string", default="{{ conn.x }}"),
    ParameterDef(name="fast", type="bool", default=True),
    ParameterDef(name="table", type="datapath", default=a_path("workspaceblobstore/cars")),
)


def a_pipeline(**changes: object) -> PipelineGraph:
    """prepare -> two trainings -> compare, with something in every field that reaches the DAG."""
    environment = EnvironmentSpec(variables={"B": "2", "A": "1"}, packages=("pandas", "numpy"))
    settings = PythonScriptSettings(script_name="main.py", snapshot="1" * 64, environment=environment)
    graph = a_graph(
        a_step("prepare", reads=("raw",), settings=settings, compute_target="cpu"),
        a_step("ridge", reads=("prepare.out",), params={"b": ParameterValue(parameter="rate")}, compute_target="gpu"),
        a_step("forest", reads=("prepare.out",), name="Forest | of trees", compute_target="gpu"),
        a_step("compare", reads=("ridge.out", "forest.out"), run_after=("prepare",)),
        sources={"raw": "workspaceblobstore/raw"},
        parameters=PARAMETERS,
        description="Prices of {{ cars }}",
    )
    return graph.model_copy(update=changes)


@pytest.fixture
def definition() -> Definition:
    return a_definition(graph=a_pipeline(), pools={"cpu": "default.cpu", "gpu": "default.gpu"})


@pytest.fixture
def dag(definition: Definition) -> DAG:
    return build_dag(definition)


def serialized(dag: DAG) -> str:
    """What Airflow stores. It compares it with sorted keys to tell whether the DAG is a new version."""
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True)


def test_one_task_per_step_after_one_root_task(dag: DAG) -> None:
    after = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert after == {
        "reuse": set(),
        "prepare": {"reuse"},
        "ridge": {"prepare"},
        "forest": {"prepare"},
        "compare": {"ridge", "forest", "prepare"},
    }


def test_steps_run_in_the_pools_of_their_compute_targets(dag: DAG) -> None:
    pools = {task.task_id: task.pool for task in dag.tasks}
    assert pools == {
        "reuse": "default_pool",
        "prepare": "default.cpu",
        "ridge": "default.gpu",
        "forest": "default.gpu",
        "compare": "default_pool",
    }


def test_steps_go_on_after_skipped_ones_and_are_tried_again_only_when_a_worker_is_lost(dag: DAG) -> None:
    """Failures of a step itself raise AirflowFailException, which no number of retries repeats."""
    steps = [task for task in dag.tasks if task.task_id != "reuse"]
    assert {task.trigger_rule.value for task in steps} == {"none_failed"}
    assert {task.retries for task in dag.tasks} == {2}
    assert dag.fail_fast is False, "Airflow's own would count a run whose last steps it skipped as a success"


def test_nothing_that_an_author_writes_is_rendered(dag: DAG) -> None:
    assert {task.template_fields for task in dag.tasks} == {()}


def test_parameters_have_types_that_airflow_checks(dag: DAG) -> None:
    types = {name: dag.params.get_param(name).schema.get("type") for name in ("rate", "depth", "name", "fast", "table")}
    assert types == {"rate": "number", "depth": "integer", "name": "string", "fast": "boolean", "table": "object"}
    assert dag.params["name"] == "{{ conn.x }}"
    assert dag.params["table"] == a_path("workspaceblobstore/cars").model_dump(mode="json")
    with pytest.raises(ParamValidationError, match="'deep' is not of type 'integer'"):
        dag.params.get_param("depth").resolve("deep")
    with pytest.raises(ParamValidationError, match="'sometimes' is not one of"):
        dag.params.get_param("airloom.reuse").resolve("sometimes")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("a/path", "is not of type 'object'"),
        ({"kind": "files", "location": {"datastore": "d"}}, "'path' was expected"),
        ({"kind": "path"}, "'location' is a required property"),
        ({"kind": "path", "location": {"path": "x"}}, "'datastore' is a required property"),
        ({"kind": "path", "location": {"datastore": "", "path": "x"}}, "is too short|should be non-empty"),
    ],
)
def test_airflow_checks_the_form_of_data(dag: DAG, wrong: object, message: str) -> None:
    with pytest.raises(ParamValidationError, match=message):
        dag.params.get_param("table").resolve(wrong)


def test_data_of_another_kind_than_the_default_is_refused() -> None:
    files = FilesSource(locations=(DataLocation(datastore="d", path="*.csv"),))
    default = ParameterDef(name="table", type="dataset", default=files)
    param = build_dag(a_definition(graph=a_pipeline(parameters=(default,)))).params.get_param("table")
    assert param.resolve() == files.model_dump(mode="json")
    with pytest.raises(ParamValidationError, match="'files' was expected"):
        param.resolve(TabularSource(locations=files.locations).model_dump(mode="json"))


def test_a_step_has_no_parameters_of_its_own(dag: DAG) -> None:
    """Airflow would copy the DAG's into each task, in every parse; a task reads them from the DAG all the same."""
    assert all(not task.params for task in dag.tasks)
    assert process_params(dag, dag.get_task("prepare"), {"depth": 5}, suppress_exception=False)["depth"] == 5


@pytest.mark.thorough
def test_the_same_definition_gives_the_same_bytes_in_every_process(
    definition: Definition, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """Otherwise Airflow would make a new DAG version at every parse by another process.

    It compares a digest of these bytes, in which it has even sorted the lists. (The order of keys in what it stores is
    that of a set of its own.)
    """
    file = tmp_path / "definition.json"
    file.write_text(definition.model_dump_json())
    script = (
        "import sys\n"
        "from airloom.graph.model import Definition\n"
        "from tests.unit.plugins.test_dag_factory import build_dag, serialized\n"
        "definition = Definition.model_validate_json(open(sys.argv[1], 'rb').read())\n"
        "dag = build_dag(definition)\n"
        "sys.stdout.write(serialized(dag))\n"
    )
    here = serialized(build_dag(definition))
    assert serialized(build_dag(definition)) == here
    for seed in range(rounds(5, 99)):
        there = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, str(file)],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.splitlines()[-1] == here


def test_each_content_has_a_dag_of_its_own(definition: Definition) -> None:
    other = a_definition(graph=a_pipeline(description="other"), pools=definition.pools)
    assert build_dag(definition).dag_id == dag_id(definition)
    assert build_dag(other).dag_id != build_dag(definition).dag_id
    assert build_dag(definition).dag_id.startswith("cars.")
