"""Pipelines as YAML: what was written is read again, and what is wrong is told with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from airloom.errors import InvalidGraph, NotFound
from airloom.graph._yaml_nodes import plain_value
from airloom.graph.model import (
    DataLocation,
    DataSource,
    EnvironmentSpec,
    FromParameter,
    FromSource,
    InputPath,
    LiteralValue,
    OutputOf,
    OutputPath,
    ParameterValue,
    PathSource,
    PipelineGraph,
    PythonScriptSettings,
)
from airloom.graph.validate import validate_graph
from airloom.graph.yaml import RunConfig, Schedule, read_file, read_pipeline, write_pipeline
from tests.unit.graph.graphs import graphs


class Context:
    """Knows one folder, one run configuration and one dataset."""

    def snapshot(self, folder: Path | None, script_name: str, hash_paths: tuple[str, ...]) -> PythonScriptSettings:
        if folder is not None and folder.name == "gone":
            raise NotFound(f"The folder '{folder.name}' does not exist.", hint="Check it.")
        return PythonScriptSettings(script_name=script_name, snapshot="0" * 64, hash_paths=hash_paths)

    def run_config(self, file: Path) -> RunConfig:
        if not file.is_file():
            raise ValueError(f"There is no file {file.name}.")
        return RunConfig(EnvironmentSpec(packages=("pandas",)), 60, "from-config")

    def dataset(self, reference: dict[str, Any]) -> DataSource:
        return PathSource(location=DataLocation(datastore="registered", path=str(reference)))


V1 = """
pipeline:
    name: SamplePipelineFromYaml
    description: two steps
    parameters:
        NumIterationsParameter: {type: int, default: 40}
        Folder:
            type: datapath
            default: {datastore: workspaceblobstore, path_on_datastore: sample.txt}
    data_references:
        DataReference1:
            datastore: workspaceblobstore
            path_on_datastore: testfolder/sample.txt
        Titanic: {dataset_name: titanic_ds, bind_mode: download}
    default_compute: cpu-cluster
    steps:
        Dataprep:
            type: "PythonScriptStep"
            name: "DataPrep Step"
            script_name: "prep.py"
            runconfig: ".\\\\default.yml"
            parameters:
                NUM_ITERATIONS_2: {source: NumIterationsParameter}
                NUM_ITERATIONS_1: 7
            arguments: [--out, output:train_path, --n, parameter:NUM_ITERATIONS_2, --m, parameter:NUM_ITERATIONS_1]
            allow_reuse: True
            inputs:
                InputData: {source: DataReference1}
                Rows: {source: Titanic}
                Path: {source: Folder, bind_mode: mount}
            outputs:
                train_path: {destination: train_csv, datastore: workspaceblobstore, bind_mode: mount}
        Training:
            type: PythonScriptStep
            compute_target: gpu
            script_name: train.py
            source_directory: "src"
            hash_paths: [lib]
            version: 2
            allow_reuse: False
            run_after: [Dataprep]
            arguments:
            - --in
            - input:train_path
            - 12:30
            inputs:
                train_path: {source: train_csv, bind_mode: download}
"""


def read(folder: Path, text: str) -> PipelineGraph:
    file = folder / "pipeline.yml"
    file.write_text(text)
    return read_pipeline(file, Context())


def test_the_form_of_v1(tmp_path: Path) -> None:
    (tmp_path / "default.yml").write_text("target: from-config")
    graph = read(tmp_path, V1)
    prep, training = graph.steps
    assert (prep.id, prep.name, prep.compute_target) == ("Dataprep", "DataPrep Step", "cpu-cluster")
    assert (prep.settings.environment.packages, prep.timeout_seconds) == (("pandas",), 60)
    assert prep.params["NUM_ITERATIONS_2"] == ParameterValue(parameter="NumIterationsParameter")
    assert prep.arguments[1::2] == (
        OutputPath(port="train_path"),
        ParameterValue(parameter="NumIterationsParameter"),
        LiteralValue(value=7),
    )
    assert [(port.name, port.binding, port.mode) for port in prep.inputs] == [
        ("InputData", FromSource(source="DataReference1"), "mount"),
        ("Rows", FromSource(source="Titanic"), "download"),
        ("Path", FromParameter(parameter="Folder"), "mount"),
    ]
    assert (training.id, training.name, training.compute_target) == ("Training", "Training", "gpu")
    assert (training.version, training.allow_reuse, training.run_after) == ("2", False, ("Dataprep",))
    assert training.settings.hash_paths == ("lib",)
    assert training.inputs[0].binding == OutputOf(step="Dataprep", port="train_path")
    assert training.arguments == (
        LiteralValue(value="--in"),
        InputPath(port="train_path"),
        LiteralValue(value="12:30"),
    )
    stores = ["workspaceblobstore", "registered"]
    assert validate_graph(graph, datastores=stores, computes=["cpu-cluster", "gpu"]) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs())
def test_what_was_written_is_read_again(tmp_path: Path, graph: PipelineGraph) -> None:
    assert read(tmp_path, write_pipeline(graph, name="any")) == graph


def test_source_folders_in_place_of_snapshots(tmp_path: Path) -> None:
    graph = read(tmp_path, "pipeline: {steps: {a: {type: PythonScriptStep, script_name: a.py}}}")
    text = write_pipeline(graph, source_directories={"a": "src"})
    assert "source_directory: src" in text and "snapshot" not in text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("True", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("nan", "nan"),
        ("9" * 401, "9" * 401),
    ],
)
def test_unquoted_values_mean_what_they_mean_in_yaml_1_2(text: str, value: Any) -> None:
    assert plain_value(text) == value and type(plain_value(text)) is type(value)


def test_shared_settings_by_merge_keys(tmp_path: Path) -> None:
    graph = read(
        tmp_path,
        """
