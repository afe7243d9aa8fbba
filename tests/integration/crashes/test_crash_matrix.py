"""A process is killed at every system call of its writes. What it leaves is the old state or the new one.

Each scenario runs once to count its calls, then once more for each call, at which it dies. What is left is checked, the
work is done again, and the result must be right. In memory, where syncing costs nothing: what a killed process has
written is in the hands of the kernel. Losing that too is the subject of test_power_loss.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.integration.crashes.conftest import Stage
from tests.support.crashes import BALLAST, ForkServer
from tests.support.scenarios import SCENARIOS, Atomic, visible
from tests.support.syscalls import Point, TracingRefused, points

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(1800)]

Rounds = Callable[[int, int], int]
KILLED = -signal.SIGKILL
FEW = 40
WITH_THREADS = "snapshots"  # its threads share the work as they come, so a point need not be reached every time


def sample(found: list[Point], count: int) -> list[Point]:
    """At most `count` of the points, spread over all, the first and the last among them."""
    count = min(count, len(found))
    return [found[index * (len(found) - 1) // max(1, count - 1)] for index in range(count)]


def points_of(stage: Stage, forks: ForkServer) -> list[Point]:
    """The points of an undisturbed run."""
    try:
        assert forks.run_traced(stage.name, stage.root, stage.log) == 0
    except TracingRefused as refused:
        pytest.skip(f"no process was killed at its system calls, only at audit events: {refused}")
    stage.scenario.check(stage.root, finished=True)
    found = points(stage.log, ballast=BALLAST)
    assert {"write", "fsync"} <= {point.name for point in found}
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_any_system_call(name: str, stage: Callable[[str], Stage], forks: ForkServer, rounds: Rounds) -> None:
    set_up = stage(name)
    found = points_of(set_up, forks)
    for point in sample(found, rounds(FEW, len(found))):
        set_up.reset()
        code = forks.run_traced(name, set_up.root, set_up.log, inject=[point.kill])
        assert code == KILLED or name == WITH_THREADS, point
        set_up.check_and_go_on(finished=code == 0)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_any_event_of_python(
    name: str, stage: Callable[[str], Stage], forks: ForkServer, rounds: Rounds
) -> None:
    """Coarser than system calls, but possible everywhere."""
    set_up = stage(name)
    number, code, kills = 0, KILLED, 0
    while code == KILLED:
        number += rounds(3, 1)
        set_up.reset()
        code = forks.run(name, set_up.root, dies_at_event=number)
        set_up.check_and_go_on(finished=code == 0)
        kills += code == KILLED
    assert code == 0
    assert kills >= 2


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_an_error_of_any_system_call(
    name: str, error: str, stage: Callable[[str], Stage], forks: ForkServer, rounds: Rounds
) -> None:
    """A disk that is full or broken ends the work with an error, or does not matter; it never leaves half of it."""
    set_up = stage(name)
    found = points_of(set_up, forks)
    for point in sample(found, rounds(8, len(found))):
        set_up.reset()
        code = forks.run_traced(name, set_up.root, set_up.log, inject=[point.fail(error)])
        set_up.check_and_go_on(finished=code == 0)


def test_a_kill_where_the_file_system_cannot_exchange_names(
    stage: Callable[[str], Stage], forks: ForkServer, rounds: Rounds
) -> None:
    """Then a folder that is replaced may be gone after a kill, but whole; and nothing is left beside it later."""
    set_up = stage("folders")
    assert isinstance(set_up.scenario, Atomic)
    states = set_up.scenario.states
    gaps = [
        {name: data for name, data in state.items() if not name.startswith(gap)}
        for state in states
        for gap in ("runs/old/", "file")
    ]
    refused = "renameat2:error=EINVAL"
    points_of(set_up, forks)  # skips if nothing can be traced
    set_up.reset()
    assert forks.run_traced("folders", set_up.root, set_up.log, inject=[refused]) == 0
    set_up.scenario.check(set_up.root, finished=True)
    found = [point for point in points(set_up.log, ballast=BALLAST) if point.name != "renameat2"]
    met_gap = False
    for point in sample(found, rounds(FEW, len(found))):
        set_up.reset()
        assert forks.run_traced("folders", set_up.root, set_up.log, inject=[refused, point.kill]) == KILLED, point
        left = visible(set_up.root / "seen")
        assert left in states or left in gaps
        met_gap |= left not in states
        assert forks.run_traced("folders", set_up.root, set_up.log, inject=[refused]) == 0
        set_up.scenario.check(set_up.root, finished=True)
        assert list(set_up.root.rglob(".airloom-aside-*")) == []
    assert met_gap, "the way around was not taken"
