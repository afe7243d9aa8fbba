"""Steps that fail: run again after pauses, ending or not ending the others, and resumed when the cause is mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.pipeline.core import Pipeline, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.support.airflow_api import eventually
from tests.support.small_pipeline import ensure_compute

pytestmark = pytest.mark.integration

FAILS_SO_OFTEN = """
import pathlib, sys, time
times, allowed = pathlib.Path(sys.argv[1]), int(sys.argv[2])
with times.open("a") as file:
    file.write(f"{time.time()}\\n")
if len(times.read_text().splitlines()) <= allowed:
    raise SystemExit("the service is away")
"""
"""Notes the time of each try in a file, and fails the first few times."""


@pytest.fixture(autouse=True)
def compute(ws: Workspace) -> None:
    ensure_compute(ws)


def a_script(folder: Path, name: str, code: str, *arguments: object, **options: Any) -> PythonScriptStep:
    source = folder / name
    source.mkdir(exist_ok=True)
    (source / "main.py").write_text(code)
    return PythonScriptStep(
        "main.py",
        name=name,
        compute_target="test-cluster",
        source_directory=str(source),
        arguments=list(arguments),
        **options,
    )


def start(ws: Workspace, *steps: PythonScriptStep, **options: Any) -> PipelineRun:
    return Experiment(ws, "failures").submit(Pipeline(ws, list(steps)), **options)


def end(run: PipelineRun) -> str:
    """How a run ends."""
    return run.wait_for_completion(show_output=False, raise_on_error=False)


def statuses(run: PipelineRun) -> dict[str, str]:
    return {step.name: step.get_status() for step in run.get_steps()}


def times_of(file: Path) -> list[float]:
    return [float(line) for line in file.read_text().splitlines()]


class TestRetries:
    def test_a_script_is_run_again_after_growing_pauses(self, ws: Workspace, tmp_path: Path) -> None:
        """Of two steps the one that asks for too few retries fails for good, after exactly as many tries."""
        pauses = {"retry_delay_seconds": 1, "retry_backoff": 2}
        enough, too_few = tmp_path / "enough", tmp_path / "too_few"
        run = start(
            ws,
            a_script(tmp_path, "patient", FAILS_SO_OFTEN, str(enough), 2, retries=2, **pauses),
            a_script(tmp_path, "hasty", FAILS_SO_OFTEN, str(too_few), 9, retries=1, retry_delay_seconds=0),
            continue_on_step_failure=True,
        )
        assert end(run) == "Failed"
        assert statuses(run) == {"patient": "Finished", "hasty": "Failed"}
        first, second, third = times_of(enough)
        assert second - first >= 1 and third - second >= 2
        assert len(times_of(too_few)) == 2
        assert "the service is away" in run.find_step_run("hasty")[0].get_stderr_log()

    def test_without_retries_a_failure_is_final(self, ws: Workspace, tmp_path: Path) -> None:
        times = tmp_path / "times"
        assert end(start(ws, a_script(tmp_path, "once", FAILS_SO_OFTEN, str(times), 1))) == "Failed"
        assert len(times_of(times)) == 1

    def test_a_waiting_step_says_why(self, ws: Workspace, tmp_path: Path) -> None:
        times = tmp_path / "times"
        step = a_script(tmp_path, "slow", FAILS_SO_OFTEN, str(times), 9, retries=5, retry_delay_seconds=600)
        run = start(ws, step)
        eventually(lambda: "It is tried again" in the_step(run)["reason"])
        assert the_step(run)["status"] == "Queued"
        run.cancel()
        assert end(run) == "Canceled"


def the_step(run: PipelineRun) -> dict[str, Any]:
    (step,) = run._read_steps()
    return step
