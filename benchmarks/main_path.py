"""First figures of the main path, on a server of its own: `python -m benchmarks.main_path [--json FILE]`.

Machines differ and are noisy, so beside seconds each line prints a ratio against a baseline of the same run: a
pipeline of one unchanged step, which costs what any run costs on Airflow.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from datetime import datetime
from pathlib import Path

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import Pipeline, PipelineData, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.support.server import running_server

SCRIPT = "import pathlib, sys\npathlib.Path(sys.argv[-1]).write_text('done')\n"
REPEATS = 5


class Chain:
    """A chain of steps that each write one small file, reading that of the step before."""

    def __init__(self, ws: Workspace, folder: Path, length: int) -> None:
        self._ws = ws
        self._length = length
        self._source = folder / uuid.uuid4().hex
        self._source.mkdir()
        # A comment of its own keeps the records of one chain apart from those of the others.
        (self._source / "step.py").write_text(f"# {uuid.uuid4()}\n{SCRIPT}")

    def submit(self) -> PipelineRun:
        """Submit the chain as one pipeline."""
        steps: list[PythonScriptStep] = []
        previous: list[PipelineData] = []
        for number in range(self._length):
            output = PipelineData(f"out_{number}")
            steps.append(
                PythonScriptStep(
                    "step.py",
                    name=f"step_{number}",
                    arguments=[*previous, output],
                    inputs=previous,
                    outputs=[output],
                    source_directory=str(self._source),
                )
            )
            previous = [output]
        return Experiment(self._ws, "benchmark").submit(Pipeline(self._ws, steps))


def timed_run(chain: Chain) -> float:
    """Seconds from the submit call to the end of the run, by Airflow's own clock for the end."""
    start = time.time()
    run = chain.submit()
    run.wait_for_completion(show_output=False)
    return _instant(run.get_details()["endTimeUtc"]) - start


def submit_to_first_step(ws: Workspace, folder: Path) -> float:
    """Seconds from the submit call of a new pipeline until its first step runs."""
    start = time.time()
    run = Chain(ws, folder, 1).submit()
    run.wait_for_completion(show_output=False)
    (step,) = run.get_steps()
    return _instant(step.get_details()["startTimeUtc"]) - start


def measure(ws: Workspace, folder: Path) -> dict[str, float]:
    """All figures, in seconds: medians where a line says how often it was taken."""
    submit_to_first_step(ws, folder)  # the first run of a server warms it up
    one, twenty = Chain(ws, folder, 1), Chain(ws, folder, 20)
    timed_run(one)
    executed = timed_run(twenty)
    baseline = statistics.median(timed_run(one) for _ in range(REPEATS))
    unchanged = statistics.median(timed_run(twenty) for _ in range(REPEATS))
    first = statistics.median(submit_to_first_step(ws, folder) for _ in range(REPEATS))
    return {
        f"1 step, unchanged (the baseline, median of {REPEATS})": baseline,
        f"20 steps, unchanged (median of {REPEATS})": unchanged,
        "20 steps in a chain, executed": executed,
        f"new pipeline, submit to first step running (median of {REPEATS})": first,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder) / "home") as server:
        figures = measure(server.workspace(), Path(folder))
    baseline = next(iter(figures.values()))
    for name, seconds in figures.items():
        print(f"{name:<72} {seconds:7.2f} s {seconds / baseline:7.2f} x")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2))


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
