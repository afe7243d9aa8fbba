"""The collector killed in the middle: the store stays consistent, and the next collection does the rest."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airloom.upkeep import verify
from tests.unit.upkeep.deployment import Deployment, Pipe, finish

KEPT = Pipe("kept", "one", (("a", ()), ("b", ("a",))))
OLD = Pipe("old", "two", (("a", ()), ("b", ("a",))))
CHANGES = frozenset({"os.remove", "os.rename", "os.rmdir", "os.link", "os.utime"})


@pytest.fixture
def half_old(deployment: Deployment) -> Deployment:
    """A deployment of which one pipeline is to go and one is to stay."""
    deployment.run_pipe(OLD)
    deployment.run_pipe(OLD)
    deployment.age(timedelta(days=100))
    deployment.run_pipe(KEPT)
    return deployment


def killed_at(deployment: Deployment, change: int) -> bool:
    """Collect in a process that is killed just before its n-th change of the file system; False if it had fewer."""
    child = os.fork()
    if not child:
        status = 1
        try:
            _kill_at(change)
            deployment.gc()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 0
    return os.WIFSIGNALED(ended)


def _kill_at(change: int) -> None:
    seen = 0

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(details[2], int) and details[2] & (os.O_CREAT | os.O_TRUNC)
        if event in CHANGES or writes:
            seen += 1
            if seen == change:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def names(deployment: Deployment) -> set[str]:
    """What is there, without the objects' times."""
    return set(deployment.everything())


@pytest.mark.thorough
def test_a_killed_collection_leaves_a_store_that_is_whole(
    half_old: Deployment, folder: Path, rounds: Callable[[int, int], int]
) -> None:
    done = half_old.copy_to(folder / "done")
    done.gc()
    done.plan_of(KEPT)  # leaves a record of the whole, as it will in the others
    stride, change, kills = rounds(3, 1), 1, 0
    while True:
        deployment = half_old.copy_to(folder / "killed")
        if not killed_at(deployment, change):
            break
        check_whole(deployment, names(done))
        shutil.rmtree(folder / "killed")
        change, kills = change + stride, kills + 1
    assert kills * stride > 40, f"only {kills} kills hit"


def check_whole(deployment: Deployment, all_done: set[str]) -> None:
    """All that refers has what it refers to; the next collection gives what an undisturbed one gives."""
    findings = finish(verify(deployment.storage)).findings
    # Killed between the index and the pipeline itself: it is not shown any more, and goes the next time.
    assert {finding.kind for finding in findings} <= {"index"}
    assert all("which is stored" in finding.what for finding in findings)
    plan = deployment.plan_of(KEPT)
    assert set(plan.reused) == {"a", "b"}
    deployment.gc()
    later = datetime.now(UTC) + timedelta(hours=3)
    deployment.gc(now=later)  # now leftovers of the killed one are old enough
    assert names(deployment) == all_done
    assert finish(verify(deployment.storage)).findings == ()
    assert deployment.run_pipe(KEPT).executed == []
    deployment.run_pipe(OLD)
