"""The example pipeline: prepare the data, train two models side by side, compare them.

It is written with the SDK as a notebook of Azure ML SDK v1 would be; only the import lines say airloom.
"""

from __future__ import annotations

from pathlib import Path

from airloom.core import Workspace
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.core.conda_dependencies import CondaDependencies
from airloom.core.runconfig import RunConfiguration
from airloom.data.data_reference import DataReference
from airloom.pipeline.core import Pipeline, PipelineData, PipelineParameter
from airloom.pipeline.steps import PythonScriptStep

HERE = Path(__file__).parent
FOREST_PACKAGES = ["pandas==2.3.3", "scikit-learn==1.7.2"]


def upload_data(ws: Workspace) -> None:
    """Put the raw table on the workspace's default datastore."""
    table = HERE / "data" / "automobile.csv"
    ws.get_default_datastore().upload_files([str(table)], target_path="automobile", overwrite=True, show_progress=False)


def get_or_create_compute(ws: Workspace, name: str = "cpu-cluster") -> ComputeTarget:
    """The compute target of the steps: on one machine, four steps at a time at most."""
    if name in ws.compute_targets:
        return ws.compute_targets[name]
    configuration = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=4)
    target = ComputeTarget.create(ws, name, configuration)
    target.wait_for_completion(show_output=False)
    return target


def build_pipeline(ws: Workspace, sources: Path = HERE) -> Pipeline:
    """The pipeline, with the scripts below `sources`."""
    store = ws.get_default_datastore()
    compute = get_or_create_compute(ws)
    cars = DataReference(store, data_reference_name="cars", path_on_datastore="automobile/automobile.csv")
    tables = PipelineData("tables", datastore=store, is_directory=True)
    ridge = PipelineData("ridge_predictions", datastore=store, is_directory=True)
    forest = PipelineData("forest_predictions", datastore=store, is_directory=True)
    comparison = PipelineData("comparison", datastore=store, is_directory=True)

    own_environment = RunConfiguration()
    own_environment.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=FOREST_PACKAGES)

    prepare = PythonScriptStep(
        name="prepare",
        script_name="prepare.py",
        source_directory=str(sources / "prepare"),
        arguments=["--cars", cars, "--test-share", PipelineParameter("test_share", 0.25), "--out", tables],
        inputs=[cars],
        outputs=[tables],
        compute_target=compute,
    )
    train_ridge = PythonScriptStep(
        name="train_ridge",
        script_name="train_ridge.py",
        source_directory=str(sources / "train_ridge"),
        arguments=["--data", tables, "--out", ridge],
        inputs=[tables],
        outputs=[ridge],
        compute_target=compute,
    )
    train_forest = PythonScriptStep(
        name="train_forest",
        script_name="train_forest.py",
        source_directory=str(sources / "train_forest"),
        arguments=["--data", tables, "--out", forest],
        inputs=[tables],
        outputs=[forest],
        compute_target=compute,
        runconfig=own_environment,
    )
    compare = PythonScriptStep(
        name="compare",
        script_name="compare.py",
        source_directory=str(sources / "compare"),
        arguments=["--ridge", ridge, "--forest", forest, "--out", comparison],
        inputs=[ridge, forest],
        outputs=[comparison],
        compute_target=compute,
    )
    return Pipeline(ws, steps=[prepare, train_ridge, train_forest, compare], description="Car prices, two models")
