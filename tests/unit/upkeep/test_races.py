"""Runs and collections at the same time, in threads and processes: no run fails, and none sees wrong bytes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from airloom.storage import freshness
from airloom.upkeep import GcReport, Limits, collect, verify
from tests.unit.upkeep.deployment import Deployment, Pipe, check_sound, finish

FRESH = timedelta(seconds=0.2)
MINIMAL_AGE = timedelta(seconds=4)
"""Hours became seconds. What lies between them is the time that a run has to make known what it has found."""

SHAPE = (("a", ()), ("b", ("a",)), ("c", ("a", "b")))
PIPES = [Pipe("p", str(salt), SHAPE[:length]) for salt in range(12) for length in (1, 2, 3)]
PAUSES = (0.0, 0.0, 0.3)
"""Runs dawdle between finding something and making known that they use it, so that collectors get their chance."""

PROCESSES = 2
THREADS = 6


def work(root: Path, seed: int, count: int) -> tuple[int, int]:
    """Run pipelines by chance, some often and some rarely; returns how many steps were run and how many reused."""
    freshness.FRESH = FRESH
    deployment, chance, ran, reused = Deployment(root), random.Random(seed), 0, 0
    deployment.pause = lambda: time.sleep(chance.choice(PAUSES))
    for _ in range(count):
        pipe = PIPES[min(int(chance.expovariate(0.12)), len(PIPES) - 1)]
        run = deployment.run_pipe(pipe)
        ran += len(run.executed)
        reused += len(pipe.steps) - len(run.executed)
    return ran, reused


def main(root: str, seed: str, count: str) -> None:
    """One process with a few threads; prints what they did."""
    with ThreadPoolExecutor(THREADS) as pool:
        results = [pool.submit(work, Path(root), int(seed) * 100 + n, int(count)) for n in range(THREADS)]
        done = [result.result() for result in results]
    sys.stdout.write(f"{sum(ran for ran, _ in done)} {sum(reused for _, reused in done)}")


def collect_while(deployment: Deployment, workers: list[subprocess.Popen[str]]) -> list[GcReport]:
    """Collect with the smallest of limits as long as there is somebody to be harmed."""
    reports = []
    while any(worker.poll() is None for worker in workers):
        limits = Limits(older_than=MINIMAL_AGE, minimal_age=MINIMAL_AGE)
        reports.append(finish(collect(deployment.storage, deployment.table, limits)))
    return reports


@pytest.mark.slow
@pytest.mark.thorough
def test_runs_and_collections_at_once_never_harm_each_other(
    deployment: Deployment, rounds: Callable[[int, int], int]
) -> None:
    count = rounds(8, 600)
    for pipe in PIPES[::3]:  # something to collect at once
        deployment.run_pipe(pipe)
    deployment.age(timedelta(minutes=1))
    command = "import sys; from tests.unit.upkeep.test_races import main; main(*sys.argv[1:])"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", command, str(deployment.root), str(number), str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    with ThreadPoolExecutor(2) as pool:  # two collectors, which must not harm each other either
        collectors = [pool.submit(collect_while, deployment, workers) for _ in range(2)]
        reports = [report for collector in collectors for report in collector.result()]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES, "\n".join(errors for _, errors in said)
    ran, reused = (sum(int(output.split()[at]) for output, _ in said) for at in (0, 1))
    freed = sum(report.freed["records"].count for report in reports if "records" in report.freed)
    assert ran and reused and freed, (ran, reused, freed)
    assert [problem for report in reports for problem in report.problems] == []
    check_sound(deployment, finish(verify(deployment.storage)))
