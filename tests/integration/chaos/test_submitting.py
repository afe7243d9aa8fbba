"""What becomes of a submission while the server is being killed."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airloom.core import Workspace
from airloom.exceptions import ServiceException
from airloom.pipeline.core import PipelineRun
from tests.integration.chaos.checks import check_the_end, wait_for_end
from tests.integration.chaos.scene import STEPS, Scene
from tests.integration.chaos.stage import Stage
from tests.integration.chaos.victims import IN_A_RUN, script, strike

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.slow, pytest.mark.thorough]


class Submission(threading.Thread):
    """A submit under way: at its end there is a run or an error."""

    def __init__(self, scene: Scene, workspace: Workspace) -> None:
        super().__init__()
        self._scene = scene
        self._workspace = workspace
        self.run_made: PipelineRun | None = None
        self.error: ServiceException | None = None
        self.start()

    def run(self) -> None:
        """The thread."""
        try:
            self.run_made = self._scene.submit(self._workspace)
        except ServiceException as error:
            self.error = error


@pytest.mark.timeout(1800)
def test_a_submit_while_the_api_server_dies_makes_one_run_or_none(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """An error says that the connection was lost. Whether or not there is a run then, submitting again is safe."""
    for number in range(rounds(1, 6)):
        stage.wait_until_whole()
        chance, scene = random.Random(number), Scene(tmp_path)
        submission = Submission(scene, stage.client())
        time.sleep(chance.uniform(0.1, 1.5))
        stage.kill("api-server")
        submission.join()
        stage.wait_until_whole()

        known = [run["id"] for run in stage.ask(f"runs?experiment={scene.experiment}").get("runs", [])]
        if submission.error is None:
            assert submission.run_made is not None
            assert known == [submission.run_made.id]
        else:
            assert "Airloom server" in submission.error.message
            assert len(known) <= 1

        again = scene.submit(stage.client())
        for run_id in {*known, again.id}:
            assert wait_for_end(stage, run_id) == "Finished"
        assert Counter(entry.step for entry in scene.journal("start")) == dict.fromkeys(STEPS, 1)
        check_the_end(stage, scene, again)


@pytest.mark.usefixtures("only_thorough")
@pytest.mark.timeout(1800)
def test_a_pipeline_is_taken_in_although_the_dag_processor_dies(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    for number in range(rounds(1, 3)):
        stage.wait_until_whole()
        chance, scene = random.Random(number), Scene(tmp_path)
        submission = Submission(scene, stage.client())
        time.sleep(chance.uniform(0.0, 0.5))
        stage.kill("dag-processor")
        submission.join()
        assert submission.error is None
        assert submission.run_made is not None
        assert wait_for_end(stage, submission.run_made.id) == "Finished"
        check_the_end(stage, scene, submission.run_made)


@pytest.mark.timeout(1800)
def test_two_processes_submit_at_once_while_a_scheduler_dies(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """Two runs of one pipeline compute each step once between them, but for steps that died with their scheduler."""
    for number in range(rounds(1, 3)):
        stage.wait_until_whole()
        scene = Scene(tmp_path)
        command = [sys.executable, "-m", "tests.integration.chaos.submitter"]
        arguments = [str(stage.server.home / "config.json"), str(scene.folder), scene.mark]
        submitters = [subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) for _ in range(2)]
        victim = "scheduler of the step"
        strike(stage, scene, victim, IN_A_RUN[victim], random.Random(number), "a")
        ids = [submitter.communicate(timeout=120)[0].split()[-1] for submitter in submitters]
        assert [wait_for_end(stage, run_id) for run_id in ids] == ["Finished", "Finished"]
        starts = Counter(entry.step for entry in scene.journal("start"))
        # Once more at most, as it died with its scheduler.
        assert starts.pop("a") in (1, 2)
        assert starts == dict.fromkeys("bcdpq", 1)
        experiment = stage.client().experiments[scene.experiment]
        check_the_end(stage, scene, *(PipelineRun(experiment, run_id) for run_id in ids))


@pytest.mark.usefixtures("only_thorough")
def test_a_script_that_is_killed_fails_its_run_and_leaves_nothing(stage: Stage, scene: Scene) -> None:
    """That is for its author to see, and mostly means that memory ran out: it is not tried again."""
    run = scene.submit(stage.client())
    strike(stage, scene, "script", script, random.Random(0), "b")
    assert wait_for_end(stage, run.id) == "Failed"
    steps = {step["name"]: step for step in stage.ask(f"runs/{run.id}/steps")["steps"]}
    assert "was killed by SIGKILL" in steps[scene.step_name("b")]["reason"]
    assert steps[scene.step_name("b")]["outputs"] == {}

    again = scene.submit(stage.client())
    assert wait_for_end(stage, again.id) == "Finished"
    assert len(scene.journal("start", "b")) == 2
    assert len(scene.journal("start", "a")) == 1
    check_the_end(stage, scene, again)
