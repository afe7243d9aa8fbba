"""The notebook aml-pipelines-setup-schedule-for-a-published-pipeline, its calls in its order."""

from __future__ import annotations

from airloom.core import Datastore, Workspace
from airloom.core.compute import AmlCompute, ComputeTarget
from airloom.exceptions import ComputeTargetException
from airloom.pipeline.core import Pipeline, PipelineEndpoint, PublishedPipeline, Schedule, ScheduleRecurrence
from airloom.pipeline.steps import PythonScriptStep
from tests.integration.notebooks.conftest import SOURCE, eventually


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
    pipeline1 = Pipeline(workspace=ws, steps=[train_step])
    pipeline_name = "published_pipeline"
    published_pipeline1 = pipeline1.publish(name=pipeline_name, description=pipeline_name)
    PipelineEndpoint.publish(
        workspace=ws,
        name="ScheduledPipelineEndpoint",
        pipeline=pipeline1,
        description="Publish pipeline endpoint for schedule test",
    )
    published_pipelines = PublishedPipeline.list(ws)
    pub_pipeline_id = published_pipeline1.id

    recurrence = ScheduleRecurrence(frequency="Day", interval=2, hours=[22], minutes=[30])
    schedule = Schedule.create(
        workspace=ws,
        name="My_Schedule",
        pipeline_id=pub_pipeline_id,
        experiment_name="Schedule-run-sample",
        recurrence=recurrence,
        wait_for_provisioning=True,
        description="Schedule Run",
    )
    schedules = Schedule.list(ws, pipeline_id=pub_pipeline_id)
    all_schedules = Schedule.list(ws, active_only=True)
    schedule_id = schedule.id
    fetched_schedule = Schedule.get(ws, schedule_id)
    first_runs = eventually(fetched_schedule.get_pipeline_runs)  # the notebook looks at its page instead
    fetched_schedule.disable(wait_for_provisioning=True)
    disabled = Schedule.get(ws, schedule_id)
    fetched_schedule.enable(wait_for_provisioning=True)
    enabled = Schedule.get(ws, schedule_id)

    recurrence = ScheduleRecurrence(frequency="Hour", interval=2)
    fetched_schedule = Schedule.get(ws, schedule_id)
    fetched_schedule.update(
        name="My_Updated_Schedule",
        description="Updated_Schedule_Run",
        status="Active",
        wait_for_provisioning=True,
        recurrence=recurrence,
    )
    fetched_schedule = Schedule.get(ws, fetched_schedule.id)

    datastore = Datastore(workspace=ws, name="workspaceblobstore")
    data_schedule = Schedule.create(
        workspace=ws,
        name="My_Schedule",
        pipeline_id=pub_pipeline_id,
        experiment_name="Schedule-run-sample",
        datastore=datastore,
        wait_for_provisioning=True,
        description="Schedule Run",
    )
    data_schedule.disable(wait_for_provisioning=True)
    disabled_data_schedule = Schedule.get(ws, data_schedule.id)

    published_pipeline_endpoint = PipelineEndpoint.get(workspace=ws, name="ScheduledPipelineEndpoint")
    published_pipeline_endpoint_id = published_pipeline_endpoint.id
    recurrence = ScheduleRecurrence(frequency="Day", interval=2, hours=[22], minutes=[30])
    endpoint_schedule = Schedule.create_for_pipeline_endpoint(
        workspace=ws,
        name="My_Endpoint_Schedule",
        pipeline_endpoint_id=published_pipeline_endpoint_id,
        experiment_name="Schedule-run-sample",
        recurrence=recurrence,
        description="Schedule_Run",
        wait_for_provisioning=True,
    )
    fetched_endpoint_schedule = Schedule.get(ws, endpoint_schedule.id)
    endpoint_runs = eventually(fetched_endpoint_schedule.get_pipeline_runs)
    fetched_endpoint_schedule.disable(wait_for_provisioning=True)
    disabled_endpoint_schedule = Schedule.get(ws, endpoint_schedule.id)
    fetched_schedule.disable()

    # What the notebook shows and does not ask.
    assert published_pipeline1 in published_pipelines
    assert schedules == [schedule]
    assert schedule in all_schedules
    assert (disabled.status, enabled.status) == ("Disabled", "Active")
    (first_run,) = first_runs
    assert first_run.experiment.name == "Schedule-run-sample"
    assert first_run.wait_for_completion(show_output=False) == "Finished"
    assert fetched_schedule.get_last_pipeline_run() == first_run
    assert (fetched_schedule.name, fetched_schedule.description) == ("My_Updated_Schedule", "Updated_Schedule_Run")
    assert vars(fetched_schedule.recurrence)["frequency"] == "Hour"
    assert disabled_data_schedule.status == "Disabled"
    assert (disabled_data_schedule.datastore_name, disabled_data_schedule.polling_interval) == (datastore.name, 5)
    assert disabled_endpoint_schedule.status == "Disabled"
    assert endpoint_runs[0].wait_for_completion(show_output=False) == "Finished"
