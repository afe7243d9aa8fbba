"""The notebook aml-pipelines-setup-versioned-pipeline-endpoints, its calls in its order."""

from __future__ import annotations

import requests

from airloom.core import Experiment, Workspace
from airloom.core.authentication import InteractiveLoginAuthentication
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.exceptions import ComputeTargetException
from airloom.pipeline.core import Pipeline, PipelineEndpoint, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.integration.notebooks.conftest import SOURCE


def test_the_notebook() -> None:
    ws = Workspace.from_config()
    aml_compute_target = "cpu-cluster"
    try:
        AmlCompute(ws, aml_compute_target)
    except ComputeTargetException:
        provisioning_config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", min_nodes=1, max_nodes=4)
        aml_compute = ComputeTarget.create(ws, aml_compute_target, provisioning_config)
        aml_compute.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)

    train_step = PythonScriptStep(
        name="Training_Step", script_name="train.py", compute_target=aml_compute_target, source_directory=SOURCE
    )
    pipeline = Pipeline(workspace=ws, steps=[train_step])
    pipeline_name = "Published_Pipeline"
    published_pipeline = pipeline.publish(name=pipeline_name, description=pipeline_name)

    pipeline_endpoint = PipelineEndpoint.publish(
        workspace=ws, name="PipelineEndpointTest", pipeline=pipeline, description="Test description Notebook"
    )
    pipeline_endpoint_by_name = PipelineEndpoint.get(workspace=ws, name="PipelineEndpointTest")
    endpoint_id = pipeline_endpoint_by_name.id
    pipeline_endpoint_by_id = PipelineEndpoint.get(workspace=ws, id=endpoint_id)
    endpoints = PipelineEndpoint.list(workspace=ws, active_only=True)

    default_version = pipeline_endpoint_by_name.get_default_version()
    pipeline_endpoint_by_name.set_default_version("0")
    pipeline_of_version = pipeline_endpoint_by_name.get_pipeline("0")
    default_pipeline = pipeline_endpoint_by_name.get_pipeline()
    pipeline_endpoint_by_name.add(published_pipeline)
    pipeline_endpoint_by_name.set_default(published_pipeline)
    versions = pipeline_endpoint_by_name.list_versions()
    pipelines = pipeline_endpoint_by_name.list_pipelines(active_only=True)
    pipeline_endpoint_by_name.set_name(name="NewName")
    pipeline_endpoint_by_name = PipelineEndpoint.get(workspace=ws, name="NewName")

    auth = InteractiveLoginAuthentication()
    aad_token = auth.get_authentication_header()
    rest_endpoint_id = pipeline_endpoint_by_name.endpoint
    rest_endpoint_id_with_version = rest_endpoint_id + "/" + "0"
    rest_endpoint_name = rest_endpoint_id.split("Id", 1)[0] + "Name?name=" + pipeline_endpoint_by_name.name
    rest_endpoint_name_with_version = rest_endpoint_name + "&pipelineVersion=" + "1"
    run_ids = []
    for address in (
        rest_endpoint_id,
        rest_endpoint_id_with_version,
        rest_endpoint_name,
        rest_endpoint_name_with_version,
    ):
        body = {"ExperimentName": "default_pipeline", "RunSource": "SDK"}
        response = requests.post(address, headers=aad_token, json=body, timeout=60)
        response.raise_for_status()
        run_ids.append(response.json()["Id"])

    version_run = pipeline_endpoint_by_name.submit("NewName", pipeline_version="0")
    default_run = pipeline_endpoint_by_name.submit("NewName")
    experiment = Experiment(ws, name="submit_endpoint_sample")
    tagged_run = experiment.submit(pipeline_endpoint_by_name, tags={"endpoint_tag": "1"}, pipeline_version="0")

    # What the notebook does not ask.
    assert pipeline_endpoint == pipeline_endpoint_by_name == pipeline_endpoint_by_id
    assert pipeline_endpoint in endpoints
    assert default_version == "0"
    assert pipeline_of_version == default_pipeline != published_pipeline
    assert [(each.version, each.pipeline) for each in versions] == [("0", default_pipeline), ("1", published_pipeline)]
    assert pipelines == [default_pipeline, published_pipeline]
    of_first, of_second = (
        {run.id for run in PipelineRun.get_pipeline_runs(ws, each.id)}
        for each in (default_pipeline, published_pipeline)
    )
    assert of_first == {run_ids[1], version_run.id, tagged_run.id}
    assert of_second == {run_ids[0], run_ids[2], run_ids[3], default_run.id}
    assert tagged_run.tags == {"endpoint_tag": "1"}
    for run in (version_run, default_run, tagged_run, *(PipelineRun.get(ws, run_id) for run_id in run_ids)):
        assert run.wait_for_completion(show_output=False) == "Finished"


def test_assignments_to_parameters_that_are_not_there_are_refused() -> None:
    """The one call of the notebook that is answered otherwise: Azure ML drops them without a word."""
    ws = Workspace.from_config()
    train_step = PythonScriptStep(name="Training_Step", script_name="train.py", source_directory=SOURCE)
    endpoint = PipelineEndpoint.publish(ws, "SurplusTest", "", Pipeline(workspace=ws, steps=[train_step]))
    response = requests.post(
        endpoint.endpoint,
        headers=InteractiveLoginAuthentication().get_authentication_header(),
        json={
            "ExperimentName": "default_pipeline",
            "RunSource": "SDK",
            "ParameterAssignments": {"1": "united", "2": "city"},
        },
        timeout=60,
    )
    assert response.status_code == 400
    assert "no pipeline parameter '1'" in response.json()["Error"]["Message"]
    assert PipelineRun.get_pipeline_runs(ws, endpoint.get_pipeline().id) == []
