"""Any process of a run or of the server is killed while a pipeline runs: the run is Finished all the same.

By default several are killed in one run, at moments that a fixed seed decides; with --thorough each of them in a run
of its own, with several seeds. The log (`pytest --log-cli-level=INFO`) tells who was killed when, and how long it took
to recover.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.chaos.checks import check_the_end, wait_for_end
from tests.integration.chaos.scene import Scene
from tests.integration.chaos.stage import Stage
from tests.integration.chaos.victims import IN_A_RUN, Blow, strike

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.slow, pytest.mark.thorough]

# Victims of one run, each with the step during which it is killed. No step is hit more often than it is tried again.
COMBINED = (
    (("task process", "a"), ("worker", "b"), ("scheduler of the step", "c"), ("API server", "d")),
    (("guardian", "a"), ("DAG processor", "q"), ("triggerer", "b"), ("idle workers", "c"), ("both schedulers", "d")),
)
SEEDS = 3


@pytest.mark.timeout(3600)
def test_a_run_survives_the_death_of_any_process(
    stage: Stage, tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    seeds = rounds(0, SEEDS)
    plays = [((victim, None),) for victim in IN_A_RUN for _ in range(seeds)] or list(COMBINED)
    for number, victims in enumerate(plays):
        stage.wait_until_whole()
        play(stage, Scene(tmp_path), victims, random.Random(number))


def play(stage: Stage, scene: Scene, victims: tuple[tuple[str, str | None], ...], chance: random.Random) -> None:
    """One run in which all the victims are killed, one after the other."""
    run = scene.submit(stage.client())
    blows = [strike(stage, scene, victim, IN_A_RUN[victim], chance, step) for victim, step in victims]
    assert wait_for_end(stage, run.id) == "Finished"
    log.info("Finished %.1f s after the last blow; %s", time.time() - blows[-1].at, again(scene, blows[-1]))
    check_the_end(stage, scene, run)


def again(scene: Scene, blow: Blow) -> str:
    """When the step was begun again, for the figures."""
    starts = [entry.at for entry in scene.journal("start", blow.step) if entry.at > blow.at]
    return f"step {blow.step} began again after {starts[0] - blow.at:.1f} s" if starts else "no step began again"
