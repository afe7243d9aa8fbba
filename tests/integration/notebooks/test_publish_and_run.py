"""The notebook aml-pipelines-publish-and-run-using-rest-endpoint, its calls in its order."""

from __future__ import annotations

import requests

from airloom.core import Dataset, Datastore, Experiment, Workspace
from airloom.core.authentication import InteractiveLoginAuthentication
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.data import OutputFileDatasetConfig
from airloom.exceptions import ComputeTargetException
from airloom.pipeline.core import Pipeline, PipelineParameter, PipelineRun, PublishedPipeline
from airloom.pipeline.steps import PythonScriptStep
from tests.integration.notebooks.conftest import SOURCE


def test_the_notebook() -> None:
    ws = Workspace.from_config()
    def_blob_store = Datastore(ws, "workspaceblobstore")
    def_blob_store.upload_files(["sample_scripts/train.py"], target_path="titanic", overwrite=True, show_progress=False)
    data_path = [(def_blob_store, "titanic/train.py")]

    aml_compute_target = "cpu-cluster"
    try:
        aml_compute = AmlCompute(ws, aml_compute_target)
    except ComputeTargetException:
        provisioning_config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", min_nodes=1, max_nodes=4)
        aml_compute = ComputeTarget.create(ws, aml_compute_target, provisioning_config)
        aml_compute.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)

    blob_input_data = Dataset.File.from_files(data_path).as_named_input("test_data")
    source_directory = SOURCE
    processed_data1 = OutputFileDatasetConfig(name="processed_data1")
    PythonScriptStep(
        script_name="train.py",
        arguments=["--input_data", blob_input_data.as_mount(), "--output_train", processed_data1],
        compute_target=aml_compute,
        source_directory=source_directory,
    )
    processed_data2 = OutputFileDatasetConfig(name="processed_data2")
    PythonScriptStep(
        script_name="extract.py",
        arguments=["--input_extract", processed_data1.as_input(), "--output_extract", processed_data2],
        compute_target=aml_compute,
        source_directory=source_directory,
    )
    pipeline_param = PipelineParameter(name="pipeline_arg", default_value=10)
    processed_data3 = OutputFileDatasetConfig(name="processed_data3")
    processed_data3 = processed_data3.register_on_complete("compare_result")
    compare_step = PythonScriptStep(
        script_name="compare.py",
        arguments=[
            "--compare_data1",
            processed_data1.as_input(),
            "--compare_data2",
            processed_data2.as_input(),
            "--output_compare",
            processed_data3,
            "--pipeline_param",
            pipeline_param,
        ],
        compute_target=aml_compute,
        source_directory=source_directory,
    )

    pipeline1 = Pipeline(workspace=ws, steps=[compare_step])
    published_pipeline1 = pipeline1.publish(
        name="My_New_Pipeline", description="My Published Pipeline Description", continue_on_step_failure=True
    )
    pipeline_run1 = Experiment(ws, "Pipeline_experiment_sample").submit(pipeline1)
    pipeline_run1.wait_for_completion()
    published_pipeline2 = pipeline_run1.publish_pipeline(
        name="My_New_Pipeline2",
        description="My Published Pipeline Description",
        version="0.1",
        continue_on_step_failure=True,
    )
    pipeline_id = published_pipeline1.id
    published_pipeline = PublishedPipeline.get(ws, pipeline_id)

    auth = InteractiveLoginAuthentication()
    aad_token = auth.get_authentication_header()
    rest_endpoint1 = published_pipeline.endpoint
    response = requests.post(
        rest_endpoint1,
        headers=aad_token,
        json={"ExperimentName": "My_Pipeline1", "RunSource": "SDK", "ParameterAssignments": {"pipeline_arg": 45}},
        timeout=60,
    )
    response.raise_for_status()
    run_id = response.json().get("Id")

    # What the notebook does not ask.
    assert published_pipeline2.version == "0.1"
    run = PipelineRun(ws.experiments["My_Pipeline1"], run_id)
    assert run.wait_for_completion(show_output=False) == "Finished"
    (compared,) = run.find_step_run("compare.py")
    assert "'45'" in compared.get_stdout_log()
    assert [each.is_reused for each in run.get_steps()] == [True, True, False]
    assert PipelineRun.get_pipeline_runs(ws, pipeline_id) == [run]
