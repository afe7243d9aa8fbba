"""What a script may import of the SDK, in any Python from 3.8 on, without Airloom being installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from airloom.graph.model import EnvironmentSpec
from airloom.runner import ScriptFailed, TabularOptions
from airloom.runner.variables import STANDIN
from tests.unit.runner.support import Host, an_input, an_output, input_path, other_pythons

pytestmark = pytest.mark.integration

EVERYTHING = """
import json, math, sys
from {name}.core import Dataset, Experiment, Model, Run, Workspace
from {name}.core.run import Run as SameRun
from {name}.data import FileDataset
assert Run is SameRun
run = Run.get_context(allow_offline=False)
run.log("accuracy", 0.5)
run.log("loss", 2.0, step=1)
run.log("loss", math.nan, step=2)
run.log_list("sizes", (1, 2))
run.log_row("table", epoch=1, error=0.5)
run.log_row("table", epoch=2, error=0.25)
run.log_table("whole", {{"a": [1, 2], "b": ["x", "y"]}})
run.log_confusion_matrix("matrix", '{{"schema_type": "confusion_matrix", "data": {{"matrix": [[1, 0], [0, 1]]}}}}')
run.parent.log("overall", 1)
with run.child_run("fold") as child:
    child.log("accuracy", 0.75)
    child_id = child.id
