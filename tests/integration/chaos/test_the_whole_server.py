"""The database, the supervisor, or all there is, is killed while a pipeline runs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.chaos.checks import check_the_end, wait_for_end
from tests.integration.chaos.scene import Scene
from tests.integration.chaos.stage import Stage, start_again
from tests.integration.chaos.victims import everything, strike, supervisor

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.slow, pytest.mark.thorough]


@pytest.mark.timeout(1800)
def test_a_run_survives_the_death_of_database_and_supervisor(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """The database comes back after a while, and the server when it is started again, in the same run."""
    for number in range(rounds(1, 3)):
        stage.wait_until_whole()
        chance, scene = random.Random(number), Scene(tmp_path)
        run = scene.submit(stage.client())
        scene.wait_for_start("a")
        time.sleep(chance.uniform(0, 3))
        stage.database.kill()
        time.sleep(chance.uniform(0, 5))
        stage.database.start_again()
        strike(stage, scene, "supervisor", supervisor, chance, chance.choice("bpd"))
        start_again(stage)
        assert wait_for_end(stage, run.id) == "Finished"
        stage.wait_until_whole()
        check_the_end(stage, scene, run)


@pytest.mark.timeout(1800)
def test_a_run_survives_a_loss_of_power(stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    """All processes at once, the database's too; what was promised is on disk."""
    for number in range(rounds(1, 3)):
        stage.wait_until_whole()
        chance, scene = random.Random(number), Scene(tmp_path)
        run = scene.submit(stage.client())
        strike(stage, scene, "whole machine", everything, chance)
        stage.database.kill()
        stage.database.start_again()
        start_again(stage)
        assert wait_for_end(stage, run.id) == "Finished"
        stage.wait_until_whole()
        check_the_end(stage, scene, run)