pipeline:
  steps:
    a: &common
      type: PythonScriptStep
      script_name: a.py
      version: one
    b: {<<: *common, version: two}
    c: {<<: [{version: three}, *common]}
""",
    )
    assert [step.version for step in graph.steps] == ["one", "two", "three"]
    assert {step.settings.script_name for step in graph.steps} == {"a.py"}


STEP = "type: PythonScriptStep, script_name: a.py"


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("", 1, "The file is empty"),
        ("steps: {}", 1, "no key 'pipeline'"),
        ("pipeline:\n  steps: [", 2, "This is not YAML"),
        ("pipeline:\n  name: x", 2, "The pipeline has no steps"),
        ("pipeline:\n  stpes: {}", 2, "unknown key 'stpes'. Did you mean 'steps'"),
        ("pipeline:\n  steps:\n    - a", 3, "'steps' must be a mapping"),
        ("pipeline:\n  steps:\n    a: {}\n    a: {}", 4, "has the key 'a' twice"),
        ("pipeline:\n  steps:\n    a: {script_name: a.py}", 3, "Step 'a' has no type"),
        ("pipeline:\n  steps:\n    a: {type: AdlaStep}", 3, "type AdlaStep, which is not available"),
        ("pipeline:\n  steps:\n    a: {type: PythonStep}", 3, "unknown type 'PythonStep'. Did you mean"),
        ("pipeline:\n  steps:\n    a: {type: PythonScriptStep}", 3, "has no script_name"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, scriptname: b}}", 3, "Did you mean 'script_name'"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, allow_reuse: maybe}}", 3, "must be true or false, not 'maybe'"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, timeout_seconds: 0}}", 3, "must be above 0"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, timeout_seconds: 1h}}", 3, "must be a whole number"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, retries: some}}", 3, "retries of Step 'a' must be a whole number"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, retries: 1, retry_backoff: x}}", 3, "retry_backoff .* be a number"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, reuse: never}}", 3, "cannot be 'never'"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, run_after: [b]}}", 3, "runs after 'b', but there is no such step"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, source_directory: gone}}", 3, "'gone' does not exist. Check it"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, runconfig: no.yml}}", 3, "There is no file no.yml"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, runconfig: x, environment: {{}}}}", 3, "both 'runconfig' and"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, runconfig_parameters: {{NodeCount: 2}}}}", 3, "one process here"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, inputs: {{i: {{}}}}}}", 3, "input 'i' of Step 'a' has no source"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, inputs: {{i: {{source: x}}}}}}", 3, "source 'x' .* is not known"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, arguments: [input:x]}}", 3, "no such input"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, arguments: [parameter:x]}}", 3, "no such parameter"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, arguments: [side_input:x]}}", 3, "only ParallelRunStep"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, arguments: [[b]]}}", 3, "must be a single value"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, parameters: {{x: {{source: y}}}}}}", 3, "'y', which there is not"),
        (f"pipeline:\n  steps:\n    a: {{{STEP}, parameters: {{x: {{}}}}}}", 3, "either 'source' or 'value'"),
        ("pipeline:\n  parameters:\n    p: {type: int}", 3, "Parameter 'p' has no default"),
        ("pipeline:\n  parameters:\n    p: {type: integer, default: 1}", 3, "cannot be 'integer'. Did you mean 'int'"),
        ("pipeline:\n  parameters:\n    p:\n      type: int\n      default: x", 5, "is of type int, but its default"),
        ("pipeline:\n  data_references:\n    d: {sql_table: t}", 3, "reads from SQL, which is not available"),
        ("pipeline:\n  data_references:\n    d: {path_on_datastore: x}", 3, "names no datastore"),
        (
            "pipeline:\n  data_references: {x: {datastore: d}}\n  parameters:\n    x: {type: datapath, default: "
            f"{{datastore: d}}}}\n  steps:\n    a: {{{STEP}, inputs: {{i: {{source: x}}}}}}",
            6,
            r"may mean a parameter or a data_reference. Write \{parameter: x\}",
        ),
        (
            f"pipeline:\n  steps:\n    a: {{{STEP}, outputs: {{o: }}}}\n"
            f"    b: {{{STEP}, outputs: {{p: {{destination: o}}}}}}",
            4,
            "Several outputs have the destination 'o'",
        ),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, line: int, complaint: str) -> None:
    with pytest.raises(InvalidGraph, match=rf"pipeline\.yml:{line}: .*{complaint}"):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidGraph, match=r"'nothing\.yml' cannot be read: No such file"):
        read_pipeline("nothing.yml", Context())
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidGraph, match="it is not UTF-8 text"):
        read_pipeline(tmp_path / "x.yml", Context())


def test_a_file_that_contains_itself(tmp_path: Path) -> None:
    with pytest.raises(InvalidGraph, match="contains itself"):
        read(tmp_path, "pipeline: &p\n  <<: *p\n")


def test_a_file_nested_too_deeply(tmp_path: Path) -> None:
    with pytest.raises(InvalidGraph, match="nested too deeply"):
        read(tmp_path, "[" * 10_000)


def test_counts_of_processes_may_be_one(tmp_path: Path) -> None:
    counted = (
        "pipeline:\n  parameters: {n: {type: int, default: %d}}\n  steps:\n    a: {%s, runconfig_parameters: {%s}}"
    )
    assert len(read(tmp_path, counted % (1, STEP, "NodeCount: {source: n}, MpiProcessCountPerNode: 1")).steps) == 1
    with pytest.raises(InvalidGraph, match=r"pipeline.yml:4: Step 'a' asks for NodeCount = 4 .* one process here"):
        read(tmp_path, counted % (4, STEP, "NodeCount: {source: n}"))


class TestSchedules:
    FILE = "pipeline:\n  steps:\n    a: {type: PythonScriptStep, script_name: a.py}\n"

    def schedule(self, folder: Path, text: str) -> Schedule | None:
        (folder / "pipeline.yml").write_text(f"{self.FILE}schedule:\n{text}")
        return read_file(folder / "pipeline.yml", Context()).schedule

    def test_beside_a_pipeline(self, tmp_path: Path) -> None:
        found = self.schedule(
            tmp_path,
            "  recurrence: {frequency: Week, interval: 2, week_days: [Monday], hours: [6], time_zone: UTC}\n"
            "  pipeline_parameters: {n: 1, day: '@utcNow()', raw: {datastore: d, path_on_datastore: p}}\n"
            "  continue_on_step_failure: true\n",
        )
        assert found == Schedule(
            recurrence={"frequency": "Week", "interval": 2, "week_days": ["Monday"], "hours": [6], "time_zone": "UTC"},
            line=5,
            pipeline_parameters={
                "n": 1,
                "day": "@utcNow()",
                "raw": {"kind": "path", "location": {"datastore": "d", "path": "p"}},
            },
            continue_on_step_failure=True,
        )
        assert read_file(tmp_path / "pipeline.yml", Context()).name == ""

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("  description: x", ":5: The schedule has no recurrence"),
            ("  recurrence: {frequency: Day, intervall: 1}", ":5: .* unknown key 'intervall'. Did you mean 'interval'"),
            (
                "  recurrence: {frequency: Day, interval: often}",
                ":5: interval of the recurrence must be a whole number",
            ),
            ("  recurrence: {frequency: Day, hours: 6}", ":5: hours of the recurrence must be a list"),
            ("  datastore_name: x", ":5: .* cannot have 'datastore_name'. Publish the pipeline"),
            ("  recurence: {}", "Did you mean 'recurrence'"),
        ],
    )
    def test_what_is_wrong(self, tmp_path: Path, text: str, complaint: str) -> None:
        with pytest.raises(InvalidGraph, match=complaint):
            self.schedule(tmp_path, text)
