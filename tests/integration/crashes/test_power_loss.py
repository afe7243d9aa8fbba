"""The power fails at any moment of a sequence of writes: what the disk may hold then is allowed, and work goes on.

The calls of each scenario are recorded, the states that they may leave on a disk are enumerated (see
tests/support/power_loss.py), and a sample of them, or all, is rebuilt and checked like what a killed process leaves.
That the check can fail is tested with writers that do not sync.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.integration.crashes.conftest import Stage
from tests.support.crashes import ForkServer
from tests.support.naive_writers import NAIVE
from tests.support.power_loss import TRACED, Disk, Loss, all_losses, rebuild
from tests.support.scenarios import SCENARIOS, Atomic
from tests.support.syscalls import TracingRefused, points, read_log

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(3600)]

Rounds = Callable[[int, int], int]
MakeStage = Callable[[str], Stage]


def record(stage: Stage, forks: ForkServer, *inject: str) -> None:
    """Run the scenario and leave the log of its calls."""
    try:
        forks.run_traced(stage.name, stage.root, stage.log, calls=TRACED, inject=inject)
    except TracingRefused as refused:
        pytest.skip(f"no power was lost: the calls cannot be recorded, {refused}")


def losses_of(stage: Stage, forks: ForkServer) -> list[Loss]:
    disk = Disk(stage.root)
    record(stage, forks)
    stage.scenario.check(stage.root, finished=True)
    return all_losses(disk, read_log(stage.log))


def check(stage: Stage, loss: Loss) -> None:
    rebuild(loss.state, stage.root)
    stage.scenario.check(stage.root, finished=loss.finished, acknowledged=loss.acknowledged)
    stage.scenario.act(stage.root)
    stage.scenario.check(stage.root, finished=True)


def some(found: list[Loss], count: int) -> list[Loss]:
    """A sample, the last states among it: those after all was done."""
    if len(found) <= count:
        return found
    return [*random.Random(1).sample(found, count), *[loss for loss in found if loss.finished][:count]]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_loss_of_power_leaves_the_old_or_the_new(
    name: str, stage: MakeStage, forks: ForkServer, rounds: Rounds
) -> None:
    set_up = stage(name)
    found = losses_of(set_up, forks)
    assert len(found) > 20
    for loss in some(found, rounds(40, len(found))):
        check(set_up, loss)


@pytest.mark.parametrize("name", sorted({*SCENARIOS} - {"snapshots"}))
def test_a_loss_of_power_after_a_killed_process(name: str, stage: MakeStage, forks: ForkServer, rounds: Rounds) -> None:
    """Nobody has synced what the killed process left, so who finds it and relies on it must.

    One thing is taken for granted: the names of folders. No process can know whether a folder that it finds was synced,
    and to sync it again at each write costs more than two failures within seconds are worth. (With a journal, the next
    sync of anything brings the folder's name to the disk too.) Nor are the files of a source folder that the store has
    already, often thousands, synced again: one that is lost is missed by the step, and sent again by the next submit.
    """
    set_up = stage(name)
    record(set_up, forks)
    moments = points(set_up.log)
    chance = random.Random(2)
    for point in chance.sample(moments, min(len(moments), rounds(6, len(moments)))):
        set_up.reset()
        disk = Disk(set_up.root)
        record(set_up, forks, point.kill)
        for call in read_log(set_up.log):
            disk.apply(call)
        disk.acknowledged = 0
        disk.settle_folders()
        record(set_up, forks)
        # Begun again from the middle, a sequence of single operations goes another way to the same end.
        found = all_losses(disk, read_log(set_up.log), only_after=isinstance(set_up.scenario, Atomic))
        for loss in some(found, rounds(4, 10)):
            check(set_up, loss)


@pytest.mark.parametrize("name", NAIVE)
def test_writers_that_do_not_sync_are_found(name: str, stage: MakeStage, forks: ForkServer) -> None:
    set_up = stage(name)
    failed = 0
    for loss in losses_of(set_up, forks):
        rebuild(loss.state, set_up.root)
        try:
            set_up.scenario.check(set_up.root, finished=loss.finished, acknowledged=loss.acknowledged)
        except AssertionError:
            failed += 1
    assert failed > 0
