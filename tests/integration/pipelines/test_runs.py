"""What users see of runs: logs, outputs, failures, cancelling, parameters, and literal arguments."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from airloom.core import Experiment, Workspace
from airloom.exceptions import ActivityFailedException
from airloom.pipeline.core import Pipeline, PipelineData, PipelineParameter, PipelineRun
from airloom.pipeline.steps import PythonScriptStep
from tests.support.small_pipeline import SmallPipeline, ensure_compute, executed


def a_script_step(folder: Path, name: str, code: str, **options: Any) -> PythonScriptStep:
    """A step of one script that holds `code`."""
    source = folder / name
    source.mkdir(exist_ok=True)
    (source / "main.py").write_text(code)
    return PythonScriptStep(
        "main.py", name=name, compute_target="test-cluster", source_directory=str(source), **options
    )


@pytest.fixture(autouse=True)
def compute(ws: Workspace) -> None:
    ensure_compute(ws)


def submit(ws: Workspace, *steps: PythonScriptStep, **options: Any) -> PipelineRun:
    return Experiment(ws, "runs").submit(Pipeline(ws, list(steps)), **options)


def test_a_run_tells_its_steps_logs_and_outputs(ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    run = pipeline.run()
    assert run.get_status() == "Finished"
    assert [step.name for step in run.get_steps()] == ["clean", "train", "score"]
    (clean,) = run.find_step_run("clean")
    assert clean.get_stdout_log() == "cleaned\n"
    assert "command: " in clean.get_job_log()
    assert list(clean.get_outputs()) == ["table"]
    clean.get_output_data("table").download(str(tmp_path / "down"), show_progress=False)
    assert [path.read_text() for path in (tmp_path / "down").rglob("table.txt")] == ["some data"]
    again = pipeline.run()
    (reused,) = again.find_step_run("clean")
    assert reused.is_reused
    assert reused.get_stdout_log() == "cleaned\n"
    assert reused.reused_from is not None
    assert reused.reused_from.pipeline_run_id == run.id


def test_nothing_that_an_author_writes_is_a_template_or_a_command(ws: Workspace, tmp_path: Path) -> None:
    odd = ["{{ conn.x }}", "{% raw %}", "$(touch hacked)", "; ls", "a b", "", "ünï", "-1", "$HOME"]
    step = a_script_step(tmp_path, "echo", "import json, sys; print(json.dumps(sys.argv[1:]))", arguments=odd)
    run = submit(ws, step)
    run.wait_for_completion(show_output=False)
    assert json.loads(run.find_step_run("echo")[0].get_stdout_log()) == odd


def test_parameters_reach_the_script_with_the_values_of_the_run(ws: Workspace, tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ['AML_PARAMETER_LEVEL'])"
    given = [PipelineParameter("rate", 0.5), PipelineParameter("name", "{{ x }}"), PipelineParameter("on", True)]
    step = a_script_step(tmp_path, "show", code, arguments=given, params={"LEVEL": PipelineParameter("level", 3)})
    run = submit(ws, step, pipeline_parameters={"rate": 0.25, "level": 4})
    run.wait_for_completion(show_output=False)
    assert run.find_step_run("show")[0].get_stdout_log() == "['0.25', '{{ x }}', 'True'] 4\n"


def test_a_failing_step_fails_the_run_and_says_why(ws: Workspace, tmp_path: Path) -> None:
    out = PipelineData("out")
    failing = a_script_step(
        tmp_path, "bad", "raise SystemExit('no such column: price')", arguments=[out], outputs=[out]
    )
    after = a_script_step(tmp_path, "after", "print('never')", arguments=[out], inputs=[out])
    run = submit(ws, failing, after)
    with pytest.raises(ActivityFailedException, match="bad"):
        run.wait_for_completion(show_output=False)
    assert run.get_status() == "Failed"
    assert "no such column: price" in run.find_step_run("bad")[0].get_stderr_log()
    (bad,) = run.find_step_run("bad")
    assert bad.get_status() == "Failed"
    assert "exited with code 1" in bad.get_details()["error"]["error"]["message"]
    assert run.find_step_run("after")[0].get_status() != "Finished"


SLOW = "import time; time.sleep(8)"


def test_a_failure_ends_the_steps_beside_it_unless_asked_to_continue(ws: Workspace, tmp_path: Path) -> None:
    stop = [a_script_step(tmp_path, "bad", "raise SystemExit(1)"), a_script_step(tmp_path, "slow", SLOW)]
    run = submit(ws, *stop)
    run.wait_for_completion(show_output=False, raise_on_error=False)
    assert run.find_step_run("slow")[0].get_status() != "Finished"
    go_on = submit(ws, *stop, continue_on_step_failure=True)
    go_on.wait_for_completion(show_output=False, raise_on_error=False)
    assert go_on.get_status() == "Failed"
    assert go_on.find_step_run("slow")[0].get_status() == "Finished"


def test_cancel_ends_the_script_and_everything_that_it_started(ws: Workspace, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    child = f"import pathlib, time\nwhile True: pathlib.Path({str(beat)!r}).touch(); time.sleep(0.2)"
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(600)\n"
    run = submit(ws, a_script_step(tmp_path, "forever", code, allow_reuse=False))
    _wait_until(beat.exists)
    run.cancel()
    run.wait_for_completion(show_output=False, raise_on_error=False)
    assert run.get_status() == "Canceled"
    _wait_until(lambda: time.time() - beat.stat().st_mtime > 2)


def test_a_step_that_takes_too_long_is_ended(ws: Workspace, tmp_path: Path) -> None:
    run = submit(ws, a_script_step(tmp_path, "endless", "import time; time.sleep(600)", timeout_seconds=1))
    run.wait_for_completion(show_output=False, raise_on_error=False)
    assert run.get_status() == "Failed"
    assert "1 s" in run.find_step_run("endless")[0].get_job_log()


def test_changing_inputs_while_a_step_runs_means_no_reuse(ws: Workspace, tmp_path: Path) -> None:
    pipeline = SmallPipeline(ws, tmp_path)
    pipeline.prepare()
    script = pipeline.script("clean")
    script.write_text(script.read_text() + "pathlib.Path(raw).write_text('changed meanwhile')\n")
    assert executed(pipeline.run()) == {"clean", "train", "score"}
    pipeline.upload("Some Data")
    assert "clean" in executed(pipeline.run())


def _wait_until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
