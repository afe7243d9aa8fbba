"""The database, the supervisor, or all there is, is killed while a pipeline runs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.chaos.checks import check_the_end, wait_for_end
from tests.integration.chaos.scene import Scene
from tests.integration.chaos.stage import Stage, start_again
from tests.integration.chaos.victims import everything, strike, supervisor

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.slow, pytest.mark.thorough]


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("only_thorough")
def test_a_run_survives_the_death_of_the_database(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """It comes back after a while on the same data; whoever cannot go on without it is started again."""
    for number in range(rounds(1, 3)):
        stage.wait_until_whole()
        chance, scene = random.Random(number), Scene(tmp_path)
        run = scene.submit(stage.client())
        scene.wait_for_start("a")
        time.sleep(chance.uniform(0, 3))
        stage.database.kill()
        time.sleep(chance.uniform(0, 5))
        stage.database.start_again()
        up_again = time.time()
        assert wait_for_end(stage, run.id) == "Finished"
        log.info("Finished %.1f s after the database was up again", time.time() - up_again)
        stage.wait_until_whole()
        check_the_end(stage, scene, run)


@pytest.mark.usefixtures("only_thorough")
@pytest.mark.timeout(1800)
def test_a_run_survives_the_death_of_the_supervisor(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    """What it has started goes on for a while; `airloom up` ends all of that, and the run goes on in the new server."""
    for number in range(rounds(1, 3)):
        stage.wait_until_whole()
        chance, scene = random.Random(number), Scene(tmp_path)
        run = scene.submit(stage.client())
        strike(stage, scene, "supervisor", supervisor, chance)
        start_again(stage)
        up_again = time.time()
        assert wait_for_end(stage, run.id) == "Finished"
        log.info("Finished %.1f s after the server was up again", time.time() - up_again)
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
        up_again = time.time()
        assert wait_for_end(stage, run.id) == "Finished"
        log.info("Finished %.1f s after the server was up again", time.time() - up_again)
        stage.wait_until_whole()
        check_the_end(stage, scene, run)