open("picture.png", "wb").write(b"png")
run.log_image("curve", path="picture.png")
run.upload_file("models/m.bin", "picture.png")
run.upload_folder("folder", "data")
run.tag("stage", "test")
run.set_tags({{"b": 2, "c": 3}})
run.remove_tags("c")
run.add_properties({{"p": 1}})
run.flush()
assert run.id == "run-1_step-1" and run.parent.id == "run-1" and child_id != run.id
assert run.experiment.name == "tests" and run.experiment.workspace.name == "default"
assert run.get_metrics("sizes") == {{"sizes": [1, 2]}}
assert math.isnan(run.get_metrics()["loss"][1])
assert run.get_metrics()["table"] == {{"epoch": [1, 2], "error": [0.5, 0.25]}}
assert run.tags == {{"stage": "test", "b": 2}} and run.get_properties() == {{"p": 1}}
assert "models/m.bin" in run.get_file_names() and "folder/x/y.txt" in run.get_file_names()
run.download_file("models/m.bin", "copy.bin")
assert open("copy.bin", "rb").read() == b"png"
print(run.input_datasets["raw"], run.output_datasets["model"] == sys.argv[1], sys.version_info[:2] >= (3, 8))
"""


def a_step_with_everything(host: Host, name: str, **settings: Any) -> Any:
    """A step that uses all that the stand-in offers."""
    from tests.unit.runner.support import output_path

    host.put("raw/a.csv", "1")
    return host.step(
        EVERYTHING.format(name=name),
        files={"data/x/y.txt": "y"},
        inputs=(an_input("raw", "raw"),),
        outputs=(an_output("model", is_directory=True),),
        arguments=(output_path("model"),),
        **settings,
    )


def in_script(host: Host, script: str, **settings: Any) -> list[str]:
    """What a script prints."""
    host.lines.clear()
    host.run(host.step(script, **settings))
    return host.stream("stdout")


def bare(script: str, *, interpreter: str = sys.executable, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script outside of a step, with the stand-in and nothing else."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(STANDIN), **environ}
    argv = [interpreter, "-S", "-c", textwrap.dedent(script)]
    return subprocess.run(argv, capture_output=True, text=True, env=environ, check=False)


@pytest.mark.parametrize("name", ["azureml", "airloom"])
def test_a_script_logs_metrics_tags_and_files_under_either_name(host: Host, name: str) -> None:
    host.run(a_step_with_everything(host, name))
    assert host.stream("stdout") == [f"{host.data / 'raw'} True True"]
    metrics = [json.loads(line) for line in host.artifact("metrics.jsonl").splitlines()]
    assert [(entry["run"], entry["name"], entry["value"]) for entry in metrics[:3]] == [
        ("run-1_step-1", "accuracy", 0.5),
        ("run-1_step-1", "loss", 2.0),
        ("run-1_step-1", "loss", "nan"),
    ]
    assert {entry["run"] for entry in metrics} > {"run-1", "run-1_step-1"}
    assert {"models/m.bin", "folder/x/y.txt", "run.jsonl"} <= set(host.artifacts())
    [image] = [entry["value"] for entry in metrics if entry["type"] == "image"]
    assert host.artifact(image) == "png"


def test_every_python_that_the_machine_has_can_run_it(host: Host) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("this machine has no Python of another version, so nothing was tested")
    for path in pythons.values():
        host.lines.clear()
        host.run(a_step_with_everything(host, "azureml", environment=EnvironmentSpec(interpreter_path=path)))
        assert host.stream("stdout")[0].endswith("True True")


@pytest.mark.parametrize("name", ["azureml", "airloom"])
def test_it_needs_no_package_at_all(name: str) -> None:
    ended = bare(f"import {name}.core, {name}.data, {name}.exceptions; print(sorted(set(__import__('sys').path)))")
    assert ended.returncode == 0, ended.stderr
    assert "site-packages" not in ended.stdout


def test_outside_of_a_step_there_is_an_offline_run() -> None:
    ended = bare(
        """
        from azureml.core import Run
        run = Run.get_context()
        run.log("accuracy", 0.5)
        run.tag("a", "b")
        run.upload_file("x", "nothing")
        print(run.id.startswith("OfflineRun_"), run.get_metrics(), run.tags, run.input_datasets)
        """
    )
    assert ended.stdout.splitlines() == [
        "scalar accuracy = 0.5",
        "offline run: x is not uploaded",
        "True {'accuracy': 0.5} {'a': 'b'} {}",
    ]
    ended = bare("from azureml.core import Run; Run.get_context(allow_offline=False)")
    assert "RunEnvironmentException: This script does not run as a step" in ended.stderr


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("run.register_model('m')", "AttributeError: Run.register_model is not offered inside a step by Airloom."),
        ("run.experiment.workspace.get_default_datastore()", "Workspace.get_default_datastore is not offered"),
        ("Workspace.from_config()", "Workspace.from_config is not offered inside a step by Airloom."),
        ("Run(None, 'other')", "Other runs cannot be reached from inside a step"),
        ("Model.register(None)", "AttributeError: Model.register is not offered inside a step"),
        ("Model(None, 'm')", "azureml.core.Model is not offered inside a step"),
        ("Dataset.get_by_name(None, 'd')", "Dataset.get_by_name is not offered inside a step"),
        ("Dataset.get_by_id(None, 'd')", "No input of this step is the dataset 'd'"),
        ("run.input_datasets['x']", "The step has no input 'x'; it has: none."),
        (
            "import azureml.pipeline.core",
            "No module named 'azureml.pipeline'. Inside a step Airloom offers: azureml.",
        ),
        ("from azureml.core import Nonsense", "cannot import name 'Nonsense' from 'azureml.core'"),
        ("run.upload_file('../x', 'main.py')", "leaves the run"),
        ("run.upload_file('logs/stdout.txt', 'main.py')", "already has an artifact 'logs/stdout.txt'"),
        ("run.upload_file('x', 'main.py'); run.upload_file('x', 'main.py')", "already has an artifact 'x'"),
        ("run.add_properties({'a': 1}); run.add_properties({'a': 2})", "'a' is set already and cannot be changed"),
        ("run.download_file('x')", "The run has no artifact 'x'"),
        ("run.log_image('x')", "either path or plot"),
    ],
)
def test_what_is_not_offered_or_wrong_is_named(host: Host, script: str, message: str) -> None:
    head = "from azureml.core import Dataset, Model, Run, Workspace\nrun = Run.get_context()\n"
    with pytest.raises(ScriptFailed) as failure:
        host.run(host.step(head + script))
    assert message in str(failure.value)


def test_a_script_that_marks_its_run_as_failed_fails_the_step(host: Host) -> None:
    script = "from azureml.core import Run; Run.get_context().fail('the data is stale')"
    with pytest.raises(ScriptFailed, match="marked its run as failed: the data is stale") as failure:
        host.run(host.step(script))
    assert failure.value.exit_code == 0


def test_a_failed_child_run_does_not_fail_the_step(host: Host) -> None:
    script = "from azureml.core import Run; Run.get_context().child_run().fail(); Run.get_context().complete()"
    host.run(host.step(script))


def test_values_of_numpy_are_logged_as_numbers(host: Host) -> None:
    pytest.importorskip("numpy")
    script = """
    import numpy as np
    from azureml.core import Run
    run = Run.get_context()
    run.log("x", np.float32(0.5))
    run.log_list("xs", np.arange(3))
    print(run.get_metrics())
    """
    assert in_script(host, script) == ["{'x': 0.5, 'xs': [0, 1, 2]}"]


def test_several_processes_may_log_at_once(host: Host) -> None:
    script = """
    import multiprocessing
    from azureml.core import Run
    def work(number):
        run = Run.get_context()
        for step in range(200):
            run.log("n%d" % number, step, description="x" * 500)
    if __name__ == "__main__":
        with multiprocessing.Pool(4) as pool:
            pool.map(work, range(4))
        print(sorted((name, len(values)) for name, values in Run.get_context().get_metrics().items()))
    """
    assert in_script(host, script) == ["[('n0', 200), ('n1', 200), ('n2', 200), ('n3', 200)]"]


def test_a_direct_input_is_a_file_dataset(host: Host) -> None:
    host.put("year/jan/a.csv", "1")
    host.put("year/b.csv", "2")
    script = """
    import sys
    from azureml.core import Dataset, Run
    data = Run.get_context().input_datasets["raw"]
    assert data.id == sys.argv[1] and Dataset.get_by_id(None, id=sys.argv[1]).id == data.id
    print(data.to_path())
    print([open(path).read() for path in data.download("here")], open("here/jan/a.csv").read())
    with data.mount() as folder:
        print(open(folder + "/b.csv").read())
    """
    spec = an_input("raw", "year", kind="files", mode="direct")
    assert in_script(host, script, inputs=(spec,), arguments=(input_path("raw"),)) == [
        "['/b.csv', '/jan/a.csv']",
        "['2', '1'] 1",
        "2",
    ]


def test_a_table_is_read_by_the_pandas_of_the_environment(host: Host) -> None:
    pytest.importorskip("pandas")
    host.put("t/a.csv", "x;y\n1;ä\n")
    host.put("t/b.csv", "x;y\n2;ö\n")
    script = """
    from azureml.core import Run
    table = Run.get_context().input_datasets["raw"]
    print(table.to_pandas_dataframe().to_dict("list"), table.keep_columns("y").to_pandas_dataframe().columns.tolist())
    """
    spec = an_input("raw", "t/*.csv", kind="tabular", mode="direct", tabular=TabularOptions(separator=";"))
    assert in_script(host, script, inputs=(spec,)) == ["{'x': [1, 2], 'y': ['ä', 'ö']} ['y']"]


def test_a_table_without_a_header_gets_the_sdks_column_names(host: Host) -> None:
    pytest.importorskip("pandas")
    host.put("t.csv", "1,2\n3,4\n")
    script = """
    from azureml.core import Run
    print(Run.get_context().input_datasets["raw"].to_pandas_dataframe().to_dict("list"))
    """
    options = TabularOptions(header=False, keep_columns=("Column2",))
    spec = an_input("raw", "t.csv", kind="tabular", mode="direct", tabular=options)
    assert in_script(host, script, inputs=(spec,)) == ["{'Column2': [2, 4]}"]


def test_a_missing_pandas_is_named(host: Host, tmp_path: Path) -> None:
    host.put("t.csv", "1,2\n")
    script = "from azureml.core import Run; Run.get_context().input_datasets['raw'].to_pandas_dataframe()"
    spec = an_input("raw", "t.csv", kind="tabular", mode="direct")
    environment = EnvironmentSpec(python_version=f"{sys.version_info.major}.{sys.version_info.minor}")
    with pytest.raises(ScriptFailed) as failure:
        host.run(host.step(script, inputs=(spec,), environment=environment))
    assert "pandas is missing: add it to the packages of the step's environment." in str(failure.value)
