"""The notebook aml-pipelines-how-to-use-pipeline-drafts, its calls in its order."""

from __future__ import annotations

from airloom.core import Workspace
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.exceptions import ComputeTargetException
from airloom.pipeline.core import Pipeline, PipelineDraft
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

    source_directory = SOURCE
    train_step = PythonScriptStep(
        name="Training_Step",
        script_name="train.py",
        compute_target=aml_compute_target,
        source_directory=source_directory,
    )
    pipeline = Pipeline(workspace=ws, steps=[train_step])
    pipeline_draft = PipelineDraft.create(
        ws,
        name="TestPipelineDraft",
        description="draft description",
        experiment_name="pipeline_draft_sample",
        pipeline=pipeline,
        continue_on_step_failure=True,
        tags={"dev": "true"},
        properties={"train": "value"},
    )
    created_pipeline_draft_id = pipeline_draft.id
    pipeline_drafts = PipelineDraft.list(ws, tags={"dev": "true"})
    pipeline_draft = PipelineDraft.get(ws, id=created_pipeline_draft_id)
    new_train_step = PythonScriptStep(
        name="New_Training_Step",
        script_name="train.py",
        compute_target=aml_compute_target,
        source_directory=source_directory,
    )
    new_pipeline = Pipeline(workspace=ws, steps=[new_train_step])
    pipeline_draft.update(name="UpdatedPipelineDraft", description="has updated train step", pipeline=new_pipeline)
    pipeline_run = pipeline_draft.submit_run()
    published_pipeline = pipeline_draft.publish()

    # What the notebook shows and does not ask.
    assert pipeline_draft in pipeline_drafts
    assert PipelineDraft.get(ws, created_pipeline_draft_id).last_submitted_pipeline_run_id == pipeline_run.id
    assert pipeline_run.experiment.name == "pipeline_draft_sample"
    assert pipeline_run.wait_for_completion(show_output=False) == "Finished"
    assert [step.name for step in pipeline_run.get_steps()] == ["New_Training_Step"]
    assert published_pipeline.get_step_names() == ["New_Training_Step"]
    assert (published_pipeline.name, published_pipeline.continue_on_step_failure) == ("UpdatedPipelineDraft", True)
    again = PipelineDraft.create(ws, published_pipeline, experiment_name="pipeline_draft_sample")
    of_run = PipelineDraft.create(ws, pipeline_run)
    assert (again.parent_pipeline_id, of_run.parent_pipeline_run_id) == (published_pipeline.id, pipeline_run.id)
    for draft in (pipeline_draft, again, of_run):
        draft.delete()
    assert PipelineDraft.list(ws, tags={"dev": "true"}) == []
