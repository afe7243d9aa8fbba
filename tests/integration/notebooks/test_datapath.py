"""The notebook aml-pipelines-showcasing-datapath-and-pipelineparameter, its calls in its order."""

from __future__ import annotations

from pathlib import Path

import requests

from airloom.core import Experiment, Workspace
from airloom.core.authentication import InteractiveLoginAuthentication
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.data.datapath import DataPath, DataPathComputeBinding
from airloom.pipeline.core import Pipeline, PipelineParameter, PipelineRun, Schedule
from airloom.pipeline.steps import PythonScriptStep
from airloom.widgets import RunDetails
from tests.integration.notebooks.conftest import SOURCE, eventually


def test_the_notebook() -> None:
    ws = Workspace.from_config()
    experiment_name = "DataPathExample"
    experiment = Experiment(ws, experiment_name)
    amlcompute_cluster_name = "cpu-cluster"
    if amlcompute_cluster_name in ws.compute_targets:
        compute_target = ws.compute_targets[amlcompute_cluster_name]
    else:
        provisioning_config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=4)
        compute_target = ComputeTarget.create(ws, amlcompute_cluster_name, provisioning_config)
        compute_target.wait_for_completion(show_output=True, timeout_in_minutes=10)

    def_blob_store = ws.get_default_datastore()
    for number in (1, 2, 3):  # the notebook uploads samples of its own
        Path(f"file{number}.txt").write_text(str(number))
        def_blob_store.upload_files(
            [f"file{number}.txt"], target_path=f"sample_datapath{number}", overwrite=True, show_progress=False
        )
    data_path = DataPath(datastore=def_blob_store, path_on_datastore="sample_datapath1")
    datapath1_pipeline_param = PipelineParameter(name="input_datapath", default_value=data_path)
    datapath_input = (datapath1_pipeline_param, DataPathComputeBinding(mode="mount"))
    string_pipeline_param = PipelineParameter(name="input_string", default_value="sample_string1")
    train_step = PythonScriptStep(
        name="train_step",
        script_name="train_with_datapath.py",
        arguments=["--arg1", string_pipeline_param, "--arg2", datapath_input],
        inputs=[datapath_input],
        compute_target=compute_target,
        source_directory=SOURCE,
    )
    pipeline = Pipeline(workspace=ws, steps=[train_step])
    pipeline_run = experiment.submit(pipeline)
    RunDetails(pipeline_run).show()
    pipeline_run.wait_for_completion()
    pipeline_run_with_params = experiment.submit(
        pipeline,
        pipeline_parameters={
            "input_datapath": DataPath(datastore=def_blob_store, path_on_datastore="sample_datapath2"),
            "input_string": "sample_string2",
        },
    )
    RunDetails(pipeline_run_with_params).show()
    pipeline_run_with_params.wait_for_completion()

    published_pipeline = pipeline.publish(
        name="DataPath_Pipeline", description="Pipeline to test Datapath", continue_on_step_failure=True
    )
    auth = InteractiveLoginAuthentication()
    aad_token = auth.get_authentication_header()
    rest_endpoint = published_pipeline.endpoint
    response = requests.post(
        rest_endpoint,
        headers=aad_token,
        json={
            "ExperimentName": "MyRestPipeline",
            "RunSource": "SDK",
            "DataPathAssignments": {
                "input_datapath": {"DataStoreName": def_blob_store.name, "RelativePath": "sample_datapath3"}
            },
            "ParameterAssignments": {"input_string": "sample_string3"},
        },
        timeout=60,
    )
    response.raise_for_status()
    run_id = response.json()["Id"]
    published_pipeline_run_via_rest = PipelineRun(ws.experiments["MyRestPipeline"], run_id)
    RunDetails(published_pipeline_run_via_rest).show()
    published_pipeline_run_via_rest.wait_for_completion()

    schedule = Schedule.create(
        workspace=ws,
        name="Datastore_trigger_schedule",
        pipeline_id=published_pipeline.id,
        experiment_name="Scheduled_Pipeline",
        datastore=def_blob_store,
        wait_for_provisioning=True,
        description="Datastore trigger schedule demo",
        path_on_datastore="sample_datapath_for_folder",
        data_path_parameter_name="input_datapath",
        polling_interval=0.02,  # minutes; the notebook has the default of five
    )
    def_blob_store.upload_files(["file1.txt"], target_path="sample_datapath_for_folder", show_progress=False)
    (started,) = eventually(schedule.get_pipeline_runs)
    schedule.disable()

    # What the notebook shows and does not ask.
    assert started.wait_for_completion(show_output=False) == "Finished"
    runs = (pipeline_run, pipeline_run_with_params, published_pipeline_run_via_rest, started)
    printed = [run.find_step_run("train_step")[0].get_stdout_log().strip() for run in runs]
    assert printed == [
        "sample_string1 ['file1.txt']",
        "sample_string2 ['file2.txt']",
        "sample_string3 ['file3.txt']",
        "sample_string1 ['file1.txt']",
    ]
    assert Schedule.get(ws, schedule.id).status == "Disabled"
