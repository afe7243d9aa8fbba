"""A process that stands still for so long that it is taken for dead, and then goes on."""

from __future__ import annotations

import pytest

from tests.integration.chaos.checks import check_the_end, wait_for_end
from tests.integration.chaos.scene import Scene, eventually
from tests.integration.chaos.stage import Stage
from tests.integration.chaos.victims import task, worker

pytestmark = [
    pytest.mark.usefixtures("only_thorough"),
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.thorough,
]


@pytest.mark.timeout(900)
def test_a_worker_that_stands_still_is_replaced_and_does_not_come_back(stage: Stage, scene: Scene) -> None:
    run = scene.submit(stage.client())
    first = scene.wait_for_start("b")
    (zombie,) = worker(stage, first)
    (attempt,) = task(stage, first)
    zombie.suspend()
    attempt.suspend()
    eventually(lambda: len(scene.journal("start", "b")) == 2, "the second attempt", 240)
    assert not zombie.is_running()
    assert not attempt.is_running()
    assert wait_for_end(stage, run.id) == "Finished"
    check_the_end(stage, scene, run)


@pytest.mark.timeout(900)
def test_one_that_comes_back_after_another_has_published_discards_its_work(stage: Stage, scene: Scene) -> None:
    """The first run stands still in a step; the second takes the step over when the first one's lease has run out."""
    first = scene.submit(stage.client())
    entry = scene.wait_for_start("b")
    (attempt,) = task(stage, entry)
    attempt.suspend()
    second = scene.submit(stage.client())
    assert wait_for_end(stage, second.id) == "Finished"
    assert len(scene.journal("end", "b")) == 2
    attempt.resume()
    assert wait_for_end(stage, first.id) == "Finished"
    places = stage.reuse().storage.datastore("workspaceblobstore").local_path(f"azureml/{first.id}")
    steps = {step["name"]: step for step in stage.ask(f"runs/{first.id}/steps")["steps"]}
    b = steps[scene.step_name("b")]
    assert b["reused_from"]["run_id"] == second.id
    assert [file for file in (places / b["step_id"]).rglob("*") if file.is_file()] == []
    check_the_end(stage, scene, first, second)
