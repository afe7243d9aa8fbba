"""Attempts that are ended with a word and not with SIGKILL: that is no failure of the step, and the run goes on."""

from __future__ import annotations

import pytest

from tests.integration.chaos.checks import check_the_end, wait_for_end
from tests.integration.chaos.scene import Scene
from tests.integration.chaos.stage import Stage, start_again

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.slow, pytest.mark.thorough]


def test_a_step_that_is_cleared_while_it_runs_is_run_again(stage: Stage, scene: Scene) -> None:
    run = scene.submit(stage.client())
    scene.wait_for_start("b")
    dag_id = stage.ask(f"runs/{run.id}")["dag_id"]
    steps = {step["name"]: step["step_id"] for step in stage.ask(f"runs/{run.id}/steps")["steps"]}
    cleared = {"dry_run": False, "dag_run_id": run.id, "task_ids": [steps[scene.step_name("b")]], "only_failed": False}
    with stage.airflow() as airflow:
        airflow.post(f"/dags/{dag_id}/clearTaskInstances", cleared).raise_for_status()
    assert wait_for_end(stage, run.id) == "Finished"
    assert len(scene.journal("start", "b")) == 2
    check_the_end(stage, scene, run)


@pytest.mark.usefixtures("only_thorough")
def test_a_run_goes_on_when_the_server_was_shut_down_and_is_started_again(stage: Stage, scene: Scene) -> None:
    run = scene.submit(stage.client())
    scene.wait_for_start("p")
    stage.server.cli("down")
    assert [process for process in stage.processes() if process.is_running()] == []
    start_again(stage)
    assert wait_for_end(stage, run.id) == "Finished"
    stage.wait_until_whole()
    check_the_end(stage, scene, run)
