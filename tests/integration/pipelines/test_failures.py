"""Steps that fail: run again after pauses, ending or not ending the others, and resumed when the cause is mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.exceptions import UserErrorException
from airloom.pipeline.core import Pipeline, PipelineData, PipelineRun
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


KILLS_ITS_TASK_AND_THEN_FAILS = """
import os, pathlib, signal, sys, time
times = pathlib.Path(sys.argv[1])
with times.open("a") as file:
    file.write(f"{time.time()}\\n")
tries = len(times.read_text().splitlines())
if tries == 1:
    guardian = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text()
    os.kill(int(guardian.rpartition(")")[2].split()[1]), signal.SIGKILL)
    time.sleep(600)
if tries == 2:
    raise SystemExit("a failure of its own")
"""
"""Loses its worker at the first try, fails at the second, and ends well at the third."""


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

    def test_a_lost_worker_is_no_failure_of_the_script(self, ws: Workspace, tmp_path: Path) -> None:
        times = tmp_path / "times"
        step = a_script(tmp_path, "lost", KILLS_ITS_TASK_AND_THEN_FAILS, str(times), retries=1, retry_delay_seconds=0)
        assert end(start(ws, step)) == "Finished"
        assert len(times_of(times)) == 3

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


class TestResume:
    def test_a_run_goes_on_once_the_cause_is_mended(self, ws: Workspace, tmp_path: Path) -> None:
        """Only what has no result runs; what had ended well keeps the result of its first try."""
        mended, log = tmp_path / "mended", tmp_path / "log"
        first, second = PipelineData("first"), PipelineData("second")
        write = "import pathlib, sys\npathlib.Path(sys.argv[1]).open('a').write(sys.argv[2])\n"
        out = "pathlib.Path(sys.argv[3]).write_text(sys.argv[2])\n"
        check = "if not pathlib.Path(sys.argv[4]).exists(): raise SystemExit('not yet')\n"
        run = start(
            ws,
            a_script(tmp_path, "a", write + out, str(log), "a", first, outputs=[first]),
            a_script(
                tmp_path, "b", write + check + out, str(log), "b", second, str(mended), first, inputs=[first],
                outputs=[second], retries=1, retry_delay_seconds=0,
            ),
            a_script(tmp_path, "c", write, str(log), "c", second, inputs=[second]),
            a_script(tmp_path, "d", write, str(log), "d"),
        )  # fmt: skip
        assert end(run) == "Failed"
        assert statuses(run)["c"] == "Canceled"
        before = sorted(log.read_text())
        assert before in (list("abb"), list("abbd"))

        run.resume()
        assert end(run) == "Failed", "the cause is still there, and the step has its retries again"
        mended.touch()
        run.resume()
        assert end(run) == "Finished"
        assert set(statuses(run).values()) == {"Finished"}
        assert sorted(log.read_text()) == list("abbbbbcd")
        with pytest.raises(UserErrorException, match="is Finished"):
            run.resume()

    def test_a_canceled_run_goes_on(self, ws: Workspace, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        code = "import pathlib, sys, time\nif not (m := pathlib.Path(sys.argv[1])).exists(): m.touch(); time.sleep(600)"
        run = start(ws, a_script(tmp_path, "waits", code, str(mark)))
        eventually(mark.exists)
        with pytest.raises(UserErrorException, match="is Running"):
            run.resume()
        run.cancel()
        assert end(run) == "Canceled"
        run.resume()
        assert run.status in ("NotStarted", "Running")
        assert end(run) == "Finished"


def test_a_run_stops_though_its_pipeline_goes_on(ws: Workspace, tmp_path: Path) -> None:
    """The run's own word counts, either way; both are runs of one DAG."""
    (tmp_path / "bad.py").write_text("raise SystemExit(1)")
    (tmp_path / "slow.py").write_text("import time; time.sleep(8)")
    (tmp_path / "pipeline.yml").write_text(
        "pipeline:\n  continue_on_step_failure: true\n  steps:\n"
        "    bad: {type: PythonScriptStep, script_name: bad.py}\n"
        "    slow: {type: PythonScriptStep, script_name: slow.py, allow_reuse: false}\n"
    )
    pipeline = Pipeline.load_yaml(ws, tmp_path / "pipeline.yml")
    goes_on = Experiment(ws, "failures").submit(pipeline)
    stops = Experiment(ws, "failures").submit(pipeline, continue_on_step_failure=False)
    assert end(goes_on) == end(stops) == "Failed"
    assert statuses(goes_on)["slow"] == "Finished"
    assert statuses(stops)["slow"] != "Finished"
    assert goes_on._document["dag_id"] == stops._document["dag_id"]


def the_step(run: PipelineRun) -> dict[str, Any]:
    (step,) = run._read_steps()
    return step
