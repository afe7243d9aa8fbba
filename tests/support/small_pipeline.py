"""A small pipeline of three real scripts for tests: clean -> train -> score, written with the SDK.

Every field of it can be changed, so that a test can say in one line what is different from the run before.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airloom.core import Environment, Experiment, RunConfiguration, Workspace
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.data.data_reference import DataReference
from airloom.pipeline.core import Pipeline, PipelineData, PipelineParameter, PipelineRun
from airloom.pipeline.steps import PythonScriptStep

CLEAN = """\
import pathlib, sys
raw, out = sys.argv[1:3]
pathlib.Path(out, "table.txt").write_text(pathlib.Path(raw).read_text().strip().lower())
print("cleaned")
"""
TRAIN = """\
import pathlib, sys
table, model, seed = sys.argv[1:4]
data = pathlib.Path(table, "table.txt").read_text()
pathlib.Path(model, "model.txt").write_text(f"model of {data!r} with seed {seed}")
"""
SCORE = """\
import pathlib, sys
model, out = sys.argv[1:3]
text = next(pathlib.Path(model).iterdir()).read_text()
pathlib.Path(out, "score.txt").write_text(f"score of {text}")
"""


@dataclass(frozen=True)
class SmallPipeline:
    """The pipeline and all that a test may change about it. `name` keeps the records of tests apart."""

    ws: Workspace
    folder: Path
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    compute: str = "test-cluster"
    mode: str = "mount"
    model_name: str = "model"
    description: str = ""
    train: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    environment_configuration: RunConfiguration | None = None
    submit: dict[str, Any] = field(default_factory=dict)

    def prepare(self) -> None:
        """Write the scripts and upload the data."""
        for step, script in {"clean": CLEAN, "train": TRAIN, "score": SCORE}.items():
            self.source(step).mkdir(parents=True, exist_ok=True)
            self.script(step).write_text(f"# {self.name}\n{script}")
        (self.source("train") / "helper.py").write_text("X = 1\n")
        (self.source("train") / "notes.md").write_text("notes\n")
        (self.source("train") / ".amlignore").write_text("*.md\n")
        self.upload("Some Data")

    def source(self, step: str) -> Path:
        """The source folder of a step."""
        return self.folder / self.name / step

    def script(self, step: str) -> Path:
        """The script of a step."""
        return self.source(step) / f"{step}.py"

    @property
    def data_path(self) -> str:
        """Path of the raw data on the default datastore."""
        return f"raw/{self.name}.txt"

    def upload(self, text: str) -> None:
        """Put the raw data on the default datastore."""
        file = self.folder / f"{self.name}.txt"
        file.write_text(text)
        self.ws.get_default_datastore().upload_files(
            [str(file)], target_path="raw", overwrite=True, show_progress=False
        )

    def run(self, **changes: Any) -> PipelineRun:
        """Submit the pipeline, with changes, and wait for its end."""
        run = self.start(**changes)
        run.wait_for_completion(show_output=False)
        return run

    def start(self, **changes: Any) -> PipelineRun:
        """Submit the pipeline, with changes."""
        changed = replace(self, **changes)
        return Experiment(self.ws, "small").submit(changed.pipeline(), **changed.submit)

    def pipeline(self) -> Pipeline:
        """The pipeline as it is described now."""
        ensure_compute(self.ws, self.compute)
        store = self.ws.get_default_datastore()
        raw = DataReference(store, data_reference_name="raw", path_on_datastore=self.data_path)
        table = PipelineData("table", datastore=store, is_directory=True)
        model = PipelineData(self.model_name, datastore=store, is_directory=True)
        score = PipelineData("score", datastore=store, is_directory=True)
        table_in = table.as_download() if self.mode == "download" else table.as_mount()
        seed = PipelineParameter("seed", 1)
        clean = self._step("clean", [raw, table], [raw], [table])
        train = self._step(
            "train",
            [table_in, model, seed, *self.train.get("more_arguments", [])],
            [table_in],
            [model],
            runconfig=self.environment_configuration or self._configuration(),
            **{name: value for name, value in self.train.items() if name != "more_arguments"},
        )
        final = self._step("score", [model, score], [model], [score])
        return Pipeline(self.ws, steps=[clean, train, final], description=self.description)

    def _configuration(self) -> RunConfiguration:
        environment = Environment("test")
        environment.environment_variables = self.variables
        configuration = RunConfiguration()
        configuration.environment = environment
        return configuration

    def _step(
        self, name: str, arguments: list[Any], inputs: list[Any], outputs: list[Any], **options: Any
    ) -> PythonScriptStep:
        return PythonScriptStep(
            name=name,
            script_name=f"{name}.py",
            source_directory=str(self.source(name)),
            arguments=arguments,
            inputs=inputs,
            outputs=outputs,
            compute_target=self.compute,
            **options,
        )


def executed(run: PipelineRun) -> set[str]:
    """Names of the steps whose scripts ran; every step of the run must have finished well."""
    steps = list(run.get_steps())
    assert {step.get_status() for step in steps} == {"Finished"}
    return {step.name for step in steps if not step.is_reused}


def ensure_compute(ws: Workspace, name: str = "test-cluster") -> None:
    """Make a compute target unless it is there."""
    if name not in ws.compute_targets:
        configuration = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=4)
        ComputeTarget.create(ws, name, configuration).wait_for_completion()
