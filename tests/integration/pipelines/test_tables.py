"""A table that one step writes and another reads in two parts."""

from __future__ import annotations

import json
from pathlib import Path

from airloom.core import Dataset, Experiment, Workspace
from airloom.data import OutputFileDatasetConfig, TabularDataset
from airloom.pipeline.core import Pipeline
from tests.integration.pipelines.test_runs import a_script_step
from tests.support.small_pipeline import ensure_compute

MAKE = """
import pathlib, sys
from azureml.core import Run
rows = Run.get_context().input_datasets["rows"]
frame = rows.filter(rows["n"] > 9).to_pandas_dataframe()
frame.to_csv(pathlib.Path(sys.argv[1], "part.csv"), index=False)
pathlib.Path(sys.argv[1], "_SUCCESS").touch()
"""
TRAIN = """
import json
from azureml.core import Run
given = Run.get_context().input_datasets
parts = [given[name].to_pandas_dataframe() for name in ("train", "test")]
print(json.dumps([list(parts[0].columns), *(part["n"].tolist() for part in parts)]))
"""


def test_a_table_goes_from_step_to_step(ws: Workspace, tmp_path: Path) -> None:
    ensure_compute(ws)
    (tmp_path / "rows.csv").write_text("n,secret\n" + "".join(f"{number},x\n" for number in range(30)))
    store = ws.get_default_datastore()
    store.upload_files([str(tmp_path / "rows.csv")], target_path="tables", overwrite=True, show_progress=False)
    rows: TabularDataset = Dataset.Tabular.from_delimited_files((store, "tables/*.csv")).take(20)
    table = OutputFileDatasetConfig("table").read_delimited_files(path_glob="*.csv").drop_columns("secret")
    first, second = table.random_split(0.5, seed=2)

    make = a_script_step(tmp_path, "make", MAKE, arguments=[table], inputs=[rows.as_named_input("rows")])
    named = [first.as_input("train"), second.as_input("test")]
    train = a_script_step(tmp_path, "train", TRAIN, inputs=named)
    run = Experiment(ws, "tables").submit(Pipeline(ws, [train, make]))
    run.wait_for_completion(show_output=False)
    columns, trained, tested = json.loads(run.find_step_run("train")[0].get_stdout_log())
    assert columns == ["n"] and trained and tested
    assert sorted(trained + tested) == list(range(10, 20))

    again = Experiment(ws, "tables").submit(Pipeline(ws, [train, make]))
    again.wait_for_completion(show_output=False)
    assert all(step.is_reused for step in again.get_steps())
    assert rows.get_profile()["rows"] == 20
